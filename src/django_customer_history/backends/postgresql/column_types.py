"""PostgreSQL: how a column of each type becomes canonical text, where triggers name columns."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """Patterns of SQL, in which `{0}` is the column."""

    text: str = ""
    """The canonical text; empty: the text that the row as JSON has."""
    json: str = ""
    """The value as it is written into the text of JSON; empty: `to_json` of its text."""
    json_has_quotes: bool = False
    """Whether `json` brings the quotes with it."""
    comparable: str = "{0}"
    """What differs if and only if the value differs."""
    value: str = "{0}"
    """What is NULL if and only if there is no value."""


_PLAIN = ColumnType(text="{0}::text", json="{0}")
# The collation of a column may take two different texts for equal.
_TEXT = ColumnType(text="{0}::text", comparable='{0} COLLATE "C"')
# In the row as JSON, JSON's null and no value are the same, so they are the same here.
JSON = ColumnType(
    text="nullif(to_jsonb({0}), 'null')::text",
    comparable="coalesce(to_jsonb({0}), 'null')",
    value="nullif(to_jsonb({0}), 'null')",
)
OTHER = ColumnType(comparable="to_jsonb({0})")
"""Any type that is not listed."""

# coalesce: to_char() makes NULL of infinity.
_MOMENT = (
    "coalesce(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), {0}::text)"
)
_LOCAL_MOMENT = "coalesce(to_char({0}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), {0}::text)"

COLUMN_TYPES: Mapping[str, ColumnType] = {
    "smallint": _PLAIN,
    "integer": _PLAIN,
    "bigint": _PLAIN,
    "numeric": _PLAIN,
    "boolean": ColumnType(text="{0}::text", json="{0}::text"),
    "uuid": _PLAIN,
    "text": _TEXT,
    "character varying": _TEXT,
    "json": JSON,
    "jsonb": JSON,
    # The text of a date depends on DateStyle, its JSON does not.
    "date": ColumnType(
        text="(to_jsonb({0}) #>> '{{}}')", json="to_json({0})", json_has_quotes=True
    ),
    "timestamp with time zone": ColumnType(text=_MOMENT, json=_MOMENT),
    "timestamp without time zone": ColumnType(text=_LOCAL_MOMENT, json=_LOCAL_MOMENT),
}
