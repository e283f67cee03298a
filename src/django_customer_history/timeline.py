"""The one way out of the log: entries as a certain reader may see them.

The tab, REST, the admin and the exports all take their rows from here, so that no door can
forget a permission or a mask.
"""

import base64
import binascii
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import models
from django.utils.text import capfirst

from django_customer_history.changes import Actor
from django_customer_history.conf import page_size
from django_customer_history.context import SOURCES
from django_customer_history.exceptions import InvalidCursorError
from django_customer_history.masks import FULL, Mask
from django_customer_history.models import Entry
from django_customer_history.permissions import (
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    Reader,
    confidential_permission,
    may_read,
    may_see,
    readable_models,
)
from django_customer_history.querysets import EntryQuerySet
from django_customer_history.registry import Registration, registry
from django_customer_history.tables import Form
from django_customer_history.values.encoding import form_of
from django_customer_history.values.rendering import display, json_value, type_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordName:
    """A record as an entry speaks of it."""

    model: str
    id: str
    label: str | None
    name: str
    """What records of the model are called: "invoice"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a change came from."""

    code: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineChange:
    """One field of an entry, ready to be shown to the reader it was made for."""

    field: str
    label: str
    type: str
    old: Any
    new: Any
    old_display: str | None
    new_display: str | None
    masked: bool = False
    permission: str | None = None
    """The permission that would show a masked value; None: nothing would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One entry, ready to be shown to the reader it was made for."""

    id: UUID
    timestamp: datetime
    user: Actor | None
    action: str
    kind: str
    subject: RecordName | None
    entity: RecordName
    changes: tuple[TimelineChange, ...]
    source: Source
    ip_address: str | None
    request_id: UUID | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some entries, newest first, and the cursor of those that come after them."""

    entries: tuple[TimelineEntry, ...]
    older: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The entries that a reader may see: of one subject, or of all."""

    reader: Reader
    queryset: EntryQuerySet
    question: str
    """Names what was asked, so that a cursor fits no other question."""

    @classmethod
    def of_subject(
        cls, reader: Reader, model: type[models.Model], key: object, *, using: str | None = None
    ) -> "Timeline":
        """Return the timeline of one record, which need not exist any more.

        Raises `PermissionDenied` for a reader who may not read it.
        """
        subject = _existing(model, key)
        if not may_read(reader, model, subject=subject):
            raise PermissionDenied
        entries = _entries(using).of_subject(model, key)
        return cls(reader=reader, queryset=entries, question=f"{model._meta.label_lower}/{key}")

    @classmethod
    def of_everything(cls, reader: Reader, *, using: str | None = None) -> "Timeline":
        """Return the timeline of all that the reader may see.

        Raises `PermissionDenied` for a reader who may see nothing.
        """
        labels = readable_models(reader)
        if labels == []:
            raise PermissionDenied
        entries = _entries(using)
        if labels is not None:
            entries = entries.filter(subject_model__in=labels)
        return cls(reader=reader, queryset=entries, question="*")

    def page(self, *, cursor: str | None = None, limit: int | None = None) -> Page:
        """Return a page of entries, newest first.

        Raises `InvalidCursorError` for a cursor that belongs to another question or to none.
        """
        limit = page_size() if limit is None else limit
        entries = self.queryset.newest_first()
        if cursor is not None:
            entries = entries.older_than(_key_of(cursor, self.question))
        found = list(entries[: limit + 1])
        older = _cursor_of(found[limit - 1].id, self.question) if len(found) > limit else None
        return Page(entries=self._shown(found[:limit]), older=older)

    def entry(self, key: UUID) -> TimelineEntry | None:
        """Return one entry, or None where there is none that the reader may see."""
        found = list(self.queryset.filter(id=key))
        return self._shown(found)[0] if found else None

    def _shown(self, entries: Sequence[Entry]) -> tuple[TimelineEntry, ...]:
        names = _Names(entries)
        return tuple(_EntryView(entry, self.reader, names).shown() for entry in entries)


