"""What capture costs: the ratio to the same operation without it, measured in turn in one run."""

SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
"""The settings of SQLite for every run. The documentation recommends them."""
