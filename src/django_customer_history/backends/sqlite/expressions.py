"""SQLite: the SQL of values, rows and entries."""

import json
from collections.abc import Iterable, Mapping, Sequence

from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.expressions import (
    Member,
    object_by_pattern,
    quoted,
)
from django_customer_history.backends.row_triggers import RowTriggerBackend
from django_customer_history.backends.sqlite import templates
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    Join,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.backends.templates import all_of, call, case, fill, lines, wrapped
from django_customer_history.values.geometries import NAMES
from django_customer_history.values.types import ValueType


class SQLiteExpressions(RowTriggerBackend):
    """Key, clock and context come from functions on the connection."""

    before_member = ","

    def __init__(self, *, stores_utc: bool = True, has_geometries: bool = False) -> None:
        self._has_geometries = has_geometries
        self._texts = _TEXTS if stores_utc else {**_TEXTS, ValueType.DATETIME: _OF_OTHER_ZONE}

    def context(self, name: str) -> str:
        return f"{PREFIX}{name}()"

    def is_required(self, table: TrackedTable, column: str) -> bool:
        # To change NOT NULL, Django remakes the table and so its triggers. After a change without
        # Django, an empty value is null in an entry until the triggers are remade.
        return table.requires(column)

    def clock(self, number: int) -> Mapping[str, str]:
        # The key is the first column: its function fixes the context for the other columns.
        return {"id": f"{PREFIX}key()", "timestamp": f"{PREFIX}timestamp()"}

    def tie(self, offset: int, *, of: int) -> Mapping[str, str]:
        # The function of the key remembers the last key of a primary entry.
        if offset == 0:
            return {}
        return {"id": f"{PREFIX}further_key()", "primary_id": f"{PREFIX}primary_id()"}

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def cell(self, row: str, column: str) -> str:
        return f"{row}.{self.quote(column)}"

    def text(self, value: str, column: TrackedColumn) -> str:
        places = column.decimal_places
        pattern = self._texts.get(column.value_type, _AS_IT_IS)
        if self.is_geometry(column.column):
            return _GEOMETRY.format(value)
        if column.value_type not in _TAKES_BYTES:
            pattern = f"CASE typeof({{0}}) WHEN 'blob' THEN {_HEXADECIMAL} ELSE {pattern} END"
        return pattern.format(
            value,
            decimal_places=places,
            decimals="." + "0" * places if places else "",
            exact=f"1e{_EXACT_DIGITS - places}",
        )

    def is_geometry(self, column: Column) -> bool:
        """Return whether a column is one of SpatiaLite."""
        return self._has_geometries and column.type.upper() in _GEOMETRIES

    def lookup(self, value: str, join: Join, column: str, *, column_type: str = "") -> str:
        # With the table's name: SQLite takes an unknown name in quotes for a text.
        source = self.table(join.table)
        return (
            f"(SELECT {source}.{self.quote(column)} FROM {source}"
            f" WHERE {source}.{self.quote(join.key)} = {value})"
        )

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        # The collation of a column may take 'abc' and 'ABC' for equal. Two texts of JSON may
        # differ in their order and be the same value.
        different = f"{one} IS NOT {other} COLLATE BINARY"
        if value_type is not ValueType.JSON:
            return different
        return f"({different} AND customer_history_json_differs({one}, {other}))"

    def members_by_key(self, field: str, old: str, new: str) -> str:
        return self._after_comma(f"customer_history_members({self.literal(field)}, {old}, {new})")

    def members_of_keys(self, field: str, value: str) -> str:
        return self._after_comma(f"customer_history_values({self.literal(field)}, {value})")

    def _after_comma(self, members: str) -> str:
        # NULLIF: without members, as of two empty objects, there must be no comma either.
        return f"{self.literal(self.before_member)} || NULLIF({members}, '')"

    def pair(self, old: str, new: str) -> str:
        return call("json_array", [old, new])

    def concatenate(self, parts: Sequence[str]) -> str:
        return " || ".join(parts)

    def join_words(self, parts: Sequence[str]) -> str:
        words = " || ".join(f"COALESCE(' ' || {part}, '')" for part in parts)
        return f"LTRIM({words})"

    def json_string(self, text: str) -> str:
        return f"json_quote({text})"

    def changes(self, table: TrackedTable, event: Event) -> str:
        if table.relation is not None or event == "update":
            return _valid(super().changes(table, event))
        return _valid(_object([self._member(table, column, event) for column in table.columns]))

    def _label(self, table: TrackedTable, row: str) -> str:
        label = super()._label(table, row)
        return label if label == "NULL" else _valid(label)

    def _member(self, table: TrackedTable, column: TrackedColumn, event: Event) -> Member:
        is_special = column.by_key or column.secret or bool(column.via)
        if is_special or not self.is_required(table, column.column.name):
            return _optional(*self.piece(column, event))
        text = self.text(
            self.cell("OLD" if event == "delete" else "NEW", column.column.name), column
        )
        return f"{self.before_member}{json.dumps(column.field)}:", f"json_quote({text})", ""

    def of_one_side(self, head: str, text: str, column: TrackedColumn) -> str:
        return f"{self.literal(head)} || json_quote({text})"

    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        return _object([_optional(condition, member) for condition, member in pieces])

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: TrackedTable,
        event: Event,
        condition: str | None,
    ) -> str:
        return fill(
            templates.ENTRY if condition is None else templates.ENTRY_IF,
            log=self.table(log),
            columns=wrapped(tuple(map(self.quote, LOG_COLUMNS))),
            values=lines(values[column] for column in LOG_COLUMNS),
            condition=condition or "",
        )

    def require_reason(self, message: str, *, condition: str | None) -> str:
        tests = [f"NOT {PREFIX}has_reason()", *([condition] if condition else [])]
        return fill(
            templates.REQUIRE_REASON, message=self.literal(message), condition=all_of(tests)
        )

    def existing_rows_source(
        self, table: str, condition: str, columns: Iterable[TrackedColumn]
    ) -> str:
        return f"FROM (SELECT * FROM {self.quote(table)} WHERE {condition}) AS NEW"


