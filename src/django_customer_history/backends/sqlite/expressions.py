"""SQLite: the SQL of values, rows and entries."""

import json
from collections.abc import Mapping, Sequence

from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.expressions import (
    Member,
    around,
    object_by_pattern,
)
from django_customer_history.backends.row_triggers import RowTriggerBackend
from django_customer_history.backends.sqlite import templates
from django_customer_history.backends.tables import (
    PREFIX,
    Event,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.backends.templates import all_of, call, case, fill, lines, wrapped
from django_customer_history.values.types import ValueType


class SQLiteExpressions(RowTriggerBackend):
    """Key, clock and context come from functions on the connection."""

    before_member = ","

    def context(self, name: str) -> str:
        return f"{PREFIX}{name}()"

    def is_required(self, table: TrackedTable, column: str) -> bool:
        # To change NOT NULL, Django remakes the table and so its triggers. After a change without
        # Django, an empty value is null in an entry until the triggers are remade.
        return table.requires(column)

    def clock(self, number: int) -> Mapping[str, str]:
        # The key is the first column: its function fixes the context for the other columns.
        return {"id": f"{PREFIX}key()", "timestamp": f"{PREFIX}timestamp()"}

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def cell(self, row: str, column: str) -> str:
        return f"{row}.{self.quote(column)}"

    def text(self, value: str, column: TrackedColumn) -> str:
        pattern = _TEXTS.get(column.value_type, "CAST({0} AS TEXT)")
        return pattern.format(value, decimal_places=column.decimal_places)

    def lookup(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        return (
            f"(SELECT {self.quote(column)} FROM {self.table(table)}"
            f" WHERE {self.quote(key)} = {value})"
        )

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        # The collation of a column may take 'abc' and 'ABC' for equal. Two texts of JSON may
        # differ in their order and be the same value.
        different = f"{one} IS NOT {other} COLLATE BINARY"
        if value_type is not ValueType.JSON:
            return different
        return f"({different} AND customer_history_json_differs({one}, {other}))"

    def members_by_key(self, field: str, old: str, new: str) -> str:
        # NULLIF: without members, as of two empty objects, there must be no comma either.
        members = f"NULLIF(customer_history_members({self.literal(field)}, {old}, {new}), '')"
        return f"{self.literal(self.before_member)} || {members}"

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
            return super().changes(table, event)
        return _object([self._member(table, column, event) for column in table.columns])

    def _member(self, table: TrackedTable, column: TrackedColumn, event: Event) -> Member:
        is_special = column.by_key or column.secret or column.via is not None
        if is_special or not self.is_required(table, column.column.name):
            return _optional(*self.piece(column, event))
        before, after = around(event)
        text = self.text(
            self.cell("OLD" if event == "delete" else "NEW", column.column.name), column
        )
        head = f"{self.before_member}{json.dumps(column.field)}:{before}"
        return head, f"json_quote({text})", after

    def of_one_side(self, head: str, text: str, tail: str, column: TrackedColumn) -> str:
        return f"{self.literal(head)} || json_quote({text}) || {self.literal(tail)}"

    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        return _object([_optional(condition, member) for condition, member in pieces])

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: str,
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

    def existing_rows_source(self, table: str, condition: str) -> str:
        return f"FROM (SELECT * FROM {self.quote(table)} WHERE {condition}) AS NEW"


def _optional(condition: str, member: str) -> Member:
    return "", case([(condition, member)]), ""


def _object(members: Sequence[Member]) -> str:
    # printf() writes nothing for NULL and makes one text of all parts, while || makes a new text
    # for each two. It ends at a zero character, but JSON has none.
    return object_by_pattern(members, function="printf", rest="substr({0}, 2)")


# Django stores moments as "2026-01-02 03:04:05[.ffffff]", times likewise, UUIDs as 32 digits.
_TEXTS: Mapping[ValueType, str] = {
    ValueType.DECIMAL: "CASE WHEN {0} IS NOT NULL THEN printf('%.{decimal_places}f', {0}) END",
    ValueType.FLOAT: "customer_history_float({0})",
    ValueType.BOOLEAN: "CASE WHEN {0} IS NULL THEN NULL WHEN {0} THEN 'true' ELSE 'false' END",
    ValueType.DATETIME: (
        "replace(substr({0}, 1, 19), ' ', 'T') || '.'"
        " || substr(substr({0}, 21) || '000000', 1, 6) || 'Z'"
    ),
    ValueType.LOCAL_DATETIME: (
        "replace(substr({0}, 1, 19), ' ', 'T') || '.' || substr(substr({0}, 21) || '000000', 1, 6)"
    ),
    ValueType.TIME: "substr({0}, 1, 8) || '.' || substr(substr({0}, 10) || '000000', 1, 6)",
    ValueType.UUID: (
        "substr({0}, 1, 8) || '-' || substr({0}, 9, 4) || '-' || substr({0}, 13, 4)"
        " || '-' || substr({0}, 17, 4) || '-' || substr({0}, 21)"
    ),
    ValueType.BINARY: "CASE WHEN {0} IS NOT NULL THEN lower(hex({0})) END",
}
