"""Entries about rows that are in a table already, made with the same SQL as in its triggers."""

from collections.abc import Sequence

from django_customer_history.backends.base import Backend
from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.tables import TrackedTable
from django_customer_history.backends.templates import fill, lines

NEW = "NEW"
ROW_COLUMNS: Sequence[str] = (
    "subject_model",
    "subject_id",
    "entity_id",
    "entity_label",
    "changes",
)
"""The columns of an entry that come from the row."""

_INSERT = """
INSERT INTO {log} ({columns})
SELECT
  {values}
{rows}
WHERE {condition}
"""


def row_key(backend: Backend, table: TrackedTable) -> str:
    """Return the SQL of a text that identifies a row of the table.

    It is the key of the row. For a many-to-many table it is both keys with a blank between them.
    """
    entries = backend.of_existing_rows(table)
    key = entries.key(table, NEW)
    if table.relation is not None:
        key = entries.concatenate([key, entries.literal(" "), entries.linked_key(table, NEW)])
    return entries.in_log(f"({key})")


def row_keys_query(backend: Backend, table: TrackedTable, *, rows: str) -> str:
    """Return the query for the `row_key` of each row for which the condition `rows` holds."""
    return f"SELECT {row_key(backend, table)} {_rows_with_links(backend, table, rows)}"


def logged_keys_query(backend: Backend, table: TrackedTable, *, log: str, rows: str) -> str:
    """Return the query for the `row_key` of such rows, and whether the log has entries of it."""
    key, model = row_key(backend, table), backend.literal(table.entity_model)
    test = f"{backend.quote('entity_model')} = {model} AND {backend.quote('entity_id')} = {key}"
    is_logged = f"EXISTS (SELECT 1 FROM {backend.quote(log)} WHERE {test})"
    return f"SELECT {key}, {is_logged} {_rows_with_links(backend, table, rows)}"


def values_query(backend: Backend, table: TrackedTable, *, rows: str) -> str:
    """Return the query for the key and the `changes` of rows for which the condition holds."""
    entries = backend.of_existing_rows(table)
    values = f"{entries.key(table, NEW)}, {entries.changes(table, 'insert')}"
    return f"SELECT {values} {_rows_with_links(backend, table, rows)}"


def _rows_with_links(backend: Backend, table: TrackedTable, rows: str) -> str:
    entries = backend.of_existing_rows(table)
    source = entries.existing_rows_source(table.name, rows, table.columns)
    condition = entries.condition_of_links(table, NEW)
    return f"{source} WHERE {condition}" if condition else source


def insert_statements(
    backend: Backend, table: TrackedTable, *, log: str, action: str, rows: str, condition: str
) -> list[str]:
    """Return the statements that write an entry of the kind `event` for each row and subject.

    `condition` is SQL over `row_key` and is used unchanged.
    """
    entries = backend.of_existing_rows(table)
    columns = ", ".join(entries.quote(column) for column in LOG_COLUMNS)
    statements = []
    for number, (row_values, test) in enumerate(entries.entry_values(table, "insert", log=log)):
        values = {**entries.clock(number), **row_values}
        values |= {"kind": entries.literal("event"), "action": entries.literal(action)}
        statements.append(
            fill(
                _INSERT,
                log=entries.quote(log),
                columns=columns,
                values=lines(values[column] for column in LOG_COLUMNS),
                rows=entries.existing_rows_source(table.name, rows, table.columns),
                condition=_both(condition, test),
            )
        )
    return statements


def select_queries(
    backend: Backend,
    table: TrackedTable,
    *,
    log: str,
    rows: str,
    condition: str,
    extra_columns: Sequence[str] = (),
) -> list[str]:
    """Return the queries for the columns `ROW_COLUMNS` of such entries, one for each subject path.

    The SQL of `extra_columns` follows these columns.
    """
    entries = backend.of_existing_rows(table)
    source = entries.existing_rows_source(table.name, rows, table.columns)
    return [
        f"SELECT {', '.join([*(values[column] for column in ROW_COLUMNS), *extra_columns])}"
        f" {source} WHERE {_both(condition, test)}"
        for values, test in entries.entry_values(table, "insert", log=log)
    ]


def _both(condition: str, test: str | None) -> str:
    return f"{condition} AND ({test})" if test else condition
