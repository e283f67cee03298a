"""Which labels of Django's suite run before each merge, and where."""

EVERYWHERE = ("SQLite", "PostgreSQL", "MariaDB", "MySQL")

GATE: dict[str, tuple[str, ...]] = {
    "backends": ("SQLite",),
    "bulk_create": ("SQLite", "PostgreSQL", "MariaDB"),
    "composite_pk": ("SQLite", "PostgreSQL"),
    "delete": ("SQLite",),
    "generic_relations": ("SQLite",),
    "m2m_through": ("SQLite", "MySQL"),
    "m2m_through_regress": ("SQLite", "MySQL"),
    "many_to_many": ("SQLite", "MariaDB"),
    "migrations": ("SQLite",),
    "model_inheritance": ("SQLite",),
    "model_inheritance_regress": ("SQLite", "PostgreSQL", "MySQL"),
    "postgres_tests": ("PostgreSQL",),
    "queries": ("SQLite",),
    "schema": ("SQLite", "PostgreSQL"),
    "transactions": ("SQLite", "MariaDB"),
    "update": EVERYWHERE,
}
"""The labels that write most, to the databases on which the gate runs them.

Each runs on SQLite, where it is fast, and those that meet the triggers of a database in a way of
its own run there too. The weekly workflow runs all labels on all databases.
"""
