"""PostgreSQL: entries of triggers that name the columns of their table."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django_customer_history.backends.entries import (
    LOG_COLUMNS,
    ExistingRowEntries,
    WrittenEntry,
)
from django_customer_history.backends.expressions import (
    Member,
    in_calls,
    object_by_pattern,
)
from django_customer_history.backends.postgresql import templates
from django_customer_history.backends.postgresql.column_types import (
    OTHER,
    ColumnType,
    listed_type,
)
from django_customer_history.backends.postgresql.expressions import (
    PRIMARY,
    TRANSITION_TABLE,
    PostgreSQLExpressions,
)
from django_customer_history.backends.postgresql.introspection import Schemas
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.backends.templates import call, case, fill, lines, statements
from django_customer_history.values.types import ValueType

_ROWS: Mapping[Event, str] = {"insert": "NEW", "delete": "OLD"}
_LOG_TYPES: Mapping[str, str] = {
    "id": "uuid",
    "timestamp": "timestamptz",
    "changes": "json",
    "ip_address": "inet",
    "request_id": "uuid",
    "context": "jsonb",
    "primary_id": "uuid",
}
"""The types of the log's columns that are not text."""
_MICROSECOND = fill(templates.MICROSECOND, moment="clock_timestamp()")


def can_name_columns(table: TrackedTable, event: Event) -> bool:
    """Return whether a trigger can name columns; what several tables hold is read as JSON."""
    if table.rows_in != "table" or not table.layout or not table.key or event == "truncate":
        return False
    if table.inherited or table.part_of:
        return False
    return table.relation is None or event != "update"


