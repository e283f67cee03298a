"""PostgreSQL: entries from the row as JSON.

They survive every change of the table, as each member of the JSON is a column as it is now.
"""

from collections.abc import Iterable, Mapping, Sequence

from django_customer_history.backends.entries import WrittenEntry
from django_customer_history.backends.postgresql import templates
from django_customer_history.backends.postgresql.column_types import (
    ROW_WITH_GEOMETRIES,
    is_geometry,
)
from django_customer_history.backends.postgresql.expressions import (
    PostgreSQLExpressions,
    has_special_text,
)
from django_customer_history.backends.tables import (
    Event,
    InheritedPart,
    Join,
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
        table: TrackedTable,
        event: Event,
        condition: str | None,
    ) -> str:
        if event == "update":
            statement = self.entry(log, values, condition=None)
            if condition is None:
                return statement
            return fill(templates.IF, condition=condition, statement=statement)
        rows = self._stamped_rows(table, event)
        return self.entry(log, values, rows=rows, condition=condition)

    def insert_several(
        self,
        log: str,
        several: Sequence[WrittenEntry],
        *,
        key: str,
        table: TrackedTable,
        event: Event,
    ) -> str:
        rows = self._stamped_rows(table, event)
        return self.entries_of_rows(log, several, rows=rows, key=key, row="stamped")

    def _stamped_rows(self, table: TrackedTable, event: Event) -> str:
        return self.rows(event, self.written_rows(table.name, event), table.columns)

    def rows(self, event: Event, rows: str, columns: Iterable[TrackedColumn]) -> str:
        """Return the FROM of rows as JSON, with the clock of each."""
        return fill(
            templates.ROWS_AS_JSON,
            json=self.row_as_json("customer_history_rows", columns),
            row=_ROWS[event],
            rows=rows,
            microsecond=_MICROSECOND,
        )

    def row_as_json(
        self, row: str, columns: Iterable[TrackedColumn], *, via: tuple[Join, ...] = ()
    ) -> str:
        """Return the SQL of a row as JSON, in which a geometry is its exact text.

        `columns` are those that the trigger knew when it was made; `via` leads to their table.
        """
        to_json = "to_jsonb" if via else self.to_json
        names = [
            one.column.name for one in columns if one.via == via and is_geometry(one.column.type)
        ]
        if not names:
            return f"{to_json}({row})"
        members = [f"{self.literal(name)}, {self.quote(name)}::text" for name in names]
        return fill(
            ROW_WITH_GEOMETRIES,
            json=f"{to_json}({row})",
            row=row,
            members=", ".join(members),
            missing=", ".join(f"NULL::text AS {self.quote(name)}" for name in names),
        )

    def work_by_json(
        self, table: TrackedTable, event: Event, *, log: str, new_row: str | None = None
    ) -> str:
        """Return the statements of a trigger that is not paused; `new_row` is for an UPDATE."""
        entries = statements(self.entries(table, event, log=log))
        checks = statements(self.reason_checks(table, event))
        if event != "update":
            return "\n".join(filter(None, [self.if_any_row(table, event, checks), entries]))
        return fill(
            templates.UPDATE_BY_JSON,
            old_row=self.row_as_json("OLD", table.columns),
            new_row=new_row or self.row_as_json("NEW", table.columns),
            changes=self._take_changes(table),
            reason_checks=checks,
            microsecond=_MICROSECOND,
            entries=entries,
        )

    def _take_changes(self, table: TrackedTable) -> str:
        if (relation := table.relation) is not None:
            # Other columns of a link may change, too.
            columns = (relation.source, relation.target_link)
            sides = ((self.value("OLD", one), self.value("NEW", one)) for one in columns)
            condition = " OR ".join(self.differs(old, new) for old, new in sides)
            return fill(templates.RETURN_UNLESS, condition=condition)
        parts = [fill(templates.CHANGES_BY_JSON, members=self.members(table, "update"))]
        if table.part_of:
            condition = self.exists("OLD", table.part_of)
            parts.append(fill(templates.RETURN_UNLESS, condition=condition))
        return "\n".join(parts)

    def members(self, table: TrackedTable, event: Event) -> str:
        """Return the query that makes one JSON object of the changed members of the row."""
        row = "old_row" if event == "delete" else "new_row"
        rows = [self._members_of(table, (), table.hidden, row, event)]
        if event != "update":
            # Columns of different tables may have the same name, so each row is read by itself.
            rows += [
                self._members_of(
                    table, part.via, part.hidden, self._row_of(table, part, event), event
                )
                for part in table.inherited
            ]
        return fill(templates.MEMBERS, members="\nUNION ALL\n".join(rows))

    def _row_of(self, table: TrackedTable, part: InheritedPart, event: Event) -> str:
        """Return the SQL of the row of a parent as JSON."""
        *before, last = part.via
        link = self.along("OLD" if event == "delete" else "NEW", before, last.link)
        return (
            f"coalesce((SELECT {self.row_as_json('parent', table.columns, via=part.via)}"
            f" FROM {self.table(last.table)} AS parent"
            f" WHERE parent.{self.quote(last.key)} = {link}::{last.key_type}), '{{}}')"
        )

    def _members_of(
        self,
        table: TrackedTable,
        via: tuple[Join, ...],
        hidden: Sequence[str],
        row: str,
        event: Event,
    ) -> str:
        """Return the query for the changed members of one row, which holds a part of the record."""
        columns = [column for column in table.columns if column.via == via]
        value, condition = self._text_by_key(columns, "member.value"), "member.value <> 'null'"
        if event == "update":
            old = "(old_row -> member.key)"
            value = self.pair(self._text_by_key(columns, old), value)
            condition = f"member.value IS DISTINCT FROM {old}"
        return fill(
            templates.MEMBERS_OF_ONE_ROW,
            field=self._field_by_key(columns),
            value=value,
            row=row,
            condition=condition,
            is_logged=self._is_logged(table, columns, hidden, event, is_own=not via),
            members_by_key="\n".join(
                self._members_by_key(column, row, event) for column in columns if column.by_key
            ),
        )

    def _members_by_key(self, column: TrackedColumn, row: str, event: Event) -> str:
        cell = "nullif({} -> " + self.literal(column.column.name) + ", 'null')"
        if event != "update":
            keys = self.keys(column, cell.format(row))
            return fill(templates.MEMBERS_OF_ONE_FIELD, value="value", keys=keys)
        return fill(
            templates.MEMBERS_OF_ONE_FIELD,
            value=self.pair("before", "after"),
            keys=self.changed_keys(column, *(cell.format(one) for one in ("old_row", "new_row"))),
        )

    def _is_logged(
        self,
        table: TrackedTable,
        columns: Sequence[TrackedColumn],
        hidden: Sequence[str],
        event: Event,
        *,
        is_own: bool,
    ) -> str:
        # Columns that are added later are logged at once, unless the registration lists fields.
        # The key identifies the entity, so only an UPDATE of the key is a change.
        by_key = [column.column.name for column in columns if column.by_key]
        has_own_key = event == "update" and is_own
        key = [one.column.name for one in table.key if not one.via] if has_own_key else []
        if table.only_listed:
            listed = {*(column.column.name for column in columns), *key} - set(by_key)
            return f"member.key = ANY ({self.array(sorted(listed))})"
        names = [name for name in hidden if name not in key]
        return f"member.key <> ALL ({self.array([*names, *by_key])})"

    def _field_by_key(self, columns: Sequence[TrackedColumn]) -> str:
        whens = [
            (self.literal(one.column.name), self.literal(one.field))
            for one in columns
            if one.column.name != one.field
        ]
        return case(whens, subject="member.key", otherwise="member.key") if whens else "member.key"

    def _text_by_key(self, columns: Sequence[TrackedColumn], value: str) -> str:
        """Return the SQL of the canonical text of the member, a JSON value, by its column."""
        text = f"{value} #>> '{{}}'"
        whens = [
            (
                self.literal(one.column.name),
                "NULL" if one.secret else self._text_of_json(value, one),
            )
            for one in columns
            if one.secret or one.value_type is ValueType.JSON or has_special_text(one.value_type)
        ]
        return case(whens, subject="member.key", otherwise=text) if whens else text

    def _text_of_json(self, value: str, column: TrackedColumn) -> str:
        if column.value_type is ValueType.JSON:
            # The text of a JSON string has its quotes. A row as JSON has the same null for JSON's
            # null and for no value: here both are no value.
            return f"nullif({value}, 'null')::text"
        return self.text(f"({value} #>> '{{}}')", column)
