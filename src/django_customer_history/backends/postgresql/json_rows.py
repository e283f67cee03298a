"""PostgreSQL: entries from the row as JSON.

They survive every change of the table, as each member of the JSON is a column as it is now.
"""

from collections.abc import Mapping

from django_customer_history.backends.postgresql import templates
from django_customer_history.backends.postgresql.expressions import (
    TRANSITION_TABLE,
    PostgreSQLExpressions,
    has_special_text,
)
from django_customer_history.backends.tables import (
    Event,
    InheritanceJoin,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.backends.templates import case, fill, statements
from django_customer_history.values.types import ValueType

_MICROSECOND = fill(templates.MICROSECOND, moment="moment")
_ROWS: Mapping[Event, str] = {"insert": "new_row", "delete": "old_row", "truncate": "old_row"}


class JSONRowEntries(PostgreSQLExpressions):
    """A cell is always the text of a member of the row's JSON."""

    def context(self, name: str) -> str:
        return self.context_part(name, "context")

    def clock(self, number: int) -> Mapping[str, str]:
        if number == 0:
            return {"id": fill(templates.KEY, microsecond="microsecond"), "timestamp": "moment"}
        return {
            "id": fill(templates.KEY, microsecond=f"(microsecond + {number})"),
            "timestamp": f"moment + interval '{number} microseconds'",
        }

    def cell(self, row: str, column: str) -> str:
        return f"({row.lower()}_row ->> {self.literal(column)})"

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        return f"{one} IS DISTINCT FROM {other}"

    def changes(self, table: TrackedTable, event: Event) -> str:
        if table.relation is not None:
            return self.link_change(table, event)
        if event == "update":
            return "changes"
        return fill(templates.ALL_MEMBERS, members=self.members(table, event))

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: str,
        event: Event,
        condition: str | None,
    ) -> str:
        if event == "update":
            statement = self.entry(log, values, condition=None)
            if condition is None:
                return statement
            return fill(templates.IF, condition=condition, statement=statement)
        rows = self.table(table) if event == "truncate" else TRANSITION_TABLE
        return self.entry(log, values, rows=self.rows(event, rows), condition=condition)

    def rows(self, event: Event, rows: str) -> str:
        """Return the FROM of rows as JSON, with the clock of each."""
        return fill(templates.ROWS_AS_JSON, row=_ROWS[event], rows=rows, microsecond=_MICROSECOND)

    def work_by_json(self, table: TrackedTable, event: Event, *, log: str) -> str:
        """Return the statements of a trigger that is not paused."""
        entries = statements(self.entries(table, event, log=log))
        checks = statements(self.reason_checks(table, event))
        if event != "update":
            return "\n".join(filter(None, [self.if_any_row(table, event, checks), entries]))
        return fill(
            templates.UPDATE_BY_JSON,
            changes="" if table.relation is not None else self._take_changes(table),
            reason_checks=checks,
            microsecond=_MICROSECOND,
            entries=entries,
        )

    def _take_changes(self, table: TrackedTable) -> str:
        parts = [fill(templates.CHANGES_BY_JSON, members=self.members(table, "update"))]
        if table.part_of is not None:
            condition = self.has_inherited_row(table.part_of)
            parts.append(fill(templates.RETURN_UNLESS, condition=condition))
        return "\n".join(parts)

    def members(self, table: TrackedTable, event: Event) -> str:
        """Return the query that makes one JSON object of the changed members of the row."""
        new, old = "member.value", "(old_row -> member.key)"
        pair, condition, row = {
            "insert": (("NULL", new), f"{new} <> 'null'", "new_row"),
            "update": ((old, new), f"{new} IS DISTINCT FROM {old}", "new_row"),
            "delete": ((new, "NULL"), f"{new} <> 'null'", "old_row"),
        }[event]
        if event != "update":
            row += "".join(self._and_parent(parent, row) for parent in table.inherited)
        texts = [part if part == "NULL" else self._text_by_key(table, part) for part in pair]
        return fill(
            templates.MEMBERS,
            field=self._field_by_key(table),
            pair=self.pair(*texts),
            row=row,
            condition=condition,
            is_logged=self._is_logged(table, event),
            members_by_key="\n".join(
                self._members_by_key(column, event) for column in table.columns if column.by_key
            ),
        )

    def _members_by_key(self, column: TrackedColumn, event: Event) -> str:
        name = self.literal(column.column.name)
        before = "NULL::jsonb" if event == "insert" else f"(old_row -> {name})"
        after = "NULL::jsonb" if event == "delete" else f"(new_row -> {name})"
        return fill(
            templates.MEMBERS_OF_ONE_FIELD,
            pair=self.pair("before", "after"),
            keys=self.keys(column, before, after),
        )

    def _and_parent(self, parent: InheritanceJoin, row: str) -> str:
        link = f"({row} ->> {self.literal(parent.link)})::{parent.key_type}"
        return (
            f" || coalesce((SELECT to_jsonb(parent) FROM {self.table(parent.table)} AS parent"
            f" WHERE parent.{self.quote(parent.key)} = {link}), '{{}}')"
        )

    def _is_logged(self, table: TrackedTable, event: Event) -> str:
        # Columns that are added later are logged at once, unless the registration lists fields.
        # The key identifies the entity, so only an UPDATE of the key is a change.
        by_key = [column.column.name for column in table.columns if column.by_key]
        key = [column.column.name for column in table.key] if event == "update" else []
        if table.only_listed:
            listed = {*(column.column.name for column in table.columns), *key} - set(by_key)
            return f"member.key = ANY ({self.array(sorted(listed))})"
        hidden = [name for name in table.hidden if name not in key]
        return f"member.key <> ALL ({self.array([*hidden, *by_key])})"

    def _field_by_key(self, table: TrackedTable) -> str:
        whens = [
            (self.literal(one.column.name), self.literal(one.field))
            for one in table.columns
            if one.column.name != one.field
        ]
        return case(whens, subject="member.key", otherwise="member.key") if whens else "member.key"

    def _text_by_key(self, table: TrackedTable, value: str) -> str:
        """Return the SQL of the canonical text of the member, a JSON value, by its column."""
        text = f"{value} #>> '{{}}'"
        whens = [
            (
                self.literal(one.column.name),
                "NULL" if one.secret else self._text_of_json(value, one),
            )
            for one in table.columns
            if one.secret or one.value_type is ValueType.JSON or has_special_text(one.value_type)
        ]
        return case(whens, subject="member.key", otherwise=text) if whens else text

    def _text_of_json(self, value: str, column: TrackedColumn) -> str:
        if column.value_type is ValueType.JSON:
            # The text of a JSON string has its quotes; the text of JSON's null is NULL.
            return f"nullif({value}, 'null')::text"
        return self.text(f"({value} #>> '{{}}')", column)
