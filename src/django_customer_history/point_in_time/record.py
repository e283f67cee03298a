"""A record as it was just before an entry and just after it, as one reader may see it.

It is put together from the entries that the reader may see, with their masks. What no entry
tells of comes from a snapshot of simple-history, where there is one; else it is unknown: it was
set before tracking began.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import connections, models

from django_customer_history.access.permissions import Reader
from django_customer_history.backends import backend_of
from django_customer_history.capture.existing_rows import (
    VALUE,
    existing_rows,
)
from django_customer_history.contrib.simple_history.importing import (
    historical_model,
    snapshot_table,
)
from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import Entry
from django_customer_history.point_in_time.states import (
    RecordState,
    StateChange,
)
from django_customer_history.reading.entries import (
    RecordName,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import (
    Registration,
    registry,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldValue:
    """A field at one moment."""

    state: str
    """`value`, `null`, `masked`, `secret`, or `unknown`: set before tracking began."""
    value: Any = None
    display: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAsOf:
    """A field just before an entry and just after it."""

    field: str
    label: str
    type: str
    before: FieldValue | None
    """None: the record was not there."""
    after: FieldValue | None
    is_changed: bool
    permission: str | None = None
    """What would show a masked value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAsOf:
    """A record just before an entry and just after it."""

    entry: TimelineEntry
    entity: RecordName
    existed_before: bool
    exists_after: bool
    fields: tuple[FieldAsOf, ...]

    @property
    def has_unknown(self) -> bool:
        """Whether a field was set before tracking began."""
        return any(
            side is not None and side.state == "unknown"
            for field in self.fields
            for side in (field.before, field.after)
        )


def record_as_of(reader: Reader, key: UUID, *, using: str | None = None) -> RecordAsOf:
    """Return the record that an entry tells of, as it was then.

    Raises `NotFoundError` where there is no such entry that the reader may see, or it tells
    of no record that is tracked.
    """
    entry = Timeline.of_entry(reader, key, using=using).entry(key)
    registration = None if entry is None else registry.find(entry.entity.model)
    if entry is None or registration is None:
        raise NotFoundError("There is no such record.")
    return _Then(entry, registration, _entries_about(reader, entry, using)).record()


def _entries_about(reader: Reader, entry: TimelineEntry, using: str | None) -> Timeline:
    """Return what the reader may see of the record: on all tabs, or else on that of the entry."""
    about = entry.entity.model, entry.entity.id
    try:
        timeline = Timeline.of_everything(reader, using=using)
        if timeline.queryset.filter(id=entry.id).exists():
            return replace(timeline, queryset=timeline.queryset.of_entity(*about))
    except PermissionDenied:
        pass  # The reader may read the history of this subject alone.
    subject = entry.subject
    registration = None if subject is None else registry.find(subject.model)
    if subject is None or registration is None:
        raise NotFoundError("There is no such record.")
    timeline = Timeline.of_subject(reader, registration.model, subject.id, using=using)
    return replace(timeline, queryset=timeline.queryset.of_entity(*about))


