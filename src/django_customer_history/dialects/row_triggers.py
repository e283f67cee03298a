"""What databases share whose triggers fire for each row and can only name columns one by one."""

import json
from abc import abstractmethod
from collections.abc import Sequence

from django_customer_history.dialects.base import Dialect
from django_customer_history.tables import Event, TrackedColumn, TrackedTable


class RowDialect(Dialect):
    """A database whose triggers can only name columns, one by one."""

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
            change = f"({change}) AND {self.has_counterpart(table.part_of)}"
        return change

    def _changeable(self, table: TrackedTable) -> list[TrackedColumn]:
        # The columns of a parent's table change there, and are logged there.
        return [column for column in (*table.key, *table.columns) if column.via is None]

    @abstractmethod
    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        """Return the SQL of a JSON object from pairs of a condition and a member's text."""

    @abstractmethod
    def members_by_key(self, field: str, old: str, new: str) -> str:
        """Return the SQL of a member `"field.key":[old, new]` for each key that differs.

        `old` and `new` are the SQL of JSON columns or of NULL; values are JSON. Where one of
        them holds no object, it is one member for the field as a whole.
        """

    def _differs_in(self, column: TrackedColumn) -> str:
        cells = (self.value(row, column) for row in ("OLD", "NEW"))
        return self.differs(*cells, form=column.form)

    def piece(self, column: TrackedColumn, event: Event) -> tuple[str, str]:
        """Return the SQL that tells whether a column has changed, and of its member."""
        cells = {row: self.value(row, column) for row in ("OLD", "NEW")}
        texts = {row: self.text(cell, column) for row, cell in cells.items()}
        conditions = {
            "insert": f"{cells['NEW']} IS NOT NULL",
            "update": self._differs_in(column),
            "delete": f"{cells['OLD']} IS NOT NULL",
        }
        if column.by_key:
            old = "NULL" if event == "insert" else cells["OLD"]
            new = "NULL" if event == "delete" else cells["NEW"]
            return conditions[event], self.members_by_key(column.field, old, new)
        old = "NULL" if column.secret or event == "insert" else texts["OLD"]
        new = "NULL" if column.secret or event == "delete" else texts["NEW"]
        member = self.literal(json.dumps(column.field) + ":")
        return conditions[event], self.concatenate([member, self.pair(old, new)])
