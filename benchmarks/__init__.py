"""What capture costs: ratios to the same work without it, measured in turn in one run."""

SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
"""How every package, and nothing logged, meets SQLite: as the documentation says to set it up."""