_KEY_LENGTH = 16


def _entries(using: str | None) -> EntryQuerySet:
    return Entry.objects.using(using) if using else Entry.objects.all()


def _existing(model: type[models.Model], key: object) -> models.Model | None:
    # The base manager: a host's own may hide archived records.
    return model._base_manager.filter(pk=key).first()


def _cursor_of(key: UUID, question: str) -> str:
    return base64.urlsafe_b64encode(key.bytes + _digest(question)).decode()


def _key_of(cursor: str, question: str) -> UUID:
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    key, digest = raw[:_KEY_LENGTH], raw[_KEY_LENGTH:]
    if digest != _digest(question):
        raise InvalidCursorError("The cursor does not belong to this list. Start without one.")
    return UUID(bytes=key)


def _digest(question: str) -> bytes:
    return hashlib.sha256(question.encode()).digest()[:8]


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is known of a field of an entry, and what the reader may see of it."""

    field: Any
    label: str
    form: Form | None = None
    mask: Mask | None = None
    permission: str | None = None
    secret: bool = False


@dataclass(slots=True)
class _EntryView:
    entry: Entry
    reader: Reader
    names: "_Names"
    registration: Registration | None = field(init=False)

    def __post_init__(self) -> None:
        self.registration = registry.find(self.entry.entity_model)

    def shown(self) -> TimelineEntry:
        entry = self.entry
        actor = None
        if entry.actor_id is not None:
            actor = Actor(id=entry.actor_id, label=entry.actor_label or entry.actor_id)
        return TimelineEntry(
            id=entry.id,
            timestamp=entry.timestamp,
            user=actor,
            action=entry.action,
            kind=entry.kind,
            subject=self._subject(),
            entity=_named(entry.entity_model, entry.entity_id, self._entity_label()),
            changes=tuple(
                self._change(name, *values)
                for name, values in sorted(entry.changes.items(), key=self._position)
            ),
            source=Source(code=entry.source, label=SOURCES.get(entry.source, entry.source)),
            ip_address=entry.ip_address,
            request_id=entry.request_id,
            reason=(entry.context or {}).get("reason"),
        )

    def _subject(self) -> RecordName | None:
        entry = self.entry
        if entry.subject_model is None or entry.subject_id is None:
            return None
        label = self.names.label_of(entry.subject_model, entry.subject_id, self.reader)
        return _named(entry.subject_model, entry.subject_id, label)

    def _entity_label(self) -> str | None:
        return _readable_label(self.registration, self.entry.entity_label, self.reader)

    def _position(self, item: tuple[str, object]) -> tuple[int, str]:
        # In the model's own order; what it does not know comes last.
        names = self.names.positions(self.entry.entity_model)
        return names.get(item[0], len(names)), item[0]

    def _change(self, name: str, old: str | None, new: str | None) -> TimelineChange:
        rule = self._rule(name)
        if rule.secret:
            return TimelineChange(
                field=name, label=rule.label, type="secret", masked=True,
                old=None, new=None, old_display=None, new_display=None,
            )  # fmt: skip
        if rule.mask is not None:
            return TimelineChange(
                field=name,
                label=rule.label,
                type=type_of(rule.field, rule.form),
                old=None,
                new=None,
                old_display=rule.mask(old),
                new_display=rule.mask(new),
                masked=True,
                permission=rule.permission,
            )
        return TimelineChange(
            field=name,
            label=rule.label,
            type=type_of(rule.field, rule.form),
            old=json_value(old, rule.form),
            new=json_value(new, rule.form),
            old_display=self._display(old, rule),
            new_display=self._display(new, rule),
        )

    def _display(self, text: str | None, rule: _Rule) -> str | None:
        related = getattr(rule.field, "related_model", None)
        if text is not None and related is not None:
            label = self.names.label_of(related._meta.label_lower, text, self.reader)
            return label or f"#{text}"
        return display(text, rule.field, rule.form)

    def _rule(self, name: str) -> _Rule:
        registration = self.registration
        if registration is None:
            return self._unknown(name)
        known = _field_of(registration.model, name)
        if known is None:
            # An event may speak of what is no field; its project chose to write it down.
            is_free = self.entry.kind == "event" and name not in registration.confidential
            return _Rule(field=None, label=_words(name)) if is_free else self._unknown(name)
        label = capfirst(str(known.verbose_name))
        if registration.is_secret(known):
            return _Rule(field=known, label=label, secret=True)
        mask, permission = registration.confidential.get(name), None
        if mask is not None:
            permission = confidential_permission(registration.model, name)
            if may_see(self.reader, permission):
                mask, permission = None, None
        form = None if known.many_to_many else form_of(known, use_tz=settings.USE_TZ)
        return _Rule(field=known, label=label, form=form, mask=mask, permission=permission)

    def _unknown(self, name: str) -> _Rule:
        # The rule that once held is gone with the field or the model: hide it, to be safe.
        if self.reader.has_perm(VIEW_EVERY_CONFIDENTIAL_VALUE):
            return _Rule(field=None, label=_words(name))
        return _Rule(
            field=None,
            label=_words(name),
            mask=FULL,
            permission=VIEW_EVERY_CONFIDENTIAL_VALUE,
        )


class _Names:
    """The names of the records that some entries point to: one query for each model."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._positions: dict[str, Mapping[str, int]] = {}
        wanted: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            if entry.subject_model and entry.subject_id:
                wanted[entry.subject_model].add(entry.subject_id)
            registration = registry.find(entry.entity_model)
            for name, values in entry.changes.items():
                known = _field_of(registration.model, name) if registration else None
                if known is not None and known.is_relation:
                    label = known.related_model._meta.label_lower
                    wanted[label].update(value for value in values if value is not None)
        self._labels = {
            (model, key): label
            for model, keys in wanted.items()
            for key, label in _labels(model, keys)
        }

    def label_of(self, model: str, key: str, reader: Reader) -> str | None:
        """Return the name that a record bears now, as far as the reader may see it."""
        return _readable_label(registry.find(model), self._labels.get((model, key)), reader)

    def positions(self, model: str) -> Mapping[str, int]:
        """Return the places of a model's fields in its own order."""
        if model not in self._positions:
            registration = registry.find(model)
            fields = registration.model._meta.get_fields() if registration else []
            self._positions[model] = {one.name: number for number, one in enumerate(fields)}
        return self._positions[model]


def _labels(label: str, keys: Iterable[str]) -> Iterable[tuple[str, str]]:
    try:
        model = apps.get_model(label)
    except LookupError:
        return
    registration = registry.find(label)
    records = model._base_manager.filter(pk__in=keys)
    for record in records:
        if registration is not None and registration.label:
            texts = (getattr(record, name, None) for name in registration.label)
            yield str(record.pk), " ".join(str(text) for text in texts if text not in (None, ""))
        else:
            yield str(record.pk), str(record)


def _readable_label(
    registration: Registration | None, label: str | None, reader: Reader
) -> str | None:
    """Return a record's name, hidden where one of the fields that make it is confidential."""
    if registration is None or not label:
        return label
    for name in registration.label:
        if name in registration.confidential and not may_see(
            reader, confidential_permission(registration.model, name)
        ):
            return FULL(label)
    return label


def _field_of(model: type[models.Model], name: str) -> Any:
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, models.Field) else None


def _named(model: str, key: str, label: str | None) -> RecordName:
    try:
        name = str(apps.get_model(model)._meta.verbose_name)
    except LookupError:
        name = model
    return RecordName(model=model, id=key, label=label, name=name)


def _words(name: str) -> str:
    return str(capfirst(name.replace("_", " ")))
