"""What databases share whose triggers fire for each row and can only name columns one by one."""

import json
from abc import abstractmethod
from collections.abc import Sequence

from django_customer_history.backends.base import Backend
from django_customer_history.backends.expressions import around
from django_customer_history.backends.tables import (
    Event,
    TrackedColumn,
    TrackedTable,
)


class RowTriggerBackend(Backend):
    """A database whose triggers can only name columns, one by one."""

    before_member = ""
    """What stands in the text of each member of an object, so that `object_of` can join them."""

    def changes(self, table: TrackedTable, event: Event) -> str:
        """Return the SQL of a JSON object of the changed fields, built as text."""
        if table.relation is not None:
            target = table.relation.target
            row = "OLD" if event == "delete" else "NEW"
            text = self.text(self.cell(row, target.column.name), target)
            old, new = (text, "NULL") if event == "delete" else ("NULL", text)
            name = self.literal(json.dumps(table.relation.field) + ":")
            return self.concatenate(["'{'", name, self.pair(old, new), "'}'"])
        return self.object_of(self.pieces(table, event))

    def pieces(self, table: TrackedTable, event: Event) -> list[tuple[str, str]]:
        """Return for each column the SQL of a condition and of the member that it adds."""
        columns = self._changeable(table) if event == "update" else table.columns
        return [self.piece(column, event) for column in columns]

    def any_change(self, table: TrackedTable) -> str:
        """Return the SQL that tells whether an UPDATE changed any logged column."""
        if table.relation is not None:
            columns = [table.relation.source, table.relation.target]
        else:
            columns = self._changeable(table)
        change = " OR ".join(self._differs_in(column) for column in columns) or "1 = 0"
        if table.part_of is not None:
            change = f"({change}) AND {self.has_inherited_row(table.part_of)}"
        return change

    def _changeable(self, table: TrackedTable) -> list[TrackedColumn]:
        # The columns of a parent's table change there, and are logged there.
        return [column for column in (*table.key, *table.columns) if column.via is None]

    @abstractmethod
    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        """Return the SQL of a JSON object from pairs of a condition and a member's text.

        A member that is NULL is left out.
        """

    @abstractmethod
    def members_by_key(self, field: str, old: str, new: str) -> str:
        """Return the SQL of a member `"field.key":[old, new]` for each key that differs.

        `old` and `new` are the SQL of JSON columns or of NULL; values are JSON. Where one of
        them holds no object, it is one member for the field as a whole. No member: NULL.
        """

    def _differs_in(self, column: TrackedColumn) -> str:
        cells = (self.value(row, column) for row in ("OLD", "NEW"))
        return self.differs(*cells, value_type=column.value_type)

    @abstractmethod
    def of_one_side(self, head: str, text: str, tail: str, column: TrackedColumn) -> str:
        """Return the SQL of a member of which only the text is not known beforehand.

        Most members of a creation and a deletion are such, and it is less than a pair to build.
        """

    def piece(self, column: TrackedColumn, event: Event) -> tuple[str, str]:
        """Return the SQL that tells whether a column has changed, and of its member."""
        old, new = (self.value(row, column) for row in ("OLD", "NEW"))
        condition = {
            "insert": f"{new} IS NOT NULL",
            "update": self._differs_in(column),
            "delete": f"{old} IS NOT NULL",
        }[event]
        name = self.before_member + json.dumps(column.field)
        if column.by_key:
            sides = ("NULL" if event == "insert" else old, "NULL" if event == "delete" else new)
            return condition, self.members_by_key(column.field, *sides)
        if column.secret:
            return condition, self.literal(f"{name}:[null,null]")
        old, new = (self.text(cell, column) for cell in (old, new))
        if event == "update":
            return condition, self.concatenate([self.literal(f"{name}:"), self.pair(old, new)])
        before, after = around(event)
        text = old if event == "delete" else new
        return condition, self.of_one_side(f"{name}:{before}", text, after, column)
