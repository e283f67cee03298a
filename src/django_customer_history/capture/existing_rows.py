"""What the triggers would say of rows that stand in a table, read by their own SQL."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import (
    backend_of,
)
from django_customer_history.backends import (
    existing_rows as baseline,
)
from django_customer_history.backends.tables import (
    Column,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.capture.triggers import log_table
from django_customer_history.values.types import ValueType

VALUE = "\0"
"""Where a value goes into SQL that has percent signs of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRow:
    """A row as an entry would tell of it, for one of its subjects or for none."""

    subject: tuple[str, str] | None
    key: str
    label: str | None
    changes: dict[str, list[str | None]]
    way: int = 0
    """Which of the ways to a subject led to this one."""
    besides: tuple[Any, ...] = ()
    """The values of further columns, as texts."""


def existing_rows(
    connection: BaseDatabaseWrapper,
    table: TrackedTable,
    *,
    rows: str,
    condition: str = "1 = 1",
    values: Sequence[Any],
    besides: Iterable[tuple[str, ValueType]] = (),
) -> Iterator[ExistingRow]:
    """Yield the rows for which `rows` and `condition` hold, once for each subject.

    `values` go where `VALUE` stands in the two; `besides` are columns to return, with forms.
    """
    backend = backend_of(connection)
    whole_fields = keys_to_split(connection, table)
    columns = [replace(column, by_key=False) for column in table.columns]
    readable = replace(table, columns=tuple(columns)) if whole_fields else table
    more = [
        backend.text(
            backend.cell(baseline.NEW, name),
            TrackedColumn(column=Column(name=name, type=""), field=name, value_type=value_type),
        )
        for name, value_type in besides
    ]
    queries = baseline.reading(
        backend, readable, log=log_table(), rows=rows, condition=condition, besides=more
    )
    for way, sql in enumerate(queries):
        for model, subject, key, label, text, *others in asked(connection, sql, values):
            changes = json.loads(text) if isinstance(text, str | bytes) else text
            for field in whole_fields:
                changes |= split(field, changes.pop(field, [None, None])[1])
            yield ExistingRow(
                subject=None if model is None or subject is None else (model, subject),
                key=key,
                label=label,
                changes=changes,
                way=way,
                besides=tuple(others),
            )


def asked(
    connection: BaseDatabaseWrapper, sql: str, values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Return the rows of a query with `VALUE` in the place of each value."""
    with connection.cursor() as cursor:
        cursor.execute(for_django(sql), list(values))
        return list(cursor.fetchall())


def for_django(sql: str) -> str:
    """Return SQL as Django takes it together with values."""
    return sql.replace("%", "%%").replace(VALUE, "%s")


def keys_to_split(connection: BaseDatabaseWrapper, table: TrackedTable) -> list[str]:
    """Return the JSON fields that are logged key by key, where only a trigger's SQL can do so."""
    if backend_of(connection).splits_json_outside_triggers:
        return []
    return [column.field for column in table.columns if column.by_key]


def snapshots_of(table: TrackedTable, *, name: str, columns: Collection[str]) -> TrackedTable:
    """Return a table with columns of the same names that keeps former states of the rows.

    It has the columns of parents too. Secret ones are left out.
    """

    def kept(several: Iterable[TrackedColumn]) -> tuple[TrackedColumn, ...]:
        return tuple(
            replace(one, via=None)
            for one in several
            if one.column.name in columns and not one.secret
        )

    return replace(
        table,
        name=name,
        columns=kept(table.columns),
        hidden=(),
        layout=(),
        only_listed=True,
        label=kept(table.label),
        subjects=tuple(path for path in table.subjects if path.column in columns),
        inherited=(),
        action_rules=(),
    )


def split(field: str, text: str | None) -> dict[str, list[str | None]]:
    """Return what a JSON text says, key by key, as the changes of a creation."""
    value = None if text is None else json.loads(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        return {field: [None, text]}
    return {
        f"{field}.{key}": [None, json.dumps(member, ensure_ascii=False)]
        for key, member in value.items()
    }
