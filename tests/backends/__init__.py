"""Tests of the SQL of each database."""
