"""MariaDB and MySQL: the SQL of values, rows and entries."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo

from django_customer_history.backends.entries import LOG_COLUMNS, WrittenEntry
from django_customer_history.backends.mysql import templates
from django_customer_history.backends.mysql.local_times import utc_text
from django_customer_history.backends.row_triggers import RowTriggerBackend
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    Join,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.backends.templates import all_of, call, fill, lines, wrapped
from django_customer_history.context.resolved import REASON_KEYS
from django_customer_history.values.types import ValueType

_MAX_MESSAGE_LENGTH = 128
"""Characters that MySQL takes as the message of a SIGNAL."""


class MySQLExpressions(RowTriggerBackend):
    """The context comes from user variables of the session."""

    def __init__(
        self,
        *,
        json_equals: str = "",
        random: str = "MD5(CONCAT(UUID(), RAND()))",
        axis_order: str = "",
        zone: tzinfo | None = None,
    ) -> None:
        self._json_equals = json_equals
        self._random = random
        self._axis_order = axis_order
        geometry = _GEOMETRY.replace("{axis_order}", axis_order)
        self._by_column_type = {**_BY_COLUMN_TYPE, **dict.fromkeys(_GEOMETRIES, geometry)}
        if zone not in (None, UTC):
            self._by_column_type["datetime"] = utc_text(zone)

    def context(self, name: str) -> str:
        variable = f"@{PREFIX}{name}"
        # A session of MySQL keeps the character set that the variable has when a trigger first
        # runs. That is `binary` before the variable is set, and JSON refuses binary text (3144).
        return f"CONVERT({variable} USING utf8mb4)" if name == "context" else variable

    def clock(self, number: int) -> Mapping[str, str]:
        microsecond = f"(microsecond + {number})" if number else "microsecond"
        return self.clock_at(microsecond, random=self._random)

    def clock_at(self, microsecond: str, *, random: str) -> Mapping[str, str]:
        """Return the SQL of `id` and `timestamp` for the SQL of a time and of random digits."""
        return {
            "id": fill(templates.KEY, microsecond=microsecond, random=random),
            "timestamp": f"TIMESTAMP '1970-01-01 00:00:00' + INTERVAL {microsecond} MICROSECOND",
        }

    def tie(self, offset: int, *, of: int) -> Mapping[str, str]:
        if of == 1:
            return {}
        return {"id": "primary_id"} if offset == 0 else {"primary_id": "primary_id"}

    def entries_of_change(
        self,
        written: Sequence[WrittenEntry],
        number: int,
        table: TrackedTable,
        event: Event,
        *,
        log: str,
    ) -> list[str]:
        first, *others = super().entries_of_change(written, number, table, event, log=log)
        if others:
            first = fill(templates.ENTRY_OF_SEVERAL, key=self.clock(number)["id"], statement=first)
        return [first, *others]

    def in_log(self, text: str) -> str:
        return f"{text} COLLATE utf8mb4_bin"

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def literal(self, text: str) -> str:
        if "\\" in text:
            # What a backslash means depends on sql_mode (NO_BACKSLASH_ESCAPES).
            return f"_utf8mb4 X'{text.encode().hex()}'"
        return super().literal(text)

    def cell(self, row: str, column: str) -> str:
        return f"{row}.{self.quote(column)}"

    def text(self, value: str, column: TrackedColumn) -> str:
        pattern = _TEXTS.get(column.value_type, "CONVERT({0} USING utf8mb4)")
        if column.value_type in (ValueType.TEXT, ValueType.DATETIME):
            pattern = self._by_column_type.get(column.column.type.partition("(")[0], pattern)
        return pattern.format(value)

    def is_geometry(self, column: Column) -> bool:
        """Return whether the values of a column are geometries."""
        return column.type in _GEOMETRIES

    def geometry_from(self, srid: int) -> str:
        """Return the SQL of a geometry whose WKT is a parameter of Django."""
        return f"ST_GeomFromText(%s, {srid}{self._axis_order})"

    def lookup(self, value: str, join: Join, column: str, *, column_type: str = "") -> str:
        source = self.table(join.table)
        if collation := join.key_collation:
            # The index of the key serves only if its own collation compares.
            value = f"CONVERT({value} USING {collation.partition('_')[0]}) COLLATE {collation}"
        return (
            f"(SELECT {source}.{self.quote(column)} FROM {source}"
            f" WHERE {source}.{self.quote(join.key)} = {value})"
        )

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        if value_type not in (ValueType.TEXT, ValueType.JSON):
            return f"NOT ({one} <=> {other})"
        if value_type is ValueType.JSON and self._json_equals:
            # Two texts of JSON may differ in their order and be the same value.
            equal = self._json_equals.format(one, other)
            return f"(NOT (BINARY {one} <=> BINARY {other}) AND NOT ({equal} <=> 1))"
        # BINARY: most collations take 'abc', 'ABC' and 'abc ' for equal.
        return f"NOT (BINARY {one} <=> BINARY {other})"

    def members_by_key(self, field: str, old: str, new: str) -> str:
        sides = [
            fill(templates.KEYS_OF_ONE_SIDE, old=values[0], new=values[1], **_document_of(document))
            for document, values in ((old, ("value", "NULL")), (new, ("NULL", "value")))
        ]
        texts = [_TEXTS[ValueType.JSON].format(value) for value in (old, new)]
        return fill(
            templates.MEMBERS_BY_KEY,
            are_objects=all_of([fill(templates.IS_OBJECT, document=value) for value in (old, new)]),
            members=self._members_of("JSON_ARRAY(o, n)", field),
            sides="\nUNION ALL\n".join(sides),
            whole=self.concatenate([self.literal(json.dumps(field) + ":"), self.pair(*texts)]),
        )

    def members_of_keys(self, field: str, value: str) -> str:
        return fill(
            templates.MEMBERS_OF_KEYS,
            is_object=fill(templates.IS_OBJECT, document=value),
            members=self._members_of("o", field),
            side=fill(templates.KEYS_OF_ONE_SIDE, old="value", new="NULL", **_document_of(value)),
            whole=self.concatenate(
                [
                    self.literal(json.dumps(field) + ":"),
                    self.json_string(_TEXTS[ValueType.JSON].format(value)),
                ]
            ),
        )

    def _members_of(self, value: str, field: str) -> str:
        return fill(templates.MEMBERS, prefix=self.literal(field + "."), value=value)

    def pair(self, old: str, new: str) -> str:
        return call("JSON_ARRAY", [old, new])

    def concatenate(self, parts: Sequence[str]) -> str:
        return f"CONCAT({', '.join(parts)})"

    def join_words(self, parts: Sequence[str]) -> str:
        return f"CONCAT_WS(' ', {', '.join(parts)})"

    def json_string(self, text: str) -> str:
        return f"JSON_QUOTE({text})"

    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        members = [
            call("IF", [condition, member, "NULL"]) if condition else member
            for condition, member in pieces
        ]
        joined = call("CONCAT_WS", ["','", *members])
        return call("CONCAT", ["'{'", joined, "'}'"]) if pieces else "'{}'"

    def piece(self, column: TrackedColumn, event: Event) -> tuple[str, str]:
        condition, member = super().piece(column, event)
        # CONCAT of NULL is NULL, which CONCAT_WS leaves out: no condition is necessary.
        is_condition_in_member = event != "update" and not column.by_key and not column.secret
        return "" if is_condition_in_member else condition, member

    def of_one_side(self, head: str, text: str, column: TrackedColumn) -> str:
        if column.value_type in (ValueType.TEXT, ValueType.JSON):
            return f"CONCAT({self.literal(head)}, {self.json_string(text)})"
        before = self.literal(head + '"')
        return f"CONCAT({before}, {text}, '\"')"

    def changes(self, table: TrackedTable, event: Event) -> str:
        if event == "update" and table.relation is None:
            return "CONCAT('{', changes, '}')"
        return super().changes(table, event)

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: TrackedTable,
        event: Event,
        condition: str | None,
    ) -> str:
        from_log = {name: sql for name, sql in values.items() if f"FROM {self.table(log)}" in sql}
        inserted = {**values, **{name: f"logged_{name}" for name in from_log}}
        statement = fill(
            templates.ENTRY,
            log=self.table(log),
            columns=wrapped(tuple(map(self.quote, LOG_COLUMNS))),
            values=lines(inserted[column] for column in LOG_COLUMNS),
        )
        if from_log:
            variables = [
                fill(templates.VALUE_FROM_LOG, column=name, value=sql)
                for name, sql in from_log.items()
            ]
            statement = fill(
                templates.ENTRY_WITH_VALUES_FROM_LOG,
                variables="\n".join(variables),
                statement=statement,
            )
        if condition is None:
            return statement
        return fill(templates.IF, condition=condition, statement=statement)

    def require_reason(self, message: str, *, condition: str | None) -> str:
        paths = ", ".join(f"'$.{name}'" for name in REASON_KEYS)
        context = self.context("context")
        tests = [f"NOT COALESCE(JSON_CONTAINS_PATH({context}, 'one', {paths}), 0)"]
        tests += [condition] if condition else []
        return fill(templates.IF, condition=all_of(tests), statement=self.signal(message))

    def signal(self, message: str) -> str:
        """Return the statement that fails with a message."""
        return fill(templates.SIGNAL, message=self.literal(message[:_MAX_MESSAGE_LENGTH]))

    def existing_rows_source(
        self, table: str, condition: str, columns: Iterable[TrackedColumn]
    ) -> str:
        return (
            f"FROM (SELECT * FROM {self.quote(table)} WHERE {condition}) AS NEW"
            f" CROSS JOIN (SELECT {templates.MICROSECOND} AS microsecond) AS clock"
        )


def _document_of(document: str) -> Mapping[str, str]:
    # MySQL's JSON_TABLE takes no query, as for a column of a parent's table (error 1210).
    if not document.startswith("(SELECT"):
        return {"source": "", "document": document}
    return {"source": f"(SELECT {document} AS document) AS source, ", "document": "source.document"}


_AS_CHARACTERS = "CAST({0} AS CHAR)"
_UTC_FORMAT, _LOCAL_FORMAT = "%Y-%m-%dT%H:%i:%s.%fZ", "%Y-%m-%dT%H:%i:%s.%f"
_GEOMETRY = "CONCAT('SRID=', ST_SRID({0}), ';', ST_AsText({0}{axis_order}))"
_GEOMETRIES = (
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
)
_BY_COLUMN_TYPE: Mapping[str, str] = {
    "bit": "CAST({0} + 0 AS CHAR)",
    "year": _AS_CHARACTERS,
    "inet4": _AS_CHARACTERS,
    "inet6": _AS_CHARACTERS,
    # The mode PAD_CHAR_TO_FULL_LENGTH adds blanks.
    "char": "TRIM(TRAILING ' ' FROM CONVERT({0} USING utf8mb4))",
    # The session's time zone decides how a timestamp reads, but not its number.
    "timestamp": (
        "DATE_FORMAT(TIMESTAMP '1970-01-01 00:00:00' + INTERVAL"
        f" CAST(UNIX_TIMESTAMP({{0}}) * 1000000 AS SIGNED) MICROSECOND, '{_UTC_FORMAT}')"
    ),
}
"""Patterns for columns whose type says more than their value type."""
_TEXTS: Mapping[ValueType, str] = {
    ValueType.INTEGER: _AS_CHARACTERS,
    ValueType.DECIMAL: _AS_CHARACTERS,
    ValueType.FLOAT: _AS_CHARACTERS,
    ValueType.DATE: _AS_CHARACTERS,
    ValueType.BOOLEAN: "CASE {0} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END",
    ValueType.DATETIME: f"DATE_FORMAT({{0}}, '{_UTC_FORMAT}')",
    ValueType.LOCAL_DATETIME: f"DATE_FORMAT({{0}}, '{_LOCAL_FORMAT}')",
    ValueType.TIME: "TIME_FORMAT({0}, '%H:%i:%s.%f')",
    # MySQL has no type for UUIDs: Django stores 32 digits. MariaDB's own type writes dashes.
    ValueType.UUID: (
        "IF(LENGTH({0}) = 32, INSERT(INSERT(INSERT(INSERT({0}, 21, 0, '-'), 17, 0, '-'),"
        " 13, 0, '-'), 9, 0, '-'), CAST({0} AS CHAR))"
    ),
    ValueType.BINARY: "LOWER(HEX({0}))",
    # CONCAT: MariaDB's JSON_ARRAY would nest the value of a JSON column instead of quoting it.
    ValueType.JSON: "CONCAT(CONVERT({0} USING utf8mb4), '')",
}
