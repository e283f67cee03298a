"""The one way out of the log: entries as a certain reader may see them.

The tab, REST, the admin and the exports all take their rows from here, so that no door can
forget a permission or a mask.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import models

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.object_access import (
    ObjectAccess,
    subject_of,
)
from django_customer_history.access.permissions import (
    Reader,
    exportable_models,
    may_export,
    readable_models,
)
from django_customer_history.access.records import current_label
from django_customer_history.capture.registration_log import KIND as REGISTRATION
from django_customer_history.conf import page_size
from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.reading.cursors import (
    Cursor,
    mark_of,
)
from django_customer_history.reading.entries import (
    EntrySource,
    Page,
    RecordName,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.reading.filters import (
    NO_FILTERS,
    Filters,
)
from django_customer_history.reading.presentation import present
from django_customer_history.reading.query import (
    CHUNK,
    EntryQuery,
)
from django_customer_history.registration.registry import (
    label_of,
    registry,
)
from django_customer_history.registration.subject_paths import passable_routes

__all__ = ["Page", "RecordName", "EntrySource", "Timeline", "TimelineChange", "TimelineEntry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The entries that a reader may see: of one subject, or of all.

    Made by `of_subject`, `of_everything` or `of_entry`, which ask for the permission to read,
    and narrowed by `filtered`; read by `page`, `entry` and `chunks`. Values are masked as the
    reader may see them, moments are in UTC, texts are in the language in force. It is a frozen
    value: each method returns another one.
    """

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
    unfiltered: EntryQuerySet | None = None
    """What the filters were put to; None: there are none."""
    _reach: ObjectAccess = field(default_factory=ObjectAccess, compare=False, repr=False)

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
        Raises `PermissionDenied` for a reader who may not read it, `NotFoundError` for one
        for whom the record does not exist, and for what can be no key of the model.
        """
        entries = _entries(using)
        text, record = subject_of(reader, model, key, known=subject, using=using)
        return cls(
            reader=reader,
            queryset=entries.of_subject(model, text),
            question=f"{model._meta.label_lower}/{text}",
            model=model,
            key=text,
            subject=record,
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

        Raises `NotFoundError` where there is none that the reader may see.
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
            raise NotFoundError("There is no such entry.") from error
        return replace(timeline, queryset=timeline.queryset.filter(id=key), question=str(key))

    def filtered(self, filters: Filters | None = None, /, **asked: Any) -> "Timeline":
        """Return the timeline of what also fits the filters, given as such or as keywords.

        `timeline.filtered(kind="create", not_source="api")` has the names and values of
        `Filters.of`, and raises `InvalidFilterError` as that does. A timeline is filtered once:
        `ValueError` for one that has filters already.
        """
        filters = Filters.of(**asked) if filters is None else filters
        if self.filters:
            raise ValueError("This timeline is filtered already. Give all filters at once.")
        return replace(
            self,
            queryset=filters.applied_for_all(self.queryset),
            filters=filters,
            unfiltered=self.queryset,
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

    def check_cursor(self, text: str) -> None:
        """Accept a cursor of this very timeline; raise `InvalidCursorError` for any other."""
        Cursor.read(text, question=self.question)

    def page(self, *, cursor: str | None = None, limit: int | None = None) -> Page:
        """Return a page of entries, newest first.

        Where only what the reader may see of an entry tells whether it fits, as with `q`, or where
        no index leads to it, so many are looked through and no more: a page may have few entries,
        or none, and yet lead on.
        Raises `InvalidCursorError` for a cursor that belongs to another question or to none.
        """
        limit = page_size() if limit is None else limit
        place = None if cursor is None else Cursor.read(cursor, question=self.question)
        found = self._query.found(place, limit + 1)
        kept, rest = found.entries[:limit], found.rest
        has_more = len(found.entries) > limit or rest is not None
        if place is not None and place.is_newer:
            kept = kept[::-1]
            has_newer, has_older = has_more, True
        else:
            has_newer, has_older = place is not None, has_more
        return Page(
            entries=self.shown(kept, found.sight),
            older=self._cursor(kept[-1:], place, is_newer=False, rest=rest) if has_older else None,
            newer=self._cursor(kept[:1], place, is_newer=True, rest=rest) if has_newer else None,
            follows=_follows(kept[:1], place, beyond=found.entries[limit:]),
            subject_label=self._subject_label(found.sight),
            withheld=found.sight.withheld(self._models()),
        )

    def place_of(self, key: UUID) -> str:
        """Return the cursor of the page that begins with an entry."""
        return Cursor.beside(key).write(question=self.question)

    def beginning(self) -> datetime | None:
        """Return when the history of the subject's model began, if the log knows it.

        Nothing of what was before that moment is in the log.
        """
        if self.model is None:
            return None
        started = self.queryset.model.objects.using(self.queryset.db).of_entity(
            REGISTRATION, self.model._meta.label_lower
        )
        return started.order_by("id").values_list("timestamp", flat=True).first()

    def entry(self, key: UUID) -> TimelineEntry | None:
        """Return the entry with the key `key`.

        None where this timeline has none that the reader may see, and that its filters keep.
        """
        stored, sight = self._query.read(self.queryset.filter(id=key))
        found = self._query.fitting(stored, sight)
        return self.shown(found, sight)[0] if found else None

    def is_of_something(self) -> bool:
        """Return whether the record exists or anything is known of it."""
        return self.subject is not None or self.queryset.exists()

    def sample(self, count: int) -> tuple[list[Entry], FieldAccess]:
        """Return what fits among the newest entries as stored, and what may be seen of them."""
        stored, sight = self._query.read(self.queryset.newest_first()[:count])
        return self._query.fitting(stored, sight), sight

    def recent(self, count: int) -> tuple[list[Entry], FieldAccess, bool]:
        """Return what fits as `sample` does, at a cost that has a bound, and whether it is all.

        What the filters keep is looked for in the newest entries of the log, or of the record.
        """
        log = _entries(self.queryset.db)
        log = log if self.model is None else log.of_subject(self.model, self.key)
        return self._query.recent(count, log=log)

    def shown(self, entries: Sequence[Entry], sight: FieldAccess) -> tuple[TimelineEntry, ...]:
        """Return entries of a `sample` as the reader may see them."""
        known = () if self.subject is None else (self.subject,)
        return present(entries, sight, known=known)

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[TimelineEntry, ...]]:
        """Yield all entries, newest first, `size` at a time, in memory that does not grow.

        What changes while it runs is newer than what it reads, and is not among them.
        """
        for found, sight in self._query.chunks(size):
            yield self.shown(found, sight)

    def total(self) -> int | None:
        """Count the entries of `chunks`; None: only looking at each would tell."""
        finder = self._query
        if finder.looks_at_each:
            return None
        return self.filters.narrowed(self.queryset).count()

    def up_to(self, key: UUID) -> "Timeline":
        """Return the timeline of what was written before the entry `key`."""
        return replace(self, queryset=self.queryset.older_than(key))

    @property
    def _query(self) -> EntryQuery:
        return EntryQuery(
            reader=self.reader,
            entries=self.queryset,
            log=self.queryset if self.unfiltered is None else self.unfiltered,
            filters=self.filters,
            reach=self._reach,
            is_within_one_record=self.model is not None,
            is_revealing=self.is_revealing,
        )

    def _subject_label(self, sight: FieldAccess) -> str | None:
        if self.subject is None:
            return None
        label, model = current_label(self.subject), label_of(type(self.subject))
        return sight.label(model, label, record=self.subject)

    def _models(self) -> list[str]:
        """Return the models whose changes may be on this timeline."""
        return [
            registration.model._meta.label_lower
            for registration in registry
            if self.model is None
            or registration.model is self.model
            or any(route.target is self.model for route in passable_routes(registration, registry))
        ]

    def _cursor(
        self, edge: Sequence[Entry], place: Cursor | None, *, is_newer: bool, rest: UUID | None
    ) -> str:
        is_ahead = is_newer == (place is not None and place.is_newer)
        if is_ahead and rest is not None:
            cursor = Cursor.beside(rest, is_newer=is_newer)
        elif edge:
            mark = mark_of(edge[0].request_id)
            cursor = Cursor(key=edge[0].id, is_newer=is_newer, mark=mark)
        elif place is not None:
            # Nothing on this side: back to where it was asked from, that entry included.
            cursor = Cursor.beside(place.key, is_newer=is_newer)
        return cursor.write(question=self.question)


def _follows(first: Sequence[Entry], place: Cursor | None, *, beyond: Sequence[Entry]) -> bool:
    """Return whether the first entry of a page belongs to the request of the one above it."""
    if not first or place is None:
        return False
    if place.is_newer:
        above = [one.request_id for one in beyond]
        return first[0].request_id is not None and first[0].request_id in above
    return place.is_of_request(first[0].request_id)


def _entries(using: str | None) -> EntryQuerySet:
    return Entry.objects.using(using) if using else Entry.objects.all()


def _limited(entries: EntryQuerySet, labels: Sequence[str] | None) -> EntryQuerySet:
    if labels is not None and not labels:
        raise PermissionDenied
    return entries if labels is None else entries.filter(subject_model__in=labels)
