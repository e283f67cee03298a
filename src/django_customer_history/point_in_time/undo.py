"""Undo changes: write what was there before, unless something else was written since."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from django.db import connections, models, router, transaction
from django.db.models import Q

from django_customer_history.capture.existing_rows import become_writer
from django_customer_history.context.current import acting, action, current
from django_customer_history.exceptions import NotFoundError
from django_customer_history.keys import highest_uuid_at
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.point_in_time.conflicts import (
    UNDOES,
    Conflict,
    Skipped,
    Undone,
    undone_by,
)
from django_customer_history.point_in_time.deletions import entries_of_deletion
from django_customer_history.point_in_time.stored_rows import StoredModel
from django_customer_history.point_in_time.undo_rows import StepUndo
from django_customer_history.point_in_time.undo_steps import Row, UndoStep, undo_steps
from django_customer_history.point_in_time.unlogged_values import Values
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.values.encoding import key_text

Through = Literal["rows", "save"]
Undoable = Entry | TimelineEntry | UUID | str | Iterable[Entry | TimelineEntry]

UNDO, RESTORE, REVERT = "Undo", "Restore", "Revert"
"""The actions of the entries that an undo writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoOptions:
    """How to undo; the keywords of `undo`, `restore` and `revert`."""

    reason: str
    force: bool = False
    through: Through = "rows"
    values: Values = field(default_factory=dict)
    dry_run: bool = False


def undo(
    what: Undoable,
    *,
    using: str | None = None,
    **options: Any,
) -> Undone:
    """Undo changes: `history.undo` has the options.

    `options` are those of `UndoOptions`.
    """
    alias = using or router.db_for_write(Entry)
    chosen = _checked(UndoOptions(**options))
    return _undone(_entries(what, alias), chosen, using=alias, name=UNDO)


def restore(
    model: type[models.Model],
    key: object,
    *,
    using: str | None = None,
    **options: Any,
) -> Undone:
    """Bring back a deleted record, with what its deletion took along: `history.restore`."""
    alias = using or router.db_for_write(Entry)
    chosen = _checked(UndoOptions(**options))
    entries = entries_of_deletion(model, key, using=alias)
    return _undone(entries, chosen, using=alias, name=RESTORE)


def revert(
    record_or_model: Any,
    moment: Any,
    *,
    key: object = None,
    using: str | None = None,
    **options: Any,
) -> Undone:
    """Set a record to what it held at a moment: `history.revert`."""
    model = record_or_model
    if isinstance(record_or_model, models.Model):
        model, key = type(record_or_model), record_or_model.pk
    registered = registry.of(model._meta.concrete_model or model).model
    alias = using or router.db_for_write(Entry)
    chosen = _checked(UndoOptions(**options))
    own = Entry.objects.using(alias).of_entity(registered, key).order_by("id")
    later = list(own.filter(id__gt=highest_uuid_at(moment)).exclude(kind="event"))
    before = own.filter(id__lte=highest_uuid_at(moment)).last()
    of_row = [one for one in later if one.kind not in ("add", "remove")]
    was_created_later = before is None and bool(of_row) and of_row[0].kind == "create"
    if was_created_later or (before is not None and before.kind == "delete"):
        raise NotFoundError(
            f"{registered._meta.label_lower} {key_text(key)} did not exist at {moment}."
        )
    return _undone(later, chosen, using=alias, name=REVERT)


def undo_entries(
    entries: Sequence[Entry], options: UndoOptions, *, using: str, name: str = UNDO
) -> Undone:
    """Undo entries that the caller has read; `name` is the action of the new entries."""
    return _undone(entries, options, using=using, name=name)


def _checked(options: UndoOptions) -> UndoOptions:
    reason: object = options.reason
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError(f"An undo needs a reason as text, not {reason!r}. Say why.")
    if options.through not in ("rows", "save"):
        raise ValueError(f'through={options.through!r} does not exist. Give "rows" or "save".')
    return options


def _entries(what: Undoable, using: str) -> list[Entry]:
    log = Entry.objects.using(using)
    entries = [entry for condition in _conditions(what) for entry in log.filter(condition)]
    if not entries:
        raise NotFoundError("The log has no entries to undo here.")
    return sorted(entries, key=lambda entry: entry.id)


def _conditions(what: Undoable) -> Iterator[Q]:
    if isinstance(what, Entry | TimelineEntry):
        yield Q(id=what.id)
    elif isinstance(what, UUID | str):
        yield Q(request_id=UUID(str(what)))
    else:
        ids = list(dict.fromkeys(one.id for one in what))
        for start in range(0, len(ids), _MOST_PARAMETERS):
            yield Q(id__in=ids[start : start + _MOST_PARAMETERS])


_MOST_PARAMETERS = 500
"""Parameters of one statement; older versions of SQLite allow 999."""


def _undone(entries: Sequence[Entry], options: UndoOptions, *, using: str, name: str) -> Undone:
    with transaction.atomic(using=using):
        if not connections[using].features.has_select_for_update:
            become_writer(connections[using])
        undone = _UndoRun(entries=entries, options=options, using=using, name=name).run()
        transaction.set_rollback(options.dry_run, using=using)
    return undone


_WRITING_REFERENCES = ("delete", "update", "remove")
"""The kinds whose undo writes the old values, which may refer to other rows."""


