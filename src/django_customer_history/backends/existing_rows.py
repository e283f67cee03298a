"""Entries of rows that stand in a table already, with the very SQL that its triggers have."""

from collections.abc import Sequence

from django_customer_history.backends.base import Backend
from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.tables import TrackedTable

NEW = "NEW"
TOLD: Sequence[str] = ("subject_model", "subject_id", "entity_id", "entity_label", "changes")
"""The columns of an entry that come from the row."""


def place(backend: Backend, table: TrackedTable) -> str:
    """Return the SQL of a text that no other row of the table has: its key, or the link."""
    key = backend.key(table, NEW)
    if (relation := table.relation) is not None:
        target = backend.text(backend.cell(NEW, relation.target.column.name), relation.target)
        key = backend.concatenate([key, backend.literal(" "), target])
    return backend.in_log(f"({key})")


def places(backend: Backend, table: TrackedTable, *, rows: str) -> str:
    """Return the query for the places of the rows for which the condition `rows` holds."""
    return f"SELECT {place(backend, table)} {backend.existing_rows_source(table.name, rows)}"


def writing(
    backend: Backend, table: TrackedTable, *, log: str, action: str, rows: str, condition: str
) -> list[str]:
    """Return the statements that write an entry of the kind `event` for each row and subject.

    `condition` is SQL over places and is kept as it is.
    """
    columns = ", ".join(backend.quote(column) for column in LOG_COLUMNS)
    statements = []
    for number, (values, test) in enumerate(backend.entry_values(table, "insert", log=log)):
        told = {**backend.clock(number), **values}
        told |= {"kind": backend.literal("event"), "action": backend.literal(action)}
        expressions = ",\n    ".join(told[column] for column in LOG_COLUMNS)
        statements.append(
            f"INSERT INTO {backend.quote(log)} ({columns})\n  SELECT {expressions}\n"
            f"  {backend.existing_rows_source(table.name, rows)}\n  WHERE {_both(condition, test)}"
        )
    return statements


def reading(
    backend: Backend,
    table: TrackedTable,
    *,
    log: str,
    rows: str,
    condition: str,
    besides: Sequence[str] = (),
) -> list[str]:
    """Return the queries for the columns `TOLD` of such entries, and `besides` further SQL."""
    return [
        f"SELECT {', '.join([*(values[column] for column in TOLD), *besides])}"
        f" {backend.existing_rows_source(table.name, rows)} WHERE {_both(condition, test)}"
        for values, test in backend.entry_values(table, "insert", log=log)
    ]


def _both(condition: str, test: str | None) -> str:
    return f"{condition} AND ({test})" if test else condition