def _valid(text: str) -> str:
    # Text that is not UTF-8 can be stored, but not be read again. As bytes it can be passed on.
    return f"{PREFIX}valid(CAST({text} AS BLOB))"


def _optional(condition: str, member: str) -> Member:
    return "", case([(condition, member)]), ""


def _object(members: Sequence[Member]) -> str:
    if not members:
        return "'{}'"
    # printf() writes nothing for NULL and makes one text of all parts, while || makes a new text
    # for each two. It ends at a zero character, but JSON has none.
    return object_by_pattern(members, function="printf", rest="substr({0}, 2)", literal=quoted)


# Any column can hold a value of any type, as SQLite does not check it. A value that is not in the
# form of its column is logged as it is; bytes are hexadecimal, as they are not text.
_HEXADECIMAL = "lower(hex({0}))"
# An empty geometry has no EWKB: it is logged as bytes.
_GEOMETRY = (
    f"CASE typeof({{0}}) WHEN 'blob' THEN COALESCE(AsEWKB({{0}}), {_HEXADECIMAL})"
    f" ELSE CAST({{0}} AS TEXT) END"
)
_GEOMETRIES = frozenset(["GEOMETRY", *NAMES.values()])
_TAKES_BYTES = (ValueType.BINARY, ValueType.FLOAT)
# With `TIME_ZONE` in `DATABASES`, Django stores the local times of that zone.
_OF_OTHER_ZONE = f"{PREFIX}utc({{0}})"

# Django stores moments as "2026-01-02 03:04:05[.ffffff]", times likewise, UUIDs as 32 digits.
_IS_MOMENT = "{0} GLOB '????-??-??[ T]??:??:??*' AND substr({0}, 20) NOT GLOB '*[^.0-9]*'"
_MOMENT = (
    "replace(substr({0}, 1, 19), ' ', 'T') || '.' || substr(substr({0}, 21) || '000000', 1, 6)"
)
_AS_IT_IS = "CAST({0} AS TEXT)"
# Django reads decimals with as many digits, as SQLite stores them as floating point numbers. The
# function does the same, and is only called for numbers that have more.
_EXACT_DIGITS = 15
_IS_EXACT = "{0} BETWEEN -{exact} AND {exact}"
_AS_DJANGO_READS = f"{PREFIX}decimal({{0}}, {{decimal_places}})"
_TEXTS: Mapping[ValueType, str] = {
    ValueType.DECIMAL: (
        f"CASE WHEN typeof({{0}}) NOT IN ('real', 'integer') THEN {_AS_IT_IS}"
        f" WHEN NOT {_IS_EXACT} THEN {_AS_DJANGO_READS}"
        " WHEN typeof({0}) = 'integer' THEN {0} || '{decimals}'"
        " ELSE printf('%.{decimal_places}f', {0}) END"
    ),
    ValueType.FLOAT: f"{PREFIX}float({{0}})",
    ValueType.BOOLEAN: f"CASE {{0}} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE {_AS_IT_IS} END",
    ValueType.DATETIME: f"CASE WHEN {_IS_MOMENT} THEN {_MOMENT} || 'Z' ELSE {_AS_IT_IS} END",
    ValueType.LOCAL_DATETIME: f"CASE WHEN {_IS_MOMENT} THEN {_MOMENT} ELSE {_AS_IT_IS} END",
    ValueType.TIME: (
        "CASE WHEN {0} GLOB '??:??:??*' AND substr({0}, 9) NOT GLOB '*[^.0-9]*'"
        " THEN substr({0}, 1, 8) || '.' || substr(substr({0}, 10) || '000000', 1, 6)"
        f" ELSE {_AS_IT_IS} END"
    ),
    ValueType.UUID: (
        "CASE WHEN length({0}) = 32 THEN"
        " substr({0}, 1, 8) || '-' || substr({0}, 9, 4) || '-' || substr({0}, 13, 4)"
        f" || '-' || substr({{0}}, 17, 4) || '-' || substr({{0}}, 21) ELSE {_AS_IT_IS} END"
    ),
    ValueType.BINARY: f"CASE WHEN {{0}} IS NOT NULL THEN {_HEXADECIMAL} END",
}
