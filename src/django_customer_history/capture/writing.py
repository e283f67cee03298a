"""Insert entries from Python, so that the settled order of the log waits for them.

Who follows the log must not pass the key of an entry before the entry is there. So the key is
made when its transaction already holds the order back: by the INSERT itself.
"""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, models, transaction
from django.db.models.sql import InsertQuery

from django_customer_history.backends import backend_of, begin_writing
from django_customer_history.keys import datetime_of, microseconds_in, uuids_at

if TYPE_CHECKING:
    from django_customer_history.models import Entry

_TAIL_BITS = 60
"""The random bits of a key."""


def insert_entry(
    entry: "Entry", *, using: str, unless: "models.QuerySet[Any] | None" = None
) -> bool:
    """Insert an entry, and give it the key and the time that the database made: one statement.

    With `unless` it is inserted only if that query has no row. Returns whether it was inserted.
    """
    connection = connections[using]
    clock = backend_of(connection).event_clock(secrets.randbits(_TAIL_BITS))
    fields = type(entry)._meta.concrete_fields
    given = [field for field in fields if field.name not in clock.columns]
    values, parameters = _values(entry, given, using=using)
    values |= {name: _escaped(sql) for name, sql in clock.columns.items()}
    condition, more = ("", ()) if unless is None else unless.query.sql_with_params()
    sql = " ".join(
        [
            f"INSERT INTO {connection.ops.quote_name(type(entry)._meta.db_table)}",
            f"({', '.join(connection.ops.quote_name(str(field.column)) for field in fields)})",
            f"SELECT {', '.join(values[field.name] for field in fields)}",
            f"FROM ({_escaped(clock.source)}) AS clock",
            f"WHERE NOT EXISTS ({condition})" if condition else "",
            _escaped(clock.returning),
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *more])
        key = clock.key_of(cursor)
    if key is None:
        return False
    _set_key(entry, key)
    entry._state.adding, entry._state.db = False, using
    return True


def insert_entries(
    entries: Sequence["Entry"], primary: Sequence["Entry | None"], *, using: str
) -> None:
    """Insert entries in their order, all of them or none.

    `primary` has, for each of them, the entry before it to which it refers, or None.
    """
    with transaction.atomic(using=using):
        moment = begin_writing(connections[using])
        keys: Sequence[UUID | None] = [None] * len(entries)
        if moment is not None:
            keys = uuids_at(moment, count=len(entries))
        for entry, first, key in zip(entries, primary, keys, strict=True):
            entry.primary_id = None if first is None else first.id
            if key is None:
                insert_entry(entry, using=using)
            else:
                _set_key(entry, key)
        if entries and moment is not None:
            type(entries[0])._default_manager.using(using).bulk_create(entries)


def _set_key(entry: "Entry", key: UUID) -> None:
    entry.id, entry.timestamp = key, datetime_of(microseconds_in(key))


def _values(
    entry: "Entry", fields: "Sequence[models.Field[Any, Any]]", *, using: str
) -> tuple[dict[str, str], Sequence[Any]]:
    """Return the SQL of the values of some fields, and their parameters."""
    connection = connections[using]
    compiler: Any = InsertQuery(type(entry)).get_compiler(using=using)
    row = [compiler.prepare_value(field, getattr(entry, field.attname)) for field in fields]
    placeholders, parameters = compiler.assemble_as_sql(fields, [row])
    typed = backend_of(connection).typed
    return {
        field.name: typed(placeholder, field.db_type(connection))
        for field, placeholder in zip(fields, placeholders[0], strict=True)
    }, parameters[0]


def _escaped(sql: str) -> str:
    """Return SQL whose percent signs are not placeholders."""
    return sql.replace("%", "%%")
