"""Timelines as files."""
