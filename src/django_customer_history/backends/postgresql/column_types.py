"""PostgreSQL: how a column of each type becomes canonical text, where triggers name columns.

No text depends on a setting of the session, such as `DateStyle` or `TimeZone`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django_customer_history.backends.tables import PREFIX

JSON_FUNCTION = f"{PREFIX}json"
"""The function that makes JSON of a value under fixed settings; see `templates.JSON`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """Patterns of SQL, in which `{0}` is the column and `{json}` is the name of `JSON_FUNCTION`."""

    text: str
    """The canonical text."""
    json: str = ""
    """The value as it is written into the text of JSON; empty: `to_json` of its text."""
    json_has_quotes: bool = False
    """Whether `json` brings the quotes with it."""
    comparable: str = "{0}"
    """What differs if and only if the value differs."""
    differs: str = "{0} IS DISTINCT FROM {1}"
    """Whether two values of `comparable` differ."""
    is_never_empty: bool = True
    """Whether each value that is not NULL has a text."""


def _quoted(text: str) -> ColumnType:
    """Return the type of a column whose text needs no escapes in JSON."""
    return ColumnType(text=text, json=text)


_PLAIN = ColumnType(text="{0}::text", json="{0}")
# The collation of a column may take two different texts for equal.
_TEXT = ColumnType(text="{0}::text", comparable='{0} COLLATE "C"')
_AS_JSON = ColumnType(text="(to_jsonb({0}) #>> '{{}}')", comparable="to_jsonb({0})")
_JSON = ColumnType(text="to_jsonb({0})::text", comparable="to_jsonb({0})")
# *<> compares the bytes of rows: it takes every type and depends on no setting.
OTHER = ColumnType(
    text="({json}({0}) #>> '{{}}')",
    differs="(ROW({0})::record *<> ROW({1})::record)",
    is_never_empty=False,
)
"""Any type that is not listed."""

GEOMETRY = ColumnType(text="{0}::text", json="{0}::text", differs=OTHER.differs)
"""PostGIS: EWKB in hexadecimal digits. Its JSON would be GeoJSON, with fewer digits."""

# The JSON of a geometry is GeoJSON, which has fewer digits. A column that is gone is read from
# `missing`, until the trigger is made anew.
ROW_WITH_GEOMETRIES = """
({json} || (
  SELECT (
    SELECT jsonb_strip_nulls(jsonb_build_object({members}))
    FROM (SELECT {row}.*) AS present
  )
  FROM (SELECT {missing}) AS missing
))
"""

# to_char() has no sign for years before Christ, and makes NULL of infinity.
MOMENT = (
    "coalesce(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'"
    " || CASE WHEN {0} < timestamptz '0001-01-01 00:00:00+00' THEN ' BC' ELSE '' END), {0}::text)"
)
LOCAL_MOMENT = (
    "coalesce(to_char({0}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'"
    " || CASE WHEN {0} < timestamp '0001-01-01 00:00:00' THEN ' BC' ELSE '' END), {0}::text)"
)
TIME = "to_char({0}::interval, 'HH24:MI:SS.US')"
# numeric: an interval may have more microseconds than a bigint.
DURATION = (
    "CASE WHEN isfinite({0}) THEN round(extract(epoch FROM {0})::numeric * 1000000)::text"
    " ELSE {0}::text END"
)
# With the default setting, the text has all digits. JSON_FUNCTION takes ten times as long.
_FLOAT = (
    "CASE WHEN current_setting('extra_float_digits')::integer > 0 THEN {0}::text"
    " ELSE {json}({0}) #>> '{{}}' END"
)

COLUMN_TYPES: Mapping[str, ColumnType] = {
    "smallint": _PLAIN,
    "integer": _PLAIN,
    "bigint": _PLAIN,
    "numeric": _PLAIN,
    "boolean": _quoted("{0}::text"),
    "uuid": _PLAIN,
    "double precision": _quoted(_FLOAT),
    "real": _quoted(_FLOAT),
    "text": _TEXT,
    "character varying": _TEXT,
    "inet": _AS_JSON,
    "json": _JSON,
    "jsonb": _JSON,
    # The text of a date depends on DateStyle, its JSON does not.
    "date": ColumnType(
        text="(to_jsonb({0}) #>> '{{}}')", json="to_json({0})", json_has_quotes=True
    ),
    "timestamp with time zone": _quoted(MOMENT),
    "timestamp without time zone": _quoted(LOCAL_MOMENT),
    "time without time zone": _quoted(TIME),
    "interval": ColumnType(text=DURATION),
    "bytea": _quoted("encode({0}, 'hex')"),
    **{
        f"{name}[]": _AS_JSON
        for name in (
            "smallint",
            "integer",
            "bigint",
            "boolean",
            "uuid",
            "text",
            "character varying",
            "date",
        )
    },
}


def is_geometry(name: str) -> bool:
    """Return whether a type is of PostGIS, which may be in any schema: `gis.geometry`."""
    return name.rpartition(".")[2] in ("geometry", "geography")


def listed_type(name: str) -> ColumnType | None:
    """Return what is known of a type by its name; None: only what holds for any type."""
    return GEOMETRY if is_geometry(name) else COLUMN_TYPES.get(name)
