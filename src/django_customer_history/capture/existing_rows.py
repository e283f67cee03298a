"""Rows that are in a table already, as the triggers of the table would log them.

The same SQL as in the triggers reads them.
"""

import json
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import backend_of, features_of
from django_customer_history.backends.existing_rows import NEW, select_queries, values_query
from django_customer_history.backends.tables import (
    Column,
    SubjectPath,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.capture.triggers import log_table
from django_customer_history.values.json_field import Changes
from django_customer_history.values.types import ValueType

VALUE = "\0"
"""The placeholder of a value in SQL that may contain percent signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRow:
    """A row as an entry would log it, for one of its subjects or for none."""

    subject: tuple[str, str] | None
    """The model label and the key."""
    key: str
    label: str | None
    changes: dict[str, list[str | None]]
    path_number: int = 0
    """The position of the place that the subject was found at: a path, or a generic foreign key."""
    extra_values: tuple[Any, ...] = ()
    """The texts of the extra columns."""


def existing_rows(
    connection: BaseDatabaseWrapper,
    table: TrackedTable,
    *,
    rows: str,
    condition: str = "1 = 1",
    values: Sequence[Any],
    extra_columns: Iterable[tuple[str, ValueType]] = (),
) -> Iterator[ExistingRow]:
    """Yield the rows for which `rows` and `condition` hold, once for each subject.

    `values` replace the placeholders `VALUE` in the two. `extra_columns` are names and types of
    further columns to return.
    """
    backend = backend_of(connection)
    whole_fields = keys_to_split(connection, table)
    entries = backend.of_existing_rows(table)
    extra = [
        entries.text(
            entries.cell(NEW, name),
            TrackedColumn(column=Column(name=name, type=""), field=name, value_type=value_type),
        )
        for name, value_type in extra_columns
    ]
    queries = select_queries(
        backend,
        _whole(connection, table),
        log=log_table(),
        rows=rows,
        condition=condition,
        extra_columns=extra,
    )
    for number, sql in enumerate(queries):
        for model, subject, key, label, text, *others in fetch_rows(connection, sql, values):
            stored = json.loads(text) if isinstance(text, str | bytes) else text
            changes = Changes.of(stored, "create")
            for field in whole_fields:
                changes |= split(field, changes.pop(field, [None, None])[1])
            yield ExistingRow(
                subject=None if model is None or subject is None else (model, subject),
                key=key,
                label=label,
                changes=changes,
                path_number=number,
                extra_values=tuple(others),
            )


def logged_values(
    connection: BaseDatabaseWrapper, table: TrackedTable, *, rows: str, values: Sequence[Any]
) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Yield the key of each row for which `rows` holds, and the texts that the log would have.

    A row of a many-to-many table has the key of its owner, and one text: the key of the record
    that it links to. Values that are null, and those of secret fields, are left out or None.
    """
    whole_fields = keys_to_split(connection, table)
    query = values_query(backend_of(connection), _whole(connection, table), rows=rows)
    for key, text in fetch_rows(connection, query, values):
        stored = json.loads(text) if isinstance(text, str | bytes) else text
        changes = Changes.of(stored, "create")
        for field in whole_fields:
            changes |= split(field, changes.pop(field, [None, None])[1])
        yield key, {name: new for name, (_old, new) in changes.items()}


def _whole(connection: BaseDatabaseWrapper, table: TrackedTable) -> TrackedTable:
    """Return a table whose JSON fields a query reads as a whole, if it cannot split them."""
    if not keys_to_split(connection, table):
        return table
    return replace(table, columns=tuple(replace(one, by_key=False) for one in table.columns))


def become_writer(connection: BaseDatabaseWrapper) -> None:
    """Make this connection the one writer of a database that has no locks of rows.

    No other connection can write until the transaction ends.
    """
    # A write that changes nothing takes the lock.
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {backend_of(connection).quote(log_table())} WHERE 1 = 0")


def fetch_rows(
    connection: BaseDatabaseWrapper, sql: str, values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Return the rows of a query in which `VALUE` is the placeholder of each value."""
    with connection.cursor() as cursor:
        cursor.execute(for_django(sql), list(values))
        return list(cursor.fetchall())


def for_django(sql: str) -> str:
    """Return SQL with Django's placeholders instead of `VALUE`."""
    return sql.replace("%", "%%").replace(VALUE, "%s")


def keys_to_split(connection: BaseDatabaseWrapper, table: TrackedTable) -> list[str]:
    """Return the JSON fields to split by key in Python, because a query cannot do it."""
    if features_of(connection).splits_json_outside_triggers:
        return []
    return [column.field for column in table.columns if column.by_key]


def snapshots_of(table: TrackedTable, *, name: str, columns: Set[str]) -> TrackedTable:
    """Return a table of snapshots of the rows as a tracked table.

    Its columns have the same names, and include those of parents. It has no secret columns.
    """

    def kept(several: Iterable[TrackedColumn]) -> tuple[TrackedColumn, ...]:
        return tuple(
            one for one in map(_from_whole_row, several) if one.start in columns and not one.secret
        )

    def kept_paths() -> Iterator[SubjectPath]:
        for path in table.subjects:
            test = path.only_for
            whole = replace(
                path,
                key=tuple(map(_from_whole_row, path.key)),
                only_for=None
                if test is None
                else replace(test, column=_from_whole_row(test.column)),
            )
            if columns >= set(whole.starts):
                yield whole

    return replace(
        table,
        name=name,
        columns=kept(table.columns),
        hidden=(),
        layout=(),
        only_listed=True,
        label=kept(table.label),
        subjects=tuple(kept_paths()),
        inherited=(),
        action_rules=(),
    )


def _from_whole_row(column: TrackedColumn) -> TrackedColumn:
    """Return a column without the steps between the tables of one record: one row has it all."""
    via = column.via
    while via and via[0].is_part:
        via = via[1:]
    return replace(column, via=via)


def split(field: str, text: str | None) -> dict[str, list[str | None]]:
    """Return the changes of a creation, key by key, from the text of a JSON field."""
    value = None if text is None else json.loads(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        return {field: [None, text]}
    return {
        f"{field}.{key}": [None, json.dumps(member, ensure_ascii=False)]
        for key, member in value.items()
    }
