"""PostgreSQL: functions that name the columns, and take the row as JSON when the columns changed.

To name columns is several times as fast as to go through the row as JSON, but a function that
does so fails once a column is gone, and is silent about a new one. So each function first
compares the layout of the table with the one that it was made for. The planner does that for it
once a session and after each change of the table, as the comparison is a constant to it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django_customer_history.dialects.entries import LOG_COLUMNS
from django_customer_history.dialects.expressions import in_calls
from django_customer_history.dialects.postgresql import (
    CONTEXT,
    KEY,
    MICROSECOND,
    TRANSITION_TABLE,
    PostgreSQLDialect,
    in_case,
)
from django_customer_history.tables import (
    PREFIX,
    Column,
    Event,
    Form,
    TrackedColumn,
    TrackedTable,
    Trigger,
)

LAYOUT = f"{PREFIX}layout"

# IMMUTABLE is what makes the planner call it, and no one else. It reads the catalogue, so it is
# not true for ever: only as long as a plan is, and each plan with a regclass constant in it comes
# to its end with each change of that table.
_LAYOUT_SOURCE = (
    "\n  SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ',' ORDER BY attnum)"
    "\n  FROM pg_catalog.pg_attribute"
    "\n  WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped\n"
)


class PostgreSQLByColumn(PostgreSQLDialect):
    """Triggers that name the columns while the table has those that it had."""

    def foundations(self) -> Sequence[Trigger]:
        create = (
            f"CREATE OR REPLACE FUNCTION {LAYOUT}(regclass) RETURNS text LANGUAGE sql IMMUTABLE"
            f" AS $customer_history${_LAYOUT_SOURCE}$customer_history$"
        )
        return [Trigger(table="", name=LAYOUT, body=_LAYOUT_SOURCE, statements=(create,))]

    def work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        """Return the statements of a trigger: by column, and as the row is JSON otherwise."""
        by_json = super().work(table, event, log=log)
        if not _can_name_columns(table, event):
            return by_json
        quoted = self.quote(table.name)
        name, layout = (
            self.literal(quoted),
            ",".join(f"{column.name} {column.type}" for column in table.layout),
        )
        # A name that leads to no table any more may not stand in an expression as a constant.
        return (
            f"  IF to_regclass({name}) = TG_RELID THEN\n"
            f"  IF {LAYOUT}({name}::regclass) = {self.literal(layout)} THEN\n"
            f"{NamedColumns(table, event).work(table, event, log=log)}"
            f"  RETURN NULL;\n  END IF;\n  END IF;\n{by_json}"
        )


def _can_name_columns(table: TrackedTable, event: Event) -> bool:
    # What stands in several tables is left to the row as JSON.
    if not table.layout or table.inherited or table.part_of is not None or event == "truncate":
        return False
    return table.relation is None or event != "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Native:
    """How a type of the database becomes canonical text."""

    text: str
    is_plain: bool = True
    """Whether the text needs no escapes in JSON."""
    comparable: str = "{0}"
    present: str = "{0} IS NOT NULL"


class NamedColumns(PostgreSQLDialect):
    """The statements of one trigger over the columns of its rows."""

    def __init__(self, table: TrackedTable, event: Event) -> None:
        self._of_row = event == "update"
        self._alias = "old_row" if event == "delete" else "new_row"
        self._types = {
            self.cell(row, column.name): column for row in ("OLD", "NEW") for column in table.layout
        }

    def work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        statements = "".join(f"{one};\n" for one in self.entries(table, event, log=log))
        refusals = "".join(f"{refusal};\n" for refusal in self.refusals(table, event))
        if not self._of_row:
            return f"{self.if_any_row(table, event, refusals)}{statements}"
        return (
            f"  DECLARE\n    changes text := {self.members(table, event)};\n"
            f"    microsecond bigint;\n  BEGIN\n{self._add_keys(table)}"
            f"  IF changes <> '' THEN\n{refusals}"
            f"  microsecond := {MICROSECOND.format('clock_timestamp()')};\n{statements}"
            f"  END IF;\n  END;\n"
        )

    def cell(self, row: str, column: str) -> str:
        source = row if self._of_row else f"{row.lower()}_row"
        return f"{source}.{self.quote(column)}"

    def context(self, name: str) -> str:
        return self.part_of_context(name, "context" if self._of_row else self._own("context"))

    def clock(self, number: int) -> Mapping[str, str]:
        microsecond = "microsecond" if self._of_row else self._own("microsecond")
        microsecond = f"({microsecond} + {number})" if number else microsecond
        return {
            "id": KEY.format(microsecond),
            "timestamp": f"timestamptz 'epoch' + interval '1 microsecond' * {microsecond}",
        }

    def text(self, value: str, column: TrackedColumn) -> str:
        if (stored := self._types.get(value)) is None:
            return super().text(value, column)  # What a step has found is text.
        if native := _NATIVES.get(stored.type):
            return native.text.format(value)
        return super().text(f"(to_jsonb({value}) #>> '{{}}')", column)

    def differs(self, one: str, other: str, *, form: Form = Form.TEXT) -> str:
        native = self._native(one)
        cells = (native.comparable.format(value) for value in (one, other))
        return " IS DISTINCT FROM ".join(cells)

    def changes(self, table: TrackedTable, event: Event) -> str:
        if table.relation is not None:
            return super().changes(table, event)
        members = "changes" if self._of_row else self.members(table, event)
        return f"('{{' || substr({members}, 2) || '}}')::json"

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: str,
        event: Event,
        condition: str | None,
    ) -> str:
        columns = ", ".join(self.quote(column) for column in LOG_COLUMNS)
        expressions = ",\n    ".join(values[column] for column in LOG_COLUMNS)
        into = f"  INSERT INTO {self.quote(log)} ({columns})\n  "
        if self._of_row:
            statement = f"{into}VALUES ({expressions})"
            return in_case(condition, statement) if condition else statement
        where = f"\n  WHERE {condition}" if condition else ""
        # Without a variable of the function the statement is planned once, not for each number
        # of rows anew. OFFSET 0 keeps the clock to once a row.
        return (
            f"{into}SELECT {expressions}\n  FROM (SELECT (SELECT {CONTEXT}) AS {PREFIX}context,"
            f" {MICROSECOND.format('clock_timestamp()')} AS {PREFIX}microsecond,"
            f" {TRANSITION_TABLE}.* FROM {TRANSITION_TABLE} OFFSET 0) AS {self._alias}{where}"
        )

    def _own(self, name: str) -> str:
        return f"{self._alias}.{PREFIX}{name}"

    def _native(self, value: str) -> _Native:
        stored = self._types.get(value, Column(name="", type="text"))
        return _NATIVES.get(stored.type, _OTHER)

    def members(self, table: TrackedTable, event: Event) -> str:
        """Return the SQL of the members of the JSON object, each after a comma."""
        columns = [*table.key, *table.columns] if self._of_row else table.columns
        pieces = [
            self._keys(column, event) if column.by_key else self._member(column, event)
            for column in columns
            if not (self._of_row and column.by_key)
        ]
        return (
            " || ".join(
                "concat(" + ",".join(f"\n    {piece}" for piece in call) + ")"
                for call in in_calls(pieces)
            )
            or "''"
        )

    def _member(self, column: TrackedColumn, event: Event) -> str:
        old, new = (self.cell(row, column.column.name) for row in ("OLD", "NEW"))
        name = "," + json.dumps(column.field, ensure_ascii=False) + ":"
        if event == "update":
            condition = self.differs(old, new)
            texts = ", ".join("NULL" if column.secret else self.text(c, column) for c in (old, new))
            return (
                f"CASE WHEN {condition} THEN {self.literal(name)}"
                f" || json_build_array({texts})::text END"
            )
        cell, before, after = (old, "[", ",null]") if event == "delete" else (new, "[null,", "]")
        told = self.literal("null") if column.secret else self._json_text(cell, column)
        return (
            f"CASE WHEN {self._native(cell).present.format(cell)} THEN"
            f" {self.literal(name + before)} || {told} || {self.literal(after)} END"
        )

    def _add_keys(self, table: TrackedTable) -> str:
        """Return the statements that add the changed keys of JSON columns.

        An expression with a query in it takes PL/pgSQL several times as long as one without.
        """
        statements = ""
        for column in table.columns:
            if column.by_key:
                old, new = (self.cell(row, column.column.name) for row in ("OLD", "NEW"))
                added = f"  changes := concat(changes, {self._keys(column, 'update')})"
                statements += in_case(self.differs(old, new), added) + ";\n"
        return statements

    def _keys(self, column: TrackedColumn, event: Event) -> str:
        old, new = (
            f"coalesce(to_jsonb({self.cell(row, column.column.name)}), 'null')"
            for row in ("OLD", "NEW")
        )
        before = "NULL::jsonb" if event == "insert" else old
        after = "NULL::jsonb" if event == "delete" else new
        return (
            "(SELECT string_agg("
            "',' || to_json(field) || ':' || json_build_array(before, after), '')"
            f" FROM ({self.members_by_key(column, before, after)}) AS keyed)"
        )

    def _json_text(self, cell: str, column: TrackedColumn) -> str:
        text = self.text(cell, column)
        return (
            f"'\"' || {text} || '\"'" if self._native(cell).is_plain else f"to_json({text})::text"
        )


_PLAIN = _Native(text="{0}::text")
# A column's own collation may take two texts for the same.
_TEXT = _Native(text="{0}::text", is_plain=False, comparable='{0} COLLATE "C"')
# JSON's null and no value are the same in the row as JSON, so they are here.
_JSON = _Native(
    text="nullif(to_jsonb({0}), 'null')::text",
    is_plain=False,
    comparable="coalesce(to_jsonb({0}), 'null')",
    present="nullif(to_jsonb({0}), 'null') IS NOT NULL",
)
_OTHER = _Native(text="", is_plain=False, comparable="to_jsonb({0})")
"""Any other type: as the row as JSON has it."""

_NATIVES: Mapping[str, _Native] = {
    "smallint": _PLAIN,
    "integer": _PLAIN,
    "bigint": _PLAIN,
    "numeric": _PLAIN,
    "boolean": _PLAIN,
    "uuid": _PLAIN,
    "text": _TEXT,
    "character varying": _TEXT,
    "json": _JSON,
    "jsonb": _JSON,
    # to_jsonb() writes a date the same under every DateStyle.
    "date": _Native(text="(to_jsonb({0}) #>> '{{}}')"),
    "timestamp with time zone": _Native(
        text="to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    ),
    "timestamp without time zone": _Native(text="to_char({0}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"),
}
