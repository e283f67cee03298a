"""Seals: signed statements of what the log holds, so that nobody can change it unnoticed."""
