"""PostgreSQL: values of any type from their texts, and the sequences behind generated keys."""

import json

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.tables import Column

_WRITTEN_BY_DJANGO = (
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "double precision",
    "real",
    "boolean",
    "character",
    "character varying",
    "text",
    "uuid",
    "date",
    "timestamp with time zone",
    "timestamp without time zone",
    "time without time zone",
    "interval",
    "bytea",
)
"""Types whose texts become Python values that the driver writes as they are."""

_JSON_TYPES = ("json", "jsonb")

_HSTORE = """(
    SELECT coalesce(hstore(array_agg(key), array_agg(value)), '')
    FROM jsonb_each_text(%s::jsonb)
)"""

# The text of the log is that of a member of the row as JSON. This is the way back.
_FROM_ROW_AS_JSON = "(jsonb_populate_record(NULL::{table}, %s::jsonb)).{column}"

_NAME_OF_SEQUENCE = "SELECT pg_get_serial_sequence(%s, %s)"

# A sequence that was set further ahead stays there: a key is never generated twice.
_ADVANCE = """
SELECT setval(%s, %s)
FROM {sequence}
WHERE last_value < %s OR (last_value = %s AND NOT is_called)
"""


def stored_value(table: str, name: str, column: Column, text: str) -> tuple[str, str] | None:
    """Return the SQL and the parameter of a value; None if the driver writes it by itself."""
    if column.type in _WRITTEN_BY_DJANGO:
        return None
    if column.type in _JSON_TYPES:
        return f"%s::{column.type}", text
    if column.type.endswith("hstore"):
        return _HSTORE, text
    value = json.loads(text) if column.type.endswith("[]") else text
    sql = _FROM_ROW_AS_JSON.format(table=table.replace("%", "%%"), column=name.replace("%", "%%"))
    return sql, json.dumps({column.name: value})


def advance_sequence(connection: BaseDatabaseWrapper, table: str, column: str, key: int) -> None:
    """Let the sequence of a column continue after a key, unless it is further ahead."""
    with connection.cursor() as cursor:
        cursor.execute(_NAME_OF_SEQUENCE, [table, column])
        ((sequence,),) = cursor.fetchall()
        if sequence is not None:
            sql = _ADVANCE.format(sequence=sequence.replace("%", "%%"))
            cursor.execute(sql, [sequence, key, key, key])
