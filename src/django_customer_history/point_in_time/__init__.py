"""A record as it was at a point in time."""
