"""An undo as a user asks for it: with permissions, a preview, and masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.utils.crypto import salted_hmac

from django_customer_history.access.permissions import Reader
from django_customer_history.exceptions import NotFoundError, UndoTooLargeError
from django_customer_history.models import Entry
from django_customer_history.point_in_time.conflicts import Conflict, Skipped, Undone
from django_customer_history.point_in_time.deletions import entries_of_deletion
from django_customer_history.point_in_time.undo import RESTORE, UNDO, UndoOptions, undo_entries
from django_customer_history.point_in_time.undo_access import UndoAccess
from django_customer_history.point_in_time.unlogged_values import Values
from django_customer_history.reading.entries import RecordName, TimelineChange, TimelineEntry
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry

MOST_CHANGES = 1_000
"""Entries that are undone at once for a user; commands and code have no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownConflict:
    """A conflict, made for one reader."""

    reason: str
    message: str
    entry_id: UUID
    entity: RecordName
    change: TimelineChange | None
    """From the value that is there now to the former one; None: the conflict is about the row."""
    is_forceable: bool
    detail: str = ""
    """What is in the way, if it has no values."""
    needed: str = ""
    """The name under which a missing value can be given; empty: none is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOmission:
    """Something that an undo cannot bring back, made for one reader."""

    reason: str
    message: str
    entry_id: UUID
    entity: RecordName
    label: str
    """The label of the field; empty: the entry as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownUndo:
    """What an undo does, or has done, made for one reader."""

    done: tuple[UUID, ...]
    written: tuple[TimelineEntry, ...]
    """The entries that it writes; each change of a row once."""
    conflicts: tuple[ShownConflict, ...]
    skipped: tuple[ShownOmission, ...]
    digest: str
    """Another one if the records, and so the result, are other ones."""

    @property
    def can_force(self) -> bool:
        """Whether there are conflicts that `force` overrules."""
        return any(one.is_forceable for one in self.conflicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderUndo:
    """The entries that a user wants to undo. They are checked and unmasked: do not show them."""

    timeline: Timeline
    entries: tuple[Entry, ...] = field(repr=False)
    name: str = UNDO
    root: Entry | None = None

    @classmethod
    def of_entry(cls, reader: Reader, key: UUID) -> "ReaderUndo":
        """Return the undo of one entry. Raises `NotFoundError` if the reader may not see it."""
        timeline = Timeline.of_entry(reader, key)
        return cls._of(timeline, timeline.newest(1)[0])

    @classmethod
    def of_request(
        cls,
        reader: Reader,
        request_id: UUID,
        *,
        model: type[models.Model] | None = None,
        key: object = None,
    ) -> "ReaderUndo":
        """Return the undo of a request: of what the reader may see, on one tab or everywhere.

        Raises `NotFoundError` if the reader may see nothing of it, and `UndoTooLargeError` for
        more than `MOST_CHANGES` changes.
        """
        try:
            if model is None:
                timeline = Timeline.of_everything(reader)
            else:
                timeline = Timeline.of_subject(reader, model, key)
        except PermissionDenied as error:
            raise NotFoundError("There is no such request.") from error
        entries, _ = timeline.filtered(request_id=str(request_id)).newest(MOST_CHANGES + 1)
        if len(entries) > MOST_CHANGES:
            raise UndoTooLargeError(
                f"The request has more than {MOST_CHANGES} changes. Use the command history_undo."
            )
        return cls._of(timeline, entries)

    @classmethod
    def of_deletion(cls, reader: Reader, model: type[models.Model], key: object) -> "ReaderUndo":
        """Return the undo of a deletion, with what it took along.

        Raises `NotFoundError` if the reader may not see it.
        """
        try:
            timeline = Timeline.of_subject(reader, model, key)
        except PermissionDenied as error:
            raise NotFoundError("There is no such record.") from error
        entries = entries_of_deletion(model, timeline.key, using=timeline.queryset.db)
        label = model._meta.label_lower
        root = next(
            one
            for one in reversed(entries)
            if one.kind == "delete" and (one.entity_model, one.entity_id) == (label, timeline.key)
        )
        return cls(timeline=timeline, entries=tuple(entries), name=RESTORE, root=root)

    @classmethod
    def _of(cls, timeline: Timeline, entries: Sequence[Entry]) -> "ReaderUndo":
        if not entries:
            raise NotFoundError("There is nothing to undo.")
        return cls(timeline=timeline, entries=tuple(entries))

    def preview(
        self, *, reason: str = "-", force: bool = False, values: Values | None = None
    ) -> ShownUndo:
        """Return what the undo would do. Nothing is written.

        Raises `UndoDeniedError` if the reader may not undo the entries.
        """
        return self._run(reason=reason, force=force, values=values, is_preview=True)

    def run(
        self,
        *,
        reason: str,
        force: bool = False,
        values: Values | None = None,
        digest: str | None = None,
    ) -> ShownUndo | None:
        """Undo, and return what was done.

        With `digest`, that of a preview: None if something else would happen now, and nothing is
        written. Raises `UndoDeniedError` if the reader may not undo the entries.
        """
        with transaction.atomic(using=self._using):
            shown = self._run(reason=reason, force=force, values=values, is_preview=False)
            if digest is not None and digest != shown.digest:
                transaction.set_rollback(True, using=self._using)
                return None
        return shown

    def _run(
        self, *, reason: str, force: bool, values: Values | None, is_preview: bool
    ) -> ShownUndo:
        access = self.timeline.revealed().field_access()
        undo_access = UndoAccess(reader=self.timeline.reader, access=access, using=self._using)
        undo_access.check(self.entries, root=self.root)
        options = UndoOptions(reason=reason, force=force, values=dict(values or {}))
        with transaction.atomic(using=self._using):
            undone = undo_entries(self.entries, options, using=self._using, name=self.name)
            undo_access.check_written(undone.written)
            # The labels of records that come back exist only now.
            shown = self._shown(undone, values=values or {})
            transaction.set_rollback(is_preview, using=self._using)
        return shown

    def _shown(self, undone: Undone, *, values: Values) -> ShownUndo:
        access = self.timeline.field_access()
        conflicts = [_entry_of_conflict(one) for one in undone.conflicts]
        omissions = [_entry_of(one.entry, one.field, None, None) for one in undone.skipped]
        written = _each_change_once(undone.written)
        # One call, so that the records are loaded once.
        timeline = replace(self.timeline, subject=None)
        shown = timeline.present([*written, *conflicts, *omissions], access)
        of_conflicts = shown[len(written) : len(written) + len(conflicts)]
        of_omissions = shown[len(written) + len(conflicts) :]
        return ShownUndo(
            done=tuple(entry.id for entry in undone.done),
            written=shown[: len(written)],
            conflicts=tuple(
                _shown_conflict(one, entry)
                for one, entry in zip(undone.conflicts, of_conflicts, strict=True)
            ),
            skipped=tuple(
                _shown_omission(one, entry)
                for one, entry in zip(undone.skipped, of_omissions, strict=True)
            ),
            digest=_digest(undone, values),
        )

    @property
    def _using(self) -> str:
        return self.timeline.queryset.db_of_writing


def _each_change_once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without those that differ from another one in the subject only."""
    kept: dict[Any, Entry] = {}
    for entry in entries:
        content = (entry.kind, entry.entity_model, entry.entity_id, repr(entry.changes))
        kept.setdefault(content, entry)
    return list(kept.values())


def _entry_of(entry: Entry, name: str | None, old: str | None, new: str | None) -> Entry:
    """Return an entry that is not saved, so that the same masks hide the values."""
    return Entry(
        id=entry.id,
        timestamp=entry.timestamp,
        kind="update",
        action="",
        entity_model=entry.entity_model,
        entity_id=entry.entity_id,
        entity_label=entry.entity_label,
        changes={} if name is None else {name: [old, new]},
        source=entry.source,
    )


def _entry_of_conflict(conflict: Conflict) -> Entry:
    return _entry_of(conflict.entry, conflict.field, conflict.current, conflict.former)


def _shown_conflict(conflict: Conflict, entry: TimelineEntry) -> ShownConflict:
    is_needed = conflict.reason == "value"
    return ShownConflict(
        reason=conflict.reason,
        message=conflict.message,
        entry_id=conflict.entry.id,
        entity=entry.entity,
        change=entry.changes[0] if entry.changes else None,
        is_forceable=conflict.is_forceable,
        detail=_records_in_the_way(conflict) if conflict.reason == "referenced" else "",
        needed=f"{conflict.entry.entity_model}.{conflict.field}" if is_needed else "",
    )


def _records_in_the_way(conflict: Conflict) -> str:
    """Return numbers and names of models, "2 notes": no values."""
    counts = (part.partition(" ") for part in conflict.detail.split(", ") if part)
    return ", ".join(f"{count} {_name(label, int(count))}" for count, _, label in counts)


def _name(label: str, count: int) -> str:
    registration = registry.find(label)
    if registration is None:
        return label
    meta = registration.model._meta
    return str(meta.verbose_name if count == 1 else meta.verbose_name_plural)


def _shown_omission(skipped: Skipped, entry: TimelineEntry) -> ShownOmission:
    return ShownOmission(
        reason=skipped.reason,
        message=skipped.message,
        entry_id=skipped.entry.id,
        entity=entry.entity,
        label=entry.changes[0].label if entry.changes else "",
    )


def _digest(undone: Undone, values: Values) -> str:
    content = [
        [(one.entity_model, one.entity_id, one.kind, one.changes) for one in undone.written],
        [(one.entry.id, one.reason, one.field, one.current) for one in undone.conflicts],
        sorted(values),
    ]
    return salted_hmac(
        "django_customer_history.undo", repr(content), algorithm="sha256"
    ).hexdigest()
