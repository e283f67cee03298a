"""Take back one step: compare the row with what the change left, then write what was before."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from django.db import DataError, IntegrityError, models, transaction

from django_customer_history.point_in_time.conflicts import BlockedError, Reason, Report
from django_customer_history.point_in_time.json_keys import text_of_key, with_keys
from django_customer_history.point_in_time.model_rules import ModelRules, SavedRow
from django_customer_history.point_in_time.new_rows import NewRow, check_file
from django_customer_history.point_in_time.row_comparison import RowComparison
from django_customer_history.point_in_time.stored_rows import (
    Cell,
    Part,
    StoredModel,
    StoredTable,
    Text,
    Texts,
    joined_key,
    key_parts,
)
from django_customer_history.point_in_time.undo_steps import Change, UndoStep
from django_customer_history.point_in_time.unlogged_values import Values, default_of, is_in_log
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry
from django_customer_history.values.comparison import parsed


@dataclass(kw_only=True)
class StepUndo:
    """The undo of one step; collects what is in the way."""

    step: UndoStep
    stored: StoredModel
    using: str
    force: bool = False
    saves: bool = False
    """Whether the model's own `save()` and `delete()` write."""
    values: Values = field(default_factory=dict)
    is_done: bool = False

    def run(self) -> None:
        """Write, or report conflicts. The transaction is that of the caller."""
        try:
            with transaction.atomic(using=self.using):
                _UNDO[self.step.kind](self)
        except BlockedError:
            self._nothing_written()
        except (IntegrityError, DataError) as error:
            self._nothing_written()
            self._explain(error)

    def _nothing_written(self) -> None:
        self.is_done = False
        self.report.nothing_written()

    # -- rows -----------------------------------------------------------------------------

    def update_row(self) -> None:
        """Give fields the values that they had before an update."""
        key = self._current_key()
        row = self.stored.read(key)
        if row is None:
            self.report.block("missing")
        changed = self._former_values(row)
        if not changed:
            if not self.report.conflicts and not self.report.skipped:
                self.report.skip("unchanged")
            raise BlockedError
        cells = {name: self._cell(name, text) for name, text in changed.items()}
        cells |= self._moments(changed)
        former = {**row, **changed}
        self._write(
            lambda: self.stored.write(key, row, cells),
            SavedRow(key=self._key_in(former), fields=frozenset(changed)),
        )

    def create_row(self) -> None:
        """Write a row again that was deleted."""
        key = self.step.entry.entity_id
        existing = self.stored.read(key)
        if existing is not None:
            self._refuse_existing(existing)
        former = {name: old for name, (old, _new) in self.step.changes.items()}
        texts: dict[str, Text] = {**former, **self.stored.own_key(key)}
        inserts = [
            (part, cells)
            for part in reversed(self.stored.parts)
            if (cells := self._new_row.cells_of(part, texts)) is not None
        ]
        if self.report.has("value"):
            raise BlockedError
        known = {
            name for part in self.stored.parts for name in part.table.columns if name in former
        }

        def insert() -> None:
            for part, cells in inserts:
                part.table.insert(cells)

        self._write(
            insert,
            SavedRow(key=key, fields=frozenset(known)),
        )

    def delete_row(self) -> None:
        """Delete a row that was created."""
        key = self.step.entry.entity_id
        row = self.stored.read(key)
        if row is None:
            self.report.skip("unchanged")
            raise BlockedError
        created = {name: new for name, (_old, new) in self.step.changes.items()}
        for name, expected, current in self._comparison.differences(row, created):
            self.report.conflict("changed", name, expected=expected, current=current)
        rules = self._rules
        if references := rules.references(key):
            self.report.conflict("referenced", detail=references)
        if self.report.conflicts and not self.force:
            raise BlockedError
        self.report.conflicts.clear()
        if references or self.saves:
            if not rules.delete(key, by_model=self.saves):
                self.report.block("referenced", detail=references)
        else:
            self._delete_parts(key, row)
        self.is_done = True

    # -- links ----------------------------------------------------------------------------

    def remove_link(self) -> None:
        """Remove links that were added."""
        for name, (_old, new) in self.step.changes.items():
            table, source, target = self._links(name)
            condition = {source: self.step.entry.entity_id, target: new}
            rows = table.read(condition)
            if not rows:
                self.report.skip("unchanged", name)
            elif self.saves:
                self._rules.change_link(self.step.entry.entity_id, name, new, adds=False)
                self.is_done = True
            else:
                # There may be several links between two records. The others stay.
                key = [one.name for one in table.model._meta.pk_fields]
                table.delete({one: rows[0][one] for one in key})
                self.is_done = True

    def add_link(self) -> None:
        """Add links again that were removed."""
        for name, (old, _new) in self.step.changes.items():
            table, source, target = self._links(name)
            owner = self.step.entry.entity_id
            if self.stored.read(owner) is None:
                self.report.block("missing")
            if not self._has_target(table, target, old):
                self.report.block("parent", name, former=old)
            if table.read({source: owner, target: old}):
                self.report.skip("unchanged", name)
                continue
            if self.saves:
                self._rules.change_link(owner, name, old, adds=True)
            else:
                table.insert(self._new_row.cells_of_link(table, name, {source: owner, target: old}))
            self.is_done = True

    # -- the former values ----------------------------------------------------------------

    def _former_values(self, row: Texts) -> dict[str, Text]:
        """Return the texts to write, by field, and collect conflicts and omissions."""
        changed: dict[str, Text] = {}
        keys: dict[str, dict[str, Text]] = {}
        for name, change in self.step.changes.items():
            root, dot, path = name.partition(".")
            field_found = field_of(self._model, root)
            if field_found is None or root not in row:
                self.report.skip("unknown", name)
            elif registry.keeps_secret(self.step.registration, field_found):
                self.report.skip("secret", name)
            elif getattr(field_found, "generated", False):
                continue  # The database computes it from the other fields.
            elif dot:
                current = text_of_key(parsed(row[root]), path)
                is_object = isinstance(parsed(row[root]) or {}, dict)
                if self._is_to_write(name, change, current if is_object else row[root], row):
                    keys.setdefault(root, {})[path] = change[0]
            elif self._is_to_write(name, change, row[root], row):
                changed[root] = change[0]
        for root, members in keys.items():
            json_field = cast("models.JSONField", self._model._meta.get_field(root))
            changed[root] = with_keys(json_field, changed.get(root, row[root]), members)
        return changed

    def _is_to_write(self, name: str, change: Change, current: Text, row: Texts) -> bool:
        old, new = change
        if self._comparison.is_same(name, current, old):
            return False
        if self._comparison.is_same(name, current, new) or self.force:
            return True
        self.report.conflict("changed", name, expected=new, current=current, former=old)
        return False

    # -- writing --------------------------------------------------------------------------

    def _write(self, write: Callable[[], Any], saved: SavedRow) -> None:
        """Write the row, check it with the rules of the model, and let `save()` write it."""
        rules = self._rules
        if self.saves:
            with self._taken_back():
                write()
                record = rules.load(saved.key)
            self._check(rules.errors(record, saved))
            rules.save(record, is_new=self.step.kind == "delete")
        else:
            write()
            self._check(rules.errors(rules.load(saved.key), saved))
        self.is_done = True

    def _check(self, errors: Iterable[tuple[Reason, str, str]]) -> None:
        for reason, name, detail in errors:
            if reason == "invalid" and self.force:
                continue
            self.report.conflict(reason, name or None, former=self._former(name), detail=detail)
            self.is_done = False
        if self.report.has("invalid", "parent"):
            raise BlockedError

    @contextmanager
    def _taken_back(self) -> Iterator[None]:
        with transaction.atomic(using=self.using):
            yield
            transaction.set_rollback(True, using=self.using)

    def _delete_parts(self, key: str, row: Texts) -> None:
        for part in self.stored.parts:
            # A registered parent has entries of its own, which say whether it was created too.
            if part.child is None or part.model not in registry:
                part.table.delete(part.key(row, self.stored.own_key(key)))

    def _moments(self, changed: Texts) -> dict[str, Cell]:
        """Return the fields that hold when the row was written last: now."""
        cells = {}
        for part in self.stored.parts:
            is_written = any(self.stored.part_of(name) is part for name in changed)
            for one in part.model._meta.local_concrete_fields if is_written else ():
                is_logged = is_in_log(self.step.registration, one)
                is_moment = getattr(one, "auto_now", False) and not is_logged
                if is_moment and one.name in part.table.columns:
                    cells[one.name] = part.table.cell_of_value(one.name, default_of(one).value)
        return cells

    def _cell(self, name: str, text: Text) -> Cell:
        part = cast("Part", self.stored.part_of(name))
        check_file(self.report, self._model._meta.get_field(name), text)
        return part.table.cell_of_text(name, text)

    # -- what is in the way ---------------------------------------------------------------

    def _explain(self, error: Exception) -> None:
        """Say why the database refused the values, as far as it can be found out."""
        former = {name: old for name, (old, _new) in self.step.changes.items()}
        row = {} if self.step.kind == "delete" else self.stored.read(self._current_key()) or {}
        found = False
        for name, old in former.items():
            if old is not None and self.step.is_of_row and self.stored.lacks_target(name, old):
                self.report.conflict("parent", name, former=old)
                found = True
        for names in self.stored.unique_together():
            wanted = {**row, **former}
            if any(name in former for name in names) and self.stored.is_taken(names, wanted):
                self.report.conflict("unique", names[0], former=former.get(names[0]))
                found = True
        if not found:
            self.report.conflict("refused", detail=type(error).__name__)

    def _refuse_existing(self, existing: Texts) -> None:
        former = {name: old for name, (old, _new) in self.step.changes.items()}
        if next(self._comparison.differences(existing, former), None) is None:
            self.report.skip("unchanged")
            raise BlockedError
        self.report.block("exists")

    def _former(self, name: str) -> Text:
        return self.step.changes.get(name, (None, None))[0]

    # -- places ---------------------------------------------------------------------------

    @property
    def _key(self) -> str:
        return self.step.entry.entity_id

    def _current_key(self) -> str:
        """Return the key that the change left."""
        return self._key_with(1)

    def _key_with(self, side: int) -> str:
        parts = key_parts(self._model, self._key)
        names = [one.name for one in self._model._meta.pk_fields]
        changed = {name: change[side] for name, change in self.step.changes.items()}
        return joined_key(
            [str(changed.get(name, part)) for name, part in zip(names, parts, strict=True)]
        )

    def _key_in(self, texts: Texts) -> str:
        return joined_key([str(texts[one.name]) for one in self._model._meta.pk_fields])

    def _links(self, name: str) -> tuple[StoredTable, str, str]:
        found = field_of(self._model, name)
        if found is None or not found.many_to_many:
            self.report.skip("unknown", name)
            raise BlockedError
        return self.stored.links(name)

    def _has_target(self, table: StoredTable, target: str, key: Text) -> bool:
        relation = cast("Any", table.model._meta.get_field(target))
        stored = StoredTable(model=relation.target_field.model, connection=table.connection)
        return bool(stored.read({relation.target_field.name: key}))

    @cached_property
    def report(self) -> Report:
        """Return what stood in the way, and what was left out."""
        return Report(entries=self.step.entries)

    @property
    def _new_row(self) -> NewRow:
        return NewRow(
            step=self.step,
            stored=self.stored,
            values=self.values,
            force=self.force,
            report=self.report,
        )

    @property
    def _comparison(self) -> RowComparison:
        return RowComparison(registration=self.step.registration, stored=self.stored)

    @property
    def _model(self) -> type[models.Model]:
        return self.step.registration.model

    @property
    def _rules(self) -> ModelRules:
        return ModelRules(model=self._model, using=self.using)


_UNDO: Mapping[str, Callable[[StepUndo], None]] = {
    "update": StepUndo.update_row,
    "delete": StepUndo.create_row,
    "create": StepUndo.delete_row,
    "add": StepUndo.remove_link,
    "remove": StepUndo.add_link,
}