@dataclass(kw_only=True)
class _UndoRun:
    """One undo, inside its transaction."""

    entries: Sequence[Entry]
    options: UndoOptions
    using: str
    name: str
    _stored: dict[type[models.Model], StoredModel] = field(default_factory=dict)
    _pending: dict[Row, list[UndoStep]] = field(default_factory=lambda: defaultdict(list))
    _started: set[int] = field(default_factory=set)
    _done: list[Entry] = field(default_factory=list)
    _conflicts: list[Conflict] = field(default_factory=list)
    _skipped: list[Skipped] = field(default_factory=list)

    def run(self) -> Undone:
        """Take back the steps, the newest change first."""
        changes = [entry for entry in self.entries if self._is_change(entry)]
        steps = undo_steps(changes)
        replaced = self._replaced_rows(steps)
        self._lock(steps)
        for step in steps:
            for row in step.created_rows or [step.row]:
                if step.is_of_row:
                    self._pending[row].append(step)
        last = self._log.order_by("id").values_list("id", flat=True).last()
        with acting(reason=self.options.reason):
            for step in steps:
                if step.row in replaced and step.kind not in ("delete",):
                    self._conflicts.append(Conflict(entry=step.entry, reason="replaced"))
                else:
                    self._take_back(step)
            self._check_constraints(steps)
            written = self._written(steps, last)
        return Undone(
            done=tuple(self._done),
            conflicts=tuple(self._conflicts),
            skipped=tuple(self._skipped),
            written=written,
        )

    def _is_change(self, entry: Entry) -> bool:
        """Return whether an entry changed a row of a registered model; else say why not."""
        if entry.kind == "event":
            self._skipped.append(Skipped(entry=entry, reason="event"))
            return False
        if registry.find(entry.entity_model) is None:
            self._skipped.append(Skipped(entry=entry, reason="unregistered"))
            return False
        return True

    def _replaced_rows(self, steps: Sequence[UndoStep]) -> set[Row]:
        """Return the rows whose key belongs to another row by now."""
        oldest: dict[str, dict[str, UUID]] = defaultdict(dict)
        for step in steps:
            model, key = step.row
            oldest[model][key] = min(step.entries[-1].id, oldest[model].get(key, step.entry.id))
        mine = {entry.id for entry in self.entries}
        found = set()
        for model, keys in oldest.items():
            created = self._log.filter(
                entity_model=model, entity_id__in=list(keys), kind="create",
                id__gt=min(keys.values()),
            )  # fmt: skip
            for entry_id, key in created.values_list("id", "entity_id"):
                if entry_id not in mine and entry_id > keys[key]:
                    found.add((model, key))
        return found

    def _lock(self, steps: Iterable[UndoStep]) -> None:
        """Lock the rows, in the same order in every undo."""
        if connections[self.using].features.has_select_for_update:
            places = {(step.row, step.registration.model) for step in steps}
            for (_, key), model in sorted(places, key=lambda place: place[0]):
                self._stored_model(model).read(key)

    def _take_back(self, step: UndoStep) -> None:
        if id(step) in self._started:
            return
        self._started.add(id(step))
        for row in self._referenced(step):
            self._bring_back_first(row)
        ids = [str(entry.id) for entry in step.entries]
        with acting(extra={UNDOES: ids}), self._named():
            undo_of_step = StepUndo(
                step=step,
                stored=self._stored_model(step.registration.model),
                using=self.using,
                force=self.options.force,
                saves=self.options.through == "save" and not self.options.dry_run,
                values=self.options.values,
            )
            undo_of_step.run()
        self._conflicts += undo_of_step.report.conflicts
        self._skipped += undo_of_step.report.skipped
        if undo_of_step.is_done:
            self._done += step.entries
        for row in step.created_rows or [step.row]:
            if step in self._pending.get(row, ()):
                self._pending[row].remove(step)

    def _bring_back_first(self, row: Row) -> None:
        """Create a deleted row before one that refers to it, if that is its next step."""
        steps = self._pending.get(row)
        if steps and steps[0].kind == "delete":
            self._take_back(steps[0])

    def _referenced(self, step: UndoStep) -> Iterator[Row]:
        """Yield the rows that the step's values refer to."""
        if step.kind == "remove":
            yield step.row
        for name, (old, _new) in step.changes.items():
            related = getattr(field_of(step.registration.model, name), "related_model", None)
            if old is not None and related is not None and step.kind in _WRITING_REFERENCES:
                yield label_of(related), old

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the action of the new entries, unless the caller has named it."""
        if current().action is not None:
            yield
            return
        with action(self.name):
            yield

    def _check_constraints(self, steps: Sequence[UndoStep]) -> None:
        """Check now what the database would only check at the end of the transaction."""
        connection = connections[self.using]
        if connection.features.can_defer_constraint_checks:
            tables = {step.registration.model._meta.db_table for step in steps}
            connection.check_constraints(table_names=sorted(tables))

    def _written(self, steps: Sequence[UndoStep], last: UUID | None) -> tuple[Entry, ...]:
        """Return the entries that this undo has written, the oldest first."""
        mine = {entry.id for entry in self.entries}
        request = current().request_id
        condition = Q(request_id=request) if last is None else Q(request_id=request, id__gt=last)
        entries = {
            entry.id: entry
            for entry in self._log.filter(condition)
            if mine.issuperset(undone_by(entry)) and undone_by(entry)
        }
        return tuple(entries[key] for key in sorted(entries))

    def _stored_model(self, model: type[models.Model]) -> StoredModel:
        if model not in self._stored:
            self._stored[model] = StoredModel(model=model, connection=connections[self.using])
        return self._stored[model]

    @property
    def _log(self) -> EntryQuerySet:
        return Entry.objects.using(self.using)
