"""The values of a row that is written again: from its deletion in the log, and from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import SuspiciousFileOperation
from django.db import models

from django_customer_history.point_in_time.conflicts import Report
from django_customer_history.point_in_time.json_keys import text_without_keys, with_keys
from django_customer_history.point_in_time.row_comparison import RowComparison
from django_customer_history.point_in_time.stored_rows import (
    Cell,
    Part,
    StoredModel,
    StoredTable,
    Text,
    Texts,
)
from django_customer_history.point_in_time.undo_steps import UndoStep
from django_customer_history.point_in_time.unlogged_values import (
    UnloggedValue,
    Values,
    default_of,
    is_in_log,
    unlogged_values,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """Makes the values of one row, or of one link."""

    step: UndoStep
    stored: StoredModel
    values: Values
    force: bool
    report: Report

    def cells_of(self, part: Part, texts: dict[str, Text]) -> dict[str, Cell] | None:
        """Return the values of a new row in one table; None if the row is there already."""
        table, own = (
            part.table,
            dict(part.key(texts, self.stored.own_key(self.step.entry.entity_id))),
        )
        if part.child is not None:
            rows = table.read(own)
            if rows:
                self._update_parent(part, own, rows[0], texts)
                return None
        cells = {name: table.cell_of_text(name, text) for name, text in own.items()}
        for one in part.model._meta.local_concrete_fields:
            if one.name in cells or one.name not in table.columns:
                continue
            if getattr(one, "generated", False):
                continue
            if one.remote_field is not None and getattr(one.remote_field, "parent_link", False):
                cells[one.name] = table.cell_of_text(one.name, texts.get(one.name))
            elif is_in_log(self.step.registration, one):
                self._add_logged(table, one, texts, cells)
        for unlogged in unlogged_values(
            self.step.registration, part, self.step.entry, given=self.values
        ):
            self._add_unlogged(table, unlogged, cells)
        return cells

    def _add_logged(
        self, table: StoredTable, one: Any, texts: Texts, cells: dict[str, Cell]
    ) -> None:
        prefix = f"{one.name}."
        members = {
            name.removeprefix(prefix): text
            for name, text in texts.items()
            if name.startswith(prefix) and text is not None
        }
        if one.name not in texts and one.name in self.step.registration.json_keys:
            text = with_keys(one, None, members) if members else text_without_keys(one)
            cells[one.name] = table.cell_of_text(one.name, text)
        elif texts.get(one.name) is not None or one.null:
            cells[one.name] = table.cell_of_text(one.name, texts.get(one.name))
            check_file(self.report, one, texts.get(one.name))
        else:
            # The column is younger than the entry.
            self._add_unlogged(table, default_of(one), cells)

    def _add_unlogged(
        self, table: StoredTable, unlogged: UnloggedValue, cells: dict[str, Cell]
    ) -> None:
        if unlogged.field not in table.columns:
            return
        if not unlogged.is_known:
            self.report.conflict("value", unlogged.field)
            return
        if not unlogged.is_derived and unlogged.field not in self._given:
            self.report.skip("unlogged", unlogged.field)
        if unlogged.text is not None:
            cells[unlogged.field] = table.cell_of_text(unlogged.field, unlogged.text)
        elif not unlogged.is_left_to_database:
            cells[unlogged.field] = table.cell_of_value(unlogged.field, unlogged.value)

    def _update_parent(self, part: Part, own: Texts, row: Texts, texts: Texts) -> None:
        """Let the row of a parent, which was not deleted, have the values of the entry."""
        cells = {}
        for name, current in row.items():
            one = cast("Any", part.model._meta.get_field(name))
            if name not in texts or name in own or not is_in_log(self.step.registration, one):
                continue
            if self.comparison.is_same(name, current, texts[name]):
                continue
            if self.force:
                cells[name] = part.table.cell_of_text(name, texts[name])
            else:
                self.report.conflict("changed", name, current=current, former=texts[name])
        if cells:
            part.table.update(own, cells)

    def cells_of_link(
        self, table: StoredTable, name: str, texts: Mapping[str, Text]
    ) -> dict[str, Cell]:
        """Return the values of a new link between two rows."""
        cells = {one: table.cell_of_text(one, text) for one, text in texts.items()}
        for one in table.model._meta.local_concrete_fields:
            is_automatic = one is table.model._meta.auto_field
            if one.name in cells or is_automatic or getattr(one, "generated", False):
                continue
            unlogged = default_of(one)
            if one not in table.model._meta.pk_fields:
                self.report.skip("link", name)
            if not unlogged.is_known:
                self.report.block("value", one.name)
            if not unlogged.is_left_to_database:
                cells[one.name] = table.cell_of_value(one.name, unlogged.value)
        return cells

    @property
    def comparison(self) -> RowComparison:
        """Compares the row of a parent that is there already."""
        return RowComparison(registration=self.step.registration, stored=self.stored)

    @property
    def _given(self) -> set[str]:
        return {name.rpartition(".")[2] for name in self.values}


def check_file(report: Report, field: Any, text: Text) -> None:
    """Report a file whose name comes back while its content is missing."""
    if not isinstance(field, models.FileField) or not text:
        return
    try:
        is_there = field.storage.exists(text)
    except (OSError, SuspiciousFileOperation):
        is_there = False
    if not is_there:
        report.skip("file", field.name)
