"""A record as it was just before and just after an entry, as one reader may see it.

It is computed from the entries that the reader may see, with their masks. A field without such
an entry has the value of the last snapshot of django-simple-history. Without a snapshot it is
unknown: it was set before tracking began.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
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
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.point_in_time.fields import is_many_to_many, state_fields
from django_customer_history.point_in_time.states import (
    RecordState,
    StateChange,
)
from django_customer_history.reading.entries import (
    RecordName,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.reading.shortening import is_long, shortened_pair
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.values.moments import as_django_has_it

_MOST_FIELDS = 1_000

MOST_REPLAYED = 5_000
"""Entries of the record that are read at most before the entry, and as many after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldValue:
    """The value of a field at one moment."""

    state: str
    """One of these:

    - `value`: the field had a value, and the reader may see it.
    - `null`: the field had no value.
    - `masked`: the field had a value. `display` is its mask, `value` is None.
    - `secret`: values of the field are never logged.
    - `unknown`: the value was set before tracking began.
    """
    value: Any = None
    """The value as in the JSON of an entry; of a many-to-many field, the list of the keys."""
    display: str | None = None
    """The value as people read it, in the active language and time zone."""
    is_truncated: bool = False
    """Whether it is only the beginning of a long value, as a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAsOf:
    """A field just before and just after an entry."""

    field: str
    label: str
    type: str
    before: FieldValue | None
    """None: the record did not exist before the entry."""
    after: FieldValue | None
    """None: the record did not exist after the entry."""
    is_changed: bool
    """Whether the field is among the changes of the entry."""
    permission: str | None = None
    """The permission that shows a masked value."""
    permission_name: str | None = None
    """What people call that permission: `Permission.name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAsOf:
    """A record just before and just after an entry, as one reader may see it."""

    entry: TimelineEntry
    entity: RecordName
    """The record; its label is that of the entry."""
    existed_before: bool
    exists_after: bool
    fields: tuple[FieldAsOf, ...]
    """The tracked fields in the order of the model, then others that the log knows."""
    omitted_fields: int = 0
    """How many fields are left out because there are very many."""

    @property
    def has_unknown(self) -> bool:
        """Whether a value is unknown because it was set before tracking began."""
        return any(
            side is not None and side.state == "unknown"
            for field in self.fields
            for side in (field.before, field.after)
        )


def record_as_of(reader: Reader, key: UUID, *, using: str | None = None) -> RecordAsOf:
    """Return the entity of the entry `key` as it was just before and just after the entry.

    `using` names the database of the log, else Django's routers choose it. Raises
    `NotFoundError` if there is no such entry that the reader may see, or its entity is not a
    record of a registered model.
    """
    entry = Timeline.of_entry(reader, key, using=using).entry(key)
    registration = None if entry is None else registry.find(entry.entity.model)
    if entry is None or registration is None:
        raise NotFoundError("There is no such record.")
    return _Reconstruction(entry, registration, _entries_of_entity(reader, entry, using)).record()


def _entries_of_entity(reader: Reader, entry: TimelineEntry, using: str | None) -> Timeline:
    """Return the entries of the entity: of all subjects, else of the subject of the entry."""
    entity = entry.entity.model, entry.entity.id
    try:
        timeline = Timeline.of_everything(reader, using=using)
        if timeline.queryset.filter(id=entry.id).exists():
            return replace(timeline, queryset=timeline.queryset.of_entity(*entity))
    except PermissionDenied:
        pass  # The reader may read the history of this subject only.
    subject = entry.subject
    registration = None if subject is None else registry.find(subject.model)
    if subject is None or registration is None:
        raise NotFoundError("There is no such record.")
    timeline = Timeline.of_subject(reader, registration.model, subject.id, using=using)
    return replace(timeline, queryset=timeline.queryset.of_entity(*entity))


@dataclass(frozen=True, slots=True)
class _Reconstruction:
    entry: TimelineEntry
    registration: Registration
    timeline: Timeline

    def record(self) -> RecordAsOf:
        before, after = self._states()
        is_complete = before.is_complete and after.is_complete
        tracked = self._tracked_fields({} if is_complete else self._snapshot())
        changed = {change.field for change in self.entry.changes}
        names = dict.fromkeys(
            chain(tracked, before.values, before.links, after.values, after.links)
        )
        fields = (
            self._field(name, before, after, tracked.get(name), is_changed=name in changed)
            for name in islice(names, _MOST_FIELDS)
        )
        return RecordAsOf(
            entry=self.entry,
            entity=self.entry.entity,
            existed_before=bool(before.exists),
            exists_after=bool(after.exists),
            fields=tuple(field for field in fields if field is not None),
            omitted_fields=max(0, len(names) - _MOST_FIELDS),
        )

    def _states(self) -> tuple[RecordState[TimelineChange], RecordState[TimelineChange]]:
        before, after = RecordState[TimelineChange](), RecordState[TimelineChange]()
        this = self._change(self.entry)
        after.look_back(this)
        for change in self._changes(self.timeline.queryset.older_than(self.entry.id)):
            before.look_back(change)
            after.look_back(change)
            if before.is_complete and after.is_complete:
                break
        if not (before.is_complete and after.is_complete):
            for change in self._changes(self.timeline.queryset.newer_than(self.entry.id)):
                before.look_ahead(change)
                after.look_ahead(change)
        before.look_ahead(this)
        before.settle()
        after.settle()
        self._apply_old_values(before)
        return before, after

    def _apply_old_values(self, before: RecordState[TimelineChange]) -> None:
        """Let the old values of the entry win over those of other entries.

        The same change can have another entry, for another subject, with a lower id.
        """
        if self.entry.kind == "create":
            before.exists, before.values = False, {}
        elif self.entry.kind in ("update", "delete"):
            before.exists = True
            before.values |= {change.field: _old(change) for change in self.entry.changes}
        elif self.entry.is_baseline:
            for change in self.entry.changes:
                before.values.pop(change.field, None)

    def _changes(self, queryset: EntryQuerySet) -> Iterator[StateChange[TimelineChange]]:
        entries = chain.from_iterable(replace(self.timeline, queryset=queryset).chunks())
        # One page must not read the whole history of a row: what is older is unknown.
        return map(self._change, islice(entries, MOST_REPLAYED))

    def _change(self, entry: TimelineEntry) -> StateChange[TimelineChange]:
        relations = {
            change.field: change
            for change in entry.changes
            if is_many_to_many(self.registration.model, change.field)
        }
        is_link = entry.kind in ("add", "remove") or (entry.is_baseline and bool(relations))
        return StateChange(
            kind=entry.kind,
            is_baseline=entry.is_baseline,
            changes={change.field: (_old(change), _new(change)) for change in entry.changes},
            links={name: _link(change) for name, change in relations.items()} if is_link else {},
        )

    def _tracked_fields(self, snapshot: Mapping[str, str | None]) -> Mapping[str, TimelineChange]:
        """Return the tracked fields, with the values that a snapshot has of them."""
        # An entry that is not saved, so that the same masks hide the values.
        unsaved = Entry(
            id=self.entry.id,
            timestamp=self.entry.timestamp,
            kind="create",
            action="",
            entity_model=self.entry.entity.model,
            entity_id=self.entry.entity.id,
            changes={
                name: [None, snapshot.get(name)]
                for name in {*state_fields(self.registration), *snapshot}
            },
            source=self.entry.source.code,
        )
        (entry,) = self.timeline.present([unsaved], self.timeline.field_access())
        return {change.field: change for change in entry.changes}

    def _snapshot(self) -> dict[str, str | None]:
        """Return the values of the last snapshot before the entry, as texts of the log."""
        historical, using = historical_model(self.registration.model), self.timeline.queryset.db
        if historical is None or self.entry.kind == "create":
            return {}
        records: Any = models.QuerySet(historical, using=using)
        key = self.registration.model._meta.pk.attname
        moment = as_django_has_it(self.entry.timestamp)
        last = (
            records.filter(**{key: self.entry.entity.id}, history_date__lte=moment)
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
        tracked: TimelineChange | None,
        *,
        is_changed: bool,
    ) -> FieldAsOf | None:
        changes = [
            change
            for state in (after, before)
            for change in (state.values.get(name), *state.links.get(name, ()))
        ]
        described = next((one for one in [*changes, tracked] if one is not None), None)
        if described is None:
            return None  # A many-to-many field that had no links, before or after.
        return FieldAsOf(
            field=name,
            label=described.label,
            type=described.type,
            before=_value(name, before, tracked),
            after=_value(name, after, tracked),
            is_changed=is_changed,
            permission=described.permission,
            permission_name=described.permission_name,
        )


def _value(
    name: str, state: RecordState[TimelineChange], tracked: TimelineChange | None
) -> FieldValue | None:
    if not state.exists:
        return None
    if name in state.links:
        return _value_of_links(state.links[name])
    if name in state.values:
        return _value_of(state.values[name])
    return _value_without_entry(tracked, is_complete=state.is_complete)


def _value_without_entry(tracked: TimelineChange | None, *, is_complete: bool) -> FieldValue:
    """Return the value of a field that no entry has: null, from a snapshot, or unknown."""
    if tracked is not None and tracked.type == "secret":
        return FieldValue(state="secret")
    if is_complete:
        return FieldValue(state="null")
    if tracked is not None and tracked.new_display is not None:
        return _value_of(tracked)
    return FieldValue(state="unknown")


def _value_of(change: TimelineChange) -> FieldValue:
    if change.type == "secret":
        return FieldValue(state="secret")
    if change.new is None and change.new_display is None:
        return FieldValue(state="null")
    value, display = change.new, change.new_display
    is_truncated = is_long(display) or (isinstance(value, str) and is_long(value))
    if is_truncated:
        display, _, _ = shortened_pair(display or value, None)
        value = None if change.masked else display
    return FieldValue(
        state="masked" if change.masked else "value",
        value=value,
        display=display,
        is_truncated=is_truncated,
    )


def _value_of_links(links: list[TimelineChange]) -> FieldValue:
    if not links:
        return FieldValue(state="null")
    if any(link.masked for link in links):
        return FieldValue(state="masked", display=links[0].new_display)
    labels = [link.new_display or "" for link in links]
    return FieldValue(state="value", value=[link.new for link in links], display=", ".join(labels))


def _old(change: TimelineChange) -> TimelineChange:
    """Return the change with its old value as the new one."""
    return change._replace(new=change.old, new_display=change.old_display)


def _new(change: TimelineChange) -> TimelineChange:
    return change


def _link(change: TimelineChange) -> tuple[str, TimelineChange]:
    linked = change if change.new_display is not None else _old(change)
    return str(linked.new if linked.new is not None else linked.new_display), linked


def _texts(registration: Registration, record: Any, *, using: str) -> dict[str, str | None]:
    connection, key = connections[using], type(record)._meta.pk
    rows = existing_rows(
        connection,
        snapshot_table(registration, using=using),
        rows=f"{backend_of(connection).quote(str(key.column))} = {VALUE}",
        values=[key.get_db_prep_value(record.pk, connection)],
    )
    return {name: new for row in rows for name, (_old, new) in row.changes.items()}