@dataclass(frozen=True, slots=True)
class _Then:
    entry: TimelineEntry
    registration: Registration
    timeline: Timeline

    def record(self) -> RecordAsOf:
        before, after = self._states()
        is_complete = before.is_complete and after.is_complete
        known = self._known_fields({} if is_complete else self._snapshot())
        changed = {change.field for change in self.entry.changes}
        names = dict.fromkeys(chain(known, before.values, before.links, after.values, after.links))
        fields = (
            self._field(name, before, after, known.get(name), is_changed=name in changed)
            for name in names
        )
        return RecordAsOf(
            entry=self.entry,
            entity=self.entry.entity,
            existed_before=bool(before.exists),
            exists_after=bool(after.exists),
            fields=tuple(field for field in fields if field is not None),
        )

    def _states(self) -> tuple[RecordState[TimelineChange], RecordState[TimelineChange]]:
        before, after = RecordState[TimelineChange](), RecordState[TimelineChange]()
        this = self._told(self.entry)
        after.look_back(this)
        for told in self._all(self.timeline.queryset.older_than(self.entry.id)):
            before.look_back(told)
            after.look_back(told)
            if before.is_complete and after.is_complete:
                break
        if not (before.is_complete and after.is_complete):
            for told in self._all(self.timeline.queryset.newer_than(self.entry.id)):
                before.look_ahead(told)
                after.look_ahead(told)
        before.look_ahead(this)
        before.settle()
        after.settle()
        self._set_right(before)
        return before, after

    def _set_right(self, before: RecordState[TimelineChange]) -> None:
        """Let the entry have the last word on what was before it.

        Another entry of the same change, on the tab of another subject, may seem to be older.
        """
        if self.entry.kind == "create":
            before.exists, before.values = False, {}
        elif self.entry.kind in ("update", "delete"):
            before.exists = True
            before.values |= {change.field: _old(change) for change in self.entry.changes}
        elif self.entry.is_baseline:
            for change in self.entry.changes:
                before.values.pop(change.field, None)

    def _all(self, queryset: Any) -> Iterator[StateChange[TimelineChange]]:
        for chunk in replace(self.timeline, queryset=queryset).chunks():
            for entry in chunk:
                yield self._told(entry)

    def _told(self, entry: TimelineEntry) -> StateChange[TimelineChange]:
        relations = {
            change.field: change for change in entry.changes if self._is_relation(change.field)
        }
        is_link = entry.kind in ("add", "remove") or (entry.is_baseline and bool(relations))
        return StateChange(
            kind=entry.kind,
            is_baseline=entry.is_baseline,
            changes={change.field: (_old(change), _new(change)) for change in entry.changes},
            links={name: _link(change) for name, change in relations.items()} if is_link else {},
        )

    def _is_relation(self, name: str) -> bool:
        try:
            return bool(self.registration.model._meta.get_field(name).many_to_many)
        except FieldDoesNotExist:
            return False

    def _known_fields(self, snapshot: Mapping[str, str | None]) -> Mapping[str, TimelineChange]:
        """Return the fields that are tracked, with what a snapshot has of them."""
        names = [
            field.name
            for field in self.registration.model._meta.concrete_fields
            if not field.primary_key
            and field.name not in self.registration.json_keys
            and self.registration.tracks(
                field.name, auto_now=bool(getattr(field, "auto_now", False))
            )
        ]
        _entries, sight = self.timeline.sample(0)
        # As if it were an entry, so that the same masks hide it.
        row = Entry(
            id=self.entry.id,
            timestamp=self.entry.timestamp,
            kind="create",
            action="",
            entity_model=self.entry.entity.model,
            entity_id=self.entry.entity.id,
            changes={name: [None, snapshot.get(name)] for name in {*names, *snapshot}},
            source=self.entry.source.code,
        )
        (shown,) = self.timeline.shown([row], sight)
        return {change.field: change for change in shown.changes}

    def _snapshot(self) -> dict[str, str | None]:
        """Return what the last snapshot before the entry held, as texts of the log."""
        historical, using = historical_model(self.registration.model), self.timeline.queryset.db
        if historical is None or self.entry.kind == "create":
            return {}
        records: Any = models.QuerySet(historical, using=using)
        key = self.registration.model._meta.pk.attname
        last = (
            records.filter(**{key: self.entry.entity.id}, history_date__lte=self.entry.timestamp)
            .order_by("-history_date", "-history_id")
            .first()
        )
        if last is None or last.history_type == "-":
            return {}
        return _texts(self.registration, last, using=using)

    def _field(
        self,
        name: str,
        before: RecordState[TimelineChange],
        after: RecordState[TimelineChange],
        known: TimelineChange | None,
        *,
        is_changed: bool,
    ) -> FieldAsOf | None:
        told = [
            one
            for state in (after, before)
            for one in (state.values.get(name), *state.links.get(name, ()))
        ]
        shown = next((one for one in [*told, known] if one is not None), None)
        if shown is None:
            return None  # Links that there were none of.
        return FieldAsOf(
            field=name,
            label=shown.label,
            type=shown.type,
            before=_side(name, before, known),
            after=_side(name, after, known),
            is_changed=is_changed,
            permission=shown.permission,
        )


def _side(
    name: str, state: RecordState[TimelineChange], known: TimelineChange | None
) -> FieldValue | None:
    if not state.exists:
        return None
    if name in state.links:
        return _side_of_links(state.links[name])
    if name in state.values:
        return _side_of(state.values[name])
    return _side_of_untold(known, is_complete=state.is_complete)


def _side_of_untold(known: TimelineChange | None, *, is_complete: bool) -> FieldValue:
    """Return a side of which no entry tells: null, as a snapshot has it, or unknown."""
    if known is not None and known.type == "secret":
        return FieldValue(state="secret")
    if is_complete:
        return FieldValue(state="null")
    is_in_snapshot = known is not None and known.new_display is not None
    return _side_of(known) if known is not None and is_in_snapshot else FieldValue(state="unknown")


def _side_of(shown: TimelineChange) -> FieldValue:
    if shown.type == "secret":
        return FieldValue(state="secret")
    if shown.new is None and shown.new_display is None:
        return FieldValue(state="null")
    return FieldValue(
        state="masked" if shown.masked else "value", value=shown.new, display=shown.new_display
    )


def _side_of_links(shown: list[TimelineChange]) -> FieldValue:
    if not shown:
        return FieldValue(state="null")
    if any(one.masked for one in shown):
        return FieldValue(state="masked", display=shown[0].new_display)
    names = [one.new_display or "" for one in shown]
    return FieldValue(state="value", value=[one.new for one in shown], display=", ".join(names))


def _old(change: TimelineChange) -> TimelineChange:
    """Return the change as if its old value were what there is."""
    return replace(change, new=change.old, new_display=change.old_display)


def _new(change: TimelineChange) -> TimelineChange:
    return change


def _link(change: TimelineChange) -> tuple[str, TimelineChange]:
    there = change if change.new_display is not None else _old(change)
    return str(there.new if there.new is not None else there.new_display), there


def _texts(registration: Registration, record: Any, *, using: str) -> dict[str, str | None]:
    connection, key = connections[using], type(record)._meta.pk
    rows = existing_rows(
        connection,
        snapshot_table(registration, using=using),
        rows=f"{backend_of(connection).quote(str(key.column))} = {VALUE}",
        values=[key.get_db_prep_value(record.pk, connection)],
    )
    return {name: new for row in rows for name, (_old, new) in row.changes.items()}
