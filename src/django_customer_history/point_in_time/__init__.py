"""A record as it was at one moment."""
