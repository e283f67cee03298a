"""PostgreSQL: functions that name the columns, and take the row as JSON when the columns changed.

To name columns is several times as fast as to go through the row as JSON, but a function that
does so fails once a column is gone, and is silent about a new one. So each function first
compares the layout of the table with the one that it was made for. The planner does that for it
once a session and after each change of the table, as the comparison is a constant to it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.expressions import (
    Member,
    around,
    in_calls,
    object_by_pattern,
)
from django_customer_history.backends.postgresql.backend import (
    CONTEXT,
    HEADS,
    KEY,
    MICROSECOND,
    REQUIRED,
    TRANSITION_TABLE,
    PostgreSQLBackend,
    in_case,
)
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    TrackedColumn,
    TrackedTable,
    Trigger,
)
from django_customer_history.values.types import ValueType

_ROWS: Mapping[Event, str] = {"insert": "NEW", "delete": "OLD"}
_LOG_TYPES = {
    "id": "uuid",
    "timestamp": "timestamptz",
    "changes": "json",
    "ip_address": "inet",
    "request_id": "uuid",
    "context": "jsonb",
}
"""Types in the log that are not text."""

LAYOUT = f"{PREFIX}layout"
_NOT_NULL = " NOT NULL"

# IMMUTABLE is what makes the planner call it, and no one else. It reads the catalogue, so it is
# not true for ever: only as long as a plan is, and each plan with a regclass constant in it comes
# to its end with each change of that table.
_LAYOUT_SOURCE = (
    "\n  SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, NULL)"
    f"\n    || CASE WHEN {REQUIRED} THEN '{_NOT_NULL}' ELSE '' END, ',' ORDER BY a.attnum)"
    "\n  FROM pg_catalog.pg_attribute a"
    "\n  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped\n"
)


class PostgreSQLColumnBackend(PostgreSQLBackend):
    """Triggers that name the columns while the table has those that it had."""

    def foundations(self) -> Sequence[Trigger]:
        create = (
            f"CREATE OR REPLACE FUNCTION {LAYOUT}(regclass) RETURNS text LANGUAGE sql IMMUTABLE"
            f" AS $customer_history${_LAYOUT_SOURCE}$customer_history$"
        )
        return [Trigger(table="", name=LAYOUT, body=_LAYOUT_SOURCE, statements=(create,))]

    def head(self, table: TrackedTable, event: Event) -> str:
        # To compare the rows beforehand takes each change as long as it saves a write that changes
        # nothing, which is rarer.
        named = _can_name_columns(table, event)
        return HEADS[event] if named else super().head(table, event)

    def work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        """Return the statements of a trigger: by column, and as the row is JSON otherwise."""
        by_json = super().work(table, event, log=log)
        if not _can_name_columns(table, event):
            return by_json
        quoted = self.quote(table.name)
        name = self.literal(quoted)
        layout = ",".join(
            f"{column.name} {column.type}{_NOT_NULL if column.required else ''}"
            for column in table.layout
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
    written: str = ""
    """What a function for texts takes, to stand in JSON; empty: JSON of its text."""
    has_quotes: bool = False
    """Whether what is written brings the quotes with it."""
    comparable: str = "{0}"
    value: str = "{0}"
    """What is NULL where there is nothing."""


class NamedColumns(PostgreSQLBackend):
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
            f"  DECLARE\n    changes text := {self._differences(table)};\n"
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

    def is_required(self, table: TrackedTable, column: str) -> bool:
        # JSON's null is a value to the database, and so may others be that have no text.
        native = _NATIVES.get(self._types[self.cell("NEW", column)].type, _JSON)
        return native.value == "{0}" and table.requires(column)

    def text(self, value: str, column: TrackedColumn) -> str:
        if (stored := self._types.get(value)) is None:
            return super().text(value, column)  # What a step has found is text.
        if native := _NATIVES.get(stored.type):
            return native.text.format(value)
        return super().text(f"(to_jsonb({value}) #>> '{{}}')", column)

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        native = self._native(one)
        cells = (native.comparable.format(value) for value in (one, other))
        return " IS DISTINCT FROM ".join(cells)

    def changes(self, table: TrackedTable, event: Event) -> str:
        if table.relation is not None:
            return super().changes(table, event)
        if self._of_row:
            return "('{' || right(changes, -1) || '}')::json"
        members = list(self._members(table, event))
        return f"({object_by_pattern(members, function='format', rest='right({0}, -1)')})::json"

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
        into = f"  INSERT INTO {self.quote(log)} ({columns})\n  "
        if self._of_row:
            statement = self._by_variables(into, values)
            return in_case(condition, statement) if condition else statement
        expressions = ",\n    ".join(values[column] for column in LOG_COLUMNS)
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

    def _by_variables(self, into: str, values: Mapping[str, str]) -> str:
        """Return the statement with values that were reckoned before it.

        PL/pgSQL prepares an expression once a transaction, and those of a statement each time.
        """
        variables, names = "", []
        for column in LOG_COLUMNS:
            value = values[column]
            # One with a query in it is dearer outside of the statement than within.
            if _is_constant(value) or "SELECT" in value:
                names.append(value)
            else:
                names.append(f"entry_{column}")
                variables += f"    entry_{column} {_LOG_TYPES.get(column, 'text')} := {value};\n"
        return f"  DECLARE\n{variables}  BEGIN\n{into}VALUES ({', '.join(names)});\n  END"

    def _differences(self, table: TrackedTable) -> str:
        """Return the SQL of the members of what an UPDATE has changed, each after a comma."""
        pieces = []
        for column in (*table.key, *table.columns):
            if column.by_key:
                continue
            old, new = (self.cell(row, column.column.name) for row in ("OLD", "NEW"))
            texts = ", ".join("NULL" if column.secret else self.text(c, column) for c in (old, new))
            pieces.append(
                f"CASE WHEN {self.differs(old, new)} THEN {self.literal(_name(column))}"
                f" || json_build_array({texts})::text END"
            )
        calls = (",".join(f"\n    {piece}" for piece in call) for call in in_calls(pieces))
        return " || ".join(f"concat({call})" for call in calls) or "''"

    def _members(self, table: TrackedTable, event: Event) -> Iterator[Member]:
        """Yield all that a row has that came or went."""
        for column in table.columns:
            if column.by_key:
                yield "", self._keys(column, event), ""
                continue
            cell = self.cell(_ROWS[event], column.column.name)
            before, told, after = self._member(column, cell, event)
            if self.is_required(table, column.column.name):
                yield before, told, after
                continue
            value = self._native(cell).value.format(cell)
            member = f"concat({self.literal(before)}, {told}, {self.literal(after)})"
            yield "", f"CASE WHEN {value} IS NOT NULL THEN {member} END", ""

    def _member(self, column: TrackedColumn, cell: str, event: Event) -> Member:
        before, after = around(event)
        before = _name(column) + before
        if column.secret:
            return before, "'null'", after
        native = self._native(cell)
        if not native.written:
            return before, f"to_json({self.text(cell, column)})", after
        quote = "" if native.has_quotes else '"'
        return before + quote, native.written.format(cell), quote + after

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


def _name(column: TrackedColumn) -> str:
    """Return how a member begins that is not the first of its object."""
    return "," + json.dumps(column.field, ensure_ascii=False) + ":"


def _is_constant(expression: str) -> bool:
    return expression == "NULL" or (expression.startswith("'") and expression.endswith("'"))


_PLAIN = _Native(text="{0}::text", written="{0}")
# A column's own collation may take two texts for the same.
_TEXT = _Native(text="{0}::text", comparable='{0} COLLATE "C"')
# JSON's null and no value are the same in the row as JSON, so they are here.
_JSON = _Native(
    text="nullif(to_jsonb({0}), 'null')::text",
    comparable="coalesce(to_jsonb({0}), 'null')",
    value="nullif(to_jsonb({0}), 'null')",
)
_OTHER = _Native(text="", comparable="to_jsonb({0})")
"""Any other type: as the row as JSON has it."""

# to_char() knows no infinity: it is NULL to it.
_MOMENT = (
    "coalesce(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), {0}::text)"
)
_LOCAL_MOMENT = "coalesce(to_char({0}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), {0}::text)"
_NATIVES: Mapping[str, _Native] = {
    "smallint": _PLAIN,
    "integer": _PLAIN,
    "bigint": _PLAIN,
    "numeric": _PLAIN,
    "boolean": _Native(text="{0}::text", written="{0}::text"),
    "uuid": _PLAIN,
    "text": _TEXT,
    "character varying": _TEXT,
    "json": _JSON,
    "jsonb": _JSON,
    # JSON has a date the same under every DateStyle.
    "date": _Native(text="(to_jsonb({0}) #>> '{{}}')", written="to_json({0})", has_quotes=True),
    "timestamp with time zone": _Native(text=_MOMENT, written=_MOMENT),
    "timestamp without time zone": _Native(text=_LOCAL_MOMENT, written=_LOCAL_MOMENT),
}
