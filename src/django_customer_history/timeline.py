"""The one way out of the log: entries as a certain reader may see them.

The tab, REST, the admin and the exports all take their rows from here, so that no door can
forget a permission or a mask.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models

from django_customer_history.conf import page_size
from django_customer_history.confidentiality import Sight
from django_customer_history.cursors import Cursor
from django_customer_history.exceptions import OutOfReachError
from django_customer_history.fetching import answers, question_of
from django_customer_history.filters import NO_FILTERS, Filters
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.names import label_now, records_of
from django_customer_history.permissions import (
    Reader,
    exportable_models,
    is_vetoed,
    may_export,
    may_read,
    object_permissions_are_in_play,
    readable_models,
)
from django_customer_history.presentation import present
from django_customer_history.querysets import EntryQuerySet
from django_customer_history.registry import registry
from django_customer_history.rows import (
    Page,
    RecordName,
    Source,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.values.encoding import encode

__all__ = ["Page", "RecordName", "Source", "Timeline", "TimelineChange", "TimelineEntry"]

_CHUNK = 500
"""Entries that are read at once, where each must be looked at before it is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The entries that a reader may see: of one subject, or of all."""

    reader: Reader
    queryset: EntryQuerySet
    question: str
    """Names what was asked, so that a cursor fits no other question."""
    model: type[models.Model] | None = None
    key: str | None = None
    subject: models.Model | None = None
    """The record whose history it is; None: all, or one that is gone."""
    filters: Filters = NO_FILTERS
    is_revealing: bool = False
    _vetoes: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_subject(
        cls,
        reader: Reader,
        model: type[models.Model],
        key: object,
        *,
        subject: models.Model | None = None,
        using: str | None = None,
    ) -> "Timeline":
        """Return the timeline of one record, which need not exist any more.

        `subject` is that record, where the caller has just read it from the database.
        Raises `PermissionDenied` for a reader who may not read it, `OutOfReachError` for one
        for whom the record does not exist, and for what can be no key of the model.
        """
        text = _canonical(model, key)
        subject = subject or _existing(model, text)
        if not may_read(reader, model, subject=subject):
            raise PermissionDenied
        return cls(
            reader=reader,
            queryset=_entries(using).of_subject(model, text),
            question=f"{model._meta.label_lower}/{text}",
            model=model,
            key=text,
            subject=subject,
        )

    @classmethod
    def of_everything(cls, reader: Reader, *, using: str | None = None) -> "Timeline":
        """Return the timeline of all that the reader may see by permissions for whole models.

        Raises `PermissionDenied` for a reader who may see nothing.
        """
        entries = _limited(_entries(using), readable_models(reader))
        return cls(reader=reader, queryset=entries, question="*")

    @classmethod
    def of_entry(cls, reader: Reader, key: UUID, *, using: str | None = None) -> "Timeline":
        """Return the timeline on which one entry stands, that entry alone.

        Raises `OutOfReachError` where there is none that the reader may see.
        """
        entries = _entries(using).filter(id=key)
        entry = entries.first()
        registration = registry.find(entry.subject_model or "") if entry else None
        try:
            if entry is None or registration is None:
                timeline = cls.of_everything(reader, using=using)
            else:
                timeline = cls.of_subject(reader, registration.model, entry.subject_id, using=using)
        except PermissionDenied as error:
            raise OutOfReachError("There is no such entry.") from error
        return replace(timeline, queryset=timeline.queryset.filter(id=key), question=str(key))

    def filtered(self, filters: Filters) -> "Timeline":
        """Return the timeline of what also fits the filters."""
        return replace(
            self,
            queryset=filters.applied(self.queryset),
            filters=filters,
            question=f"{self.question}?{filters.question}",
        )

    def exported(self) -> "Timeline":
        """Return the timeline of what the reader may export, unmasked where they may see it.

        Raises `PermissionDenied` for a reader who may export nothing of it.
        """
        if self.model is None:
            entries = _limited(self.queryset, exportable_models(self.reader))
        elif may_export(self.reader, self.model, subject=self.subject):
            entries = self.queryset
        else:
            raise PermissionDenied
        return replace(self, queryset=entries, is_revealing=True)

    def revealed(self) -> "Timeline":
        """Return the timeline with values that stay masked until someone looks on purpose."""
        return replace(self, is_revealing=True)

    def page(self, *, cursor: str | None = None, limit: int | None = None) -> Page:
        """Return a page of entries, newest first.

        Raises `InvalidCursorError` for a cursor that belongs to another question or to none.
        """
        limit = page_size() if limit is None else limit
        place = None if cursor is None else Cursor.read(cursor, question=self.question)
        found, sight = self._found(place, limit + 1)
        has_more, kept = len(found) > limit, found[:limit]
        if place is not None and place.is_newer:
            kept = kept[::-1]
            has_newer, has_older = has_more, True
        else:
            has_newer, has_older = place is not None, has_more
        return Page(
            entries=self._shown(kept, sight),
            older=self._cursor(kept[-1:], place, is_newer=False) if has_older else None,
            newer=self._cursor(kept[:1], place, is_newer=True) if has_newer else None,
            subject_label=self._subject_label(sight),
        )

    def entry(self, key: UUID) -> TimelineEntry | None:
        """Return one entry, or None where there is none that the reader may see."""
        stored, sight = self._read(self.queryset.filter(id=key))
        found = self._fitting(stored, sight)
        return self._shown(found, sight)[0] if found else None

    def is_of_something(self) -> bool:
        """Return whether the record exists or anything is known of it."""
        return self.subject is not None or self.queryset.exists()

    def sample(self, count: int) -> tuple[list[Entry], Sight, bool]:
        """Return what fits among the newest entries as stored, and whether there are no more.

        With it comes what the reader may see of them, which is for the caller to ask.
        """
        stored, sight = self._read(self._side(None)[: count + 1])
        return self._fitting(stored[:count], sight), sight, len(stored) <= count

    def chunks(self, size: int = _CHUNK) -> Iterator[tuple[TimelineEntry, ...]]:
        """Yield all entries, newest first, so many at a time."""
        place: Cursor | None = None
        while True:
            stored, sight = self._read(self._side(place)[:size])
            found = self._fitting(stored, sight)
            if found:
                yield self._shown(found, sight)
            if len(stored) < size:
                return
            place = Cursor(key=stored[-1].id)

    def up_to(self, key: UUID) -> "Timeline":
        """Return the timeline of what was written before the entry `key`."""
        return replace(self, queryset=self.queryset.older_than(key))

    def _read(self, entries: EntryQuerySet) -> tuple[list[Entry], Sight]:
        """Return entries, and what the reader may see by the marks of the same moment."""
        using = self.queryset.db
        marks = ConfidentialField.objects.using(using).order_by("pk")
        found, marked = answers([question_of(entries), question_of(marks)], using=using)
        sight = Sight(self.reader, marks=marked, using=using, is_revealing=self.is_revealing)
        # What stands under each other in one statement has no order that SQL would vouch for.
        is_oldest_first = entries.query.order_by == ("id",)
        return sorted(found, key=lambda one: one.id, reverse=not is_oldest_first), sight

    def _subject_label(self, sight: Sight) -> str | None:
        if self.subject is None:
            return None
        label, model = label_now(self.subject), self.subject._meta.label_lower
        return sight.label(model, label, record=self.subject)

    def _side(self, place: Cursor | None) -> EntryQuerySet:
        if place is None:
            return self.queryset.newest_first()
        if place.is_newer:
            return self.queryset.newer_than(place.key).order_by("id")
        return self.queryset.older_than(place.key).newest_first()

    def _found(self, place: Cursor | None, wanted: int) -> tuple[list[Entry], Sight]:
        if not self._looks_at_each:
            return self._read(self._side(place)[:wanted])
        found: list[Entry] = []
        while True:
            stored, sight = self._read(self._side(place)[:_CHUNK])
            found += self._fitting(stored, sight)
            if len(found) >= wanted or len(stored) < _CHUNK:
                return found[:wanted], sight
            place = Cursor(key=stored[-1].id, is_newer=place is not None and place.is_newer)

    @property
    def _looks_at_each(self) -> bool:
        """Whether the database alone cannot tell what belongs to the answer."""
        return bool(self.filters.search) or self._asks_for_objects

    @property
    def _asks_for_objects(self) -> bool:
        # Of one subject it was asked before.
        return self.model is None and object_permissions_are_in_play()

    def _fitting(self, entries: Sequence[Entry], sight: Sight) -> list[Entry]:
        if self._asks_for_objects:
            self._ask_for(entries)
        return [entry for entry in entries if self._is_fit(entry, sight)]

    def _is_fit(self, entry: Entry, sight: Sight) -> bool:
        if self._vetoes.get((entry.subject_model or "", entry.subject_id or "")):
            return False
        return self.filters.search.fits(entry, sight)

    def _ask_for(self, entries: Sequence[Entry]) -> None:
        asked: dict[str, set[str]] = {}
        for entry in entries:
            if entry.subject_model and entry.subject_id:
                known = (entry.subject_model, entry.subject_id) in self._vetoes
                if not known:
                    asked.setdefault(entry.subject_model, set()).add(entry.subject_id)
        self._vetoes.update({(label, key): False for label in asked for key in asked[label]})
        subjects = records_of({(label, "pk"): keys for label, keys in asked.items()})
        for (label, _), records in subjects.items():
            for subject in records:
                self._vetoes[label, encode(subject.pk) or ""] = is_vetoed(self.reader, subject)

    def _shown(self, entries: Sequence[Entry], sight: Sight) -> tuple[TimelineEntry, ...]:
        known = () if self.subject is None else (self.subject,)
        return present(entries, sight, known=known)

    def _cursor(self, edge: Sequence[Entry], place: Cursor | None, *, is_newer: bool) -> str:
        if edge:
            key = edge[0].id
        elif place is not None:
            # Nothing on this side: back to where it was asked from, that entry included.
            key = UUID(int=place.key.int + (-1 if is_newer else 1))
        return Cursor(key=key, is_newer=is_newer).write(question=self.question)


def _entries(using: str | None) -> EntryQuerySet:
    return Entry.objects.using(using) if using else Entry.objects.all()


def _limited(entries: EntryQuerySet, labels: Sequence[str] | None) -> EntryQuerySet:
    if labels is not None and not labels:
        raise PermissionDenied
    return entries if labels is None else entries.filter(subject_model__in=labels)


def _canonical(model: type[models.Model], key: Any) -> str:
    """Return a key as the log writes it: 7 for 007, a UUID in lower case."""
    try:
        text = encode(model._meta.pk.to_python(key))
    except (ValidationError, ValueError, TypeError) as error:
        raise OutOfReachError(f"There is no such {model._meta.verbose_name}.") from error
    if not text or "\x00" in text:
        raise OutOfReachError(f"There is no such {model._meta.verbose_name}.")
    return text


def _existing(model: type[models.Model], key: str) -> models.Model | None:
    # The base manager: a host's own may hide archived records.
    return model._base_manager.filter(pk=key).first()
