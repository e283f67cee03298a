"""What databases share whose triggers run for each row and name the columns one by one."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence

from django_customer_history.backends.base import Backend
from django_customer_history.backends.tables import (
    Event,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.values.types import ValueType


class RowTriggerBackend(Backend):
    """A database whose triggers run for each row and must name each column."""

    before_member = ""
    """The text before each member of an object, if `object_of` only joins the members."""

    def changes(self, table: TrackedTable, event: Event) -> str:
        """Return the SQL of a JSON object of the changed fields, built as text."""
        if table.relation is not None:
            text = self.linked_key(table, "OLD" if event == "delete" else "NEW")
            name = self.literal(json.dumps(table.relation.field) + ":")
            return self.concatenate(["'{'", name, self.json_string(text), "'}'"])
        return self.object_of(self.pieces(table, event))

    def pieces(self, table: TrackedTable, event: Event) -> list[tuple[str, str]]:
        """Return, for each column, the SQL of a condition and of the member that it then adds."""
        columns = self._changeable(table) if event == "update" else table.columns
        return [self.piece(column, event) for column in columns]

    def any_change(self, table: TrackedTable) -> str:
        """Return the SQL of whether an UPDATE changed any logged column."""
        if table.relation is not None:
            columns = [table.relation.source, table.relation.target_link]
        else:
            columns = self._changeable(table)
        change = "\n  OR ".join(self._differs_in(column) for column in columns) or "1 = 0"
        if table.part_of and table.relation is None:
            change = f"({change})\n  AND {self.exists('OLD', table.part_of)}"
        return change

    def _changeable(self, table: TrackedTable) -> list[TrackedColumn]:
        # Columns of a parent's table change in that table, and its own trigger logs them.
        return [column for column in (*table.key, *table.columns) if not column.via]

    def row_differs(self, columns: Mapping[str, ValueType]) -> str:
        """Return the SQL of whether an UPDATE changes any of these columns."""
        return "\n  OR ".join(
            self.differs(
                *(self.cell(row, column) for row in ("OLD", "NEW")),
                value_type=value_type,
            )
            for column, value_type in columns.items()
        )

    @abstractmethod
    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        """Return the SQL of a JSON object from pairs of a condition and a member's text.

        The object does not contain members that are NULL.
        """

    @abstractmethod
    def members_by_key(self, field: str, old: str, new: str) -> str:
        """Return the SQL of a member `"field.key":[old, new]` for each key that differs.

        `old` and `new` are the SQL of JSON columns; values are JSON. If one of them is not an
        object, the result is one member for the whole field. NULL: nothing differs.
        """

    @abstractmethod
    def members_of_keys(self, field: str, value: str) -> str:
        """Return the SQL of a member `"field.key":value` for each key of the one JSON column."""

    def _differs_in(self, column: TrackedColumn) -> str:
        cells = (self.value(row, column) for row in ("OLD", "NEW"))
        return self.differs(*cells, value_type=column.value_type)

    @abstractmethod
    def of_one_side(self, head: str, text: str, column: TrackedColumn) -> str:
        """Return the SQL of a member of a creation or a deletion: `head`, the value as JSON."""

    def piece(self, column: TrackedColumn, event: Event) -> tuple[str, str]:
        """Return the SQL of whether a column has changed, and of its member."""
        old, new = (self.value(row, column) for row in ("OLD", "NEW"))
        condition = {
            "insert": f"{new} IS NOT NULL",
            "update": self._differs_in(column),
            "delete": f"{old} IS NOT NULL",
        }[event]
        name = self.before_member + json.dumps(column.field)
        if event == "update":
            return condition, self._changed_member(name, column, old, new)
        value = old if event == "delete" else new
        if column.by_key:
            return condition, self.members_of_keys(column.field, value)
        if column.secret:
            return condition, self.literal(f"{name}:null")
        return condition, self.of_one_side(f"{name}:", self.text(value, column), column)

    def _changed_member(self, name: str, column: TrackedColumn, old: str, new: str) -> str:
        if column.by_key:
            return self.members_by_key(column.field, old, new)
        if column.secret:
            return self.literal(f"{name}:[null,null]")
        texts = (self.text(cell, column) for cell in (old, new))
        return self.concatenate([self.literal(f"{name}:"), self.pair(*texts)])