class NamedColumnEntries(PostgreSQLExpressions, ExistingRowEntries):
    """The statements of one trigger over the columns of its rows."""

    def __init__(self, table: TrackedTable, event: Event, *, schemas: Schemas) -> None:
        super().__init__(schemas)
        self._is_row_trigger = event == "update"
        self._alias = "old_row" if event == "delete" else "new_row"
        self._columns = {
            self.cell(row, column.name): column for row in ("OLD", "NEW") for column in table.layout
        }

    def work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        """Return the statements of the trigger."""
        entries = statements(self.entries(table, event, log=log))
        checks = statements(self.reason_checks(table, event))
        if not self._is_row_trigger:
            return "\n".join(filter(None, [self.if_any_row(table, event, checks), entries]))
        return fill(
            templates.UPDATE_BY_COLUMN,
            differences=self._differences(table),
            changed_keys=self._add_keys(table),
            reason_checks=checks,
            microsecond=_MICROSECOND,
            entries=entries,
        )

    def cell(self, row: str, column: str) -> str:
        source = row if self._is_row_trigger else f"{row.lower()}_row"
        return f"{source}.{self.quote(column)}"

    def context(self, name: str) -> str:
        return self.context_part(name, "context" if self._is_row_trigger else self._own("context"))

    def clock(self, number: int) -> Mapping[str, str]:
        microsecond = "microsecond" if self._is_row_trigger else self._own("microsecond")
        microsecond = f"({microsecond} + {number})" if number else microsecond
        return self.clock_at(microsecond)

    def is_required(self, table: TrackedTable, column: str) -> bool:
        column_type = listed_type(self._columns[self.cell("NEW", column)].type) or OTHER
        return column_type.is_never_empty and table.requires(column)

    def text(self, value: str, column: TrackedColumn) -> str:
        if (stored := self._columns.get(value)) is None:
            return super().text(value, column)  # A lookup returns text.
        if column_type := listed_type(stored.type):
            return column_type.text.format(value, json=self.to_json)
        return super().text(OTHER.text.format(value, json=self.to_json), column)

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        column_type = self._type_of(one)
        cells = (column_type.comparable.format(value) for value in (one, other))
        return column_type.differs.format(*cells)

    def changes(self, table: TrackedTable, event: Event) -> str:
        if table.relation is not None:
            return self.link_change(table, event)
        if self._is_row_trigger:
            return "('{' || right(changes, -1) || '}')::json"
        members = list(self._members(table, event))
        members_text = object_by_pattern(
            members, function="format", rest="right({0}, -1)", literal=self.literal
        )
        return f"({members_text})::json"

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: TrackedTable,
        event: Event,
        condition: str | None,
    ) -> str:
        if not self._is_row_trigger:
            return self.entry(log, values, rows=self._rows(), condition=condition)
        statement = self._by_variables(log, values)
        if condition is None:
            return statement
        return fill(templates.IF, condition=condition, statement=statement)

    def insert_several(
        self,
        log: str,
        several: Sequence[WrittenEntry],
        *,
        key: str,
        table: TrackedTable,
        event: Event,
    ) -> str:
        return self.entries_of_rows(log, several, rows=self._rows(), key=key, row=self._alias)

    def existing_rows_source(
        self, table: str, condition: str, columns: Iterable[TrackedColumn]
    ) -> str:
        rows = f"(SELECT * FROM {self.quote(table)} WHERE {condition})"
        return self._rows(f"{rows} AS {TRANSITION_TABLE}")

    def _rows(self, rows: str = TRANSITION_TABLE) -> str:
        return fill(
            templates.ROWS_BY_COLUMN,
            context=templates.CONTEXT,
            microsecond=_MICROSECOND,
            rows=rows,
            row=self._alias,
        )

    def _own(self, name: str) -> str:
        return f"{self._alias}.{PREFIX}{name}"

    def _type_of(self, value: str) -> ColumnType:
        stored = self._columns.get(value, Column(name="", type="text"))
        return listed_type(stored.type) or OTHER

    def _by_variables(self, log: str, values: Mapping[str, str]) -> str:
        """Return the statement with values that are computed before it."""
        variables, names = [], []
        for column in LOG_COLUMNS:
            value = values[column]
            # An expression with a query in it is cheaper as a part of the statement.
            if value == PRIMARY or _is_constant(value) or "SELECT" in value:
                names.append(value)
            else:
                names.append(f"entry_{column}")
                variables.append(f"entry_{column} {_LOG_TYPES.get(column, 'text')} := {value}")
        return fill(
            templates.ENTRY_BY_VARIABLES,
            variables=statements(variables),
            log=self.table(log),
            columns=self.log_columns(),
            values=lines(names),
        )

    def _differences(self, table: TrackedTable) -> str:
        """Return the SQL of the members that an UPDATE has changed, each after a comma."""
        pieces = []
        for column in (*table.key, *table.columns):
            if column.by_key:
                continue
            old, new = (self.cell(row, column.column.name) for row in ("OLD", "NEW"))
            texts = ["NULL" if column.secret else self.text(cell, column) for cell in (old, new)]
            member = f"{self.literal(_name(column))} || {call('json_build_array', texts)}::text"
            pieces.append(case([(self.differs(old, new), member)]))
        calls = [call("concat", arguments) for arguments in in_calls(pieces)]
        return " || ".join(calls) or "''"

    def _members(self, table: TrackedTable, event: Event) -> Iterator[Member]:
        """Yield the members of a creation or a deletion: every value of the row."""
        for column in table.columns:
            if column.by_key:
                keys = self.keys(column, f"to_jsonb({self.cell(_ROWS[event], column.column.name)})")
                yield "", fill(templates.KEYS_AS_TEXT, keys=keys, value="to_json(value)"), ""
                continue
            cell = self.cell(_ROWS[event], column.column.name)
            before, value, after = self._member(column, cell)
            if self.is_required(table, column.column.name):
                yield before, value, after
                continue
            member = call("concat", [self.literal(before), value, self.literal(after)])
            yield "", case([(f"{cell} IS NOT NULL", member)]), ""

    def _member(self, column: TrackedColumn, cell: str) -> Member:
        before = _name(column)
        if column.secret:
            return before, "'null'", ""
        column_type = self._type_of(cell)
        if not column_type.json:
            return before, f"to_json({self.text(cell, column)})", ""
        quote = "" if column_type.json_has_quotes else '"'
        return before + quote, column_type.json.format(cell, json=self.to_json), quote

    def _add_keys(self, table: TrackedTable) -> str:
        """Return the statements that add the changed keys of JSON columns.

        They are separate statements, as PL/pgSQL takes several times as long for an expression
        with a query in it as for one without.
        """
        added = []
        for column in table.columns:
            if column.by_key:
                old, new = (self.cell(row, column.column.name) for row in ("OLD", "NEW"))
                keys = fill(
                    templates.KEYS_AS_TEXT,
                    keys=self.changed_keys(column, f"to_jsonb({old})", f"to_jsonb({new})"),
                    value="json_build_array(before, after)",
                )
                statement = f"changes := concat(changes, {keys})"
                condition = self.differs(old, new)
                added.append(fill(templates.IF, condition=condition, statement=statement))
        return statements(added)


def _name(column: TrackedColumn) -> str:
    """Return the start of a member that is not the first of its object."""
    return "," + json.dumps(column.field, ensure_ascii=False) + ":"


def _is_constant(expression: str) -> bool:
    return expression == "NULL" or (expression.startswith("'") and expression.endswith("'"))
