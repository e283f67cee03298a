"""The timeline: the entries of the log as one reader may see them.

The tab, REST, the admin and the exports all read the log through it, so that permissions and
masks hold everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import models

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.object_access import ObjectAccess, readable_subject
from django_customer_history.access.permissions import (
    Reader,
    exportable_models,
    may_export,
    readable_models,
)
from django_customer_history.access.records import current_label
from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.capture.registration_log import KIND as REGISTRATION
from django_customer_history.conf import page_size
from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.reading.cursors import Cursor, continues_request, mark_of
from django_customer_history.reading.entries import (
    EntrySource,
    FeedPage,
    Page,
    RecordName,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.reading.feed import feed_page, settled_entries
from django_customer_history.reading.filters import NO_FILTERS, Filters
from django_customer_history.reading.known_values import check_values
from django_customer_history.reading.logs import entry_of_log, log_of, of_models
from django_customer_history.reading.presentation import present
from django_customer_history.reading.query import CHUNK, EntryQuery, RecentEntries
from django_customer_history.reading.record_labels import KnownRecords, last_label
from django_customer_history.registration.registry import concrete_model, label_of, registry
from django_customer_history.registration.renames import renames
from django_customer_history.registration.subject_paths import passable_routes
from django_customer_history.values.moments import in_utc

__all__ = ["EntrySource", "Page", "RecordName", "Timeline", "TimelineChange", "TimelineEntry"]

_PART = 100
"""Entries that `chunks` yields at once, however many it reads at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The entries that one reader may see: of one subject, or of all subjects.

    Make one with `of_subject`, `of_everything` or `of_entry`: these check the permission to
    read. Narrow it with `filtered`; read it with `page`, `entry` or `chunks`. Values are masked
    as the reader's permissions say. Datetimes are in UTC, texts in the active language. A
    timeline is a frozen value: each method that narrows it returns another one.
    """

    reader: Reader
    queryset: EntryQuerySet
    question: str
    """Identifies the subject and the filters: a cursor is valid only for the same question."""
    model: type[models.Model] | None = None
    """The model of the subject; None: the timeline is of all subjects."""
    key: str | None = None
    """The key of the subject, as text."""
    subject: models.Model | None = None
    """The subject; None: it is deleted, or the timeline is of all subjects."""
    filters: Filters = NO_FILTERS
    is_revealing: bool = False
    """Whether values are shown that `MASK_UNTIL_REVEALED` masks."""
    shows_views: bool = False
    """Whether entries of the kind "view" are shown without a filter for them."""
    unfiltered: EntryQuerySet | None = None
    """The entries before the filters; None: there are no filters."""
    _object_access: ObjectAccess = field(default_factory=ObjectAccess, compare=False, repr=False)

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
        """Return the timeline of one record, which may be deleted.

        `key` is its primary key; text from a URL will do. `subject` is the record itself, if the
        caller has just loaded it. `using` names the database, else Django's routers choose it.
        Raises `PermissionDenied` if the reader may not read the history of the record. Raises
        `NotFoundError` if the record does not exist for the reader, or the key is not valid.
        """
        model = concrete_model(model)
        text, record = readable_subject(reader, model, key, subject=subject, using=using)
        entries = log_of(using).beside(model if record is None else record)
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
        """Return the timeline of all subjects whose model the reader has a permission for.

        Raises `PermissionDenied` if there is no such model.
        """
        entries = of_models(log_of(using), readable_models(reader))
        return cls(reader=reader, queryset=entries, question="*")

    @classmethod
    def of_entry(cls, reader: Reader, key: UUID, *, using: str | None = None) -> "Timeline":
        """Return the timeline of one entry alone, given by its key.

        Raises `NotFoundError` if there is no such entry that the reader may see.
        """
        entry = entry_of_log(key, using)
        if entry is not None:
            renames.translate(entry, using=str(entry._state.db))
        registration = registry.find(entry.subject_model or "") if entry else None
        try:
            if entry is None or registration is None:
                timeline = cls.of_everything(reader, using=using)
            else:
                timeline = cls.of_subject(reader, registration.model, entry.subject_id, using=using)
        except PermissionDenied as error:
            raise NotFoundError("There is no such entry.") from error
        return replace(
            timeline,
            queryset=timeline.queryset.filter(id=key),
            question=str(key),
            shows_views=True,
        )

    def filtered(self, filters: Filters | None = None, /, **values: Any) -> "Timeline":
        """Return the timeline of the entries that match filters.

        Pass a `Filters`, or its values as keywords, named as in `Filters.of`:
        `timeline.filtered(kind="create", not_source="api")`. Raises `InvalidFilterError` as
        `Filters.of` does, also for a user, model, field or action that does not exist, and
        `ValueError` if the timeline has filters already.
        """
        filters = Filters.of(**values) if filters is None else filters
        if self.filters:
            raise ValueError("This timeline is filtered already. Give all filters at once.")
        check_values(filters, self.queryset)
        filters = replace(filters, is_within_one_record=self.model is not None)
        return replace(
            self,
            queryset=filters.applied_for_all(self.queryset),
            filters=filters,
            unfiltered=self.queryset,
            question=f"{self.question}?{filters.question}",
        )

    def exported(self) -> "Timeline":
        """Return the timeline of the entries that the reader may export.

        Confidential values that the reader may see are not masked in it. Raises
        `PermissionDenied` if the reader may export none of the entries.
        """
        if self.model is None:
            entries = of_models(self.queryset, exportable_models(self.reader))
        elif may_export(self.reader, self.model, subject=self.subject):
            entries = self.queryset
        else:
            raise PermissionDenied
        return replace(self, queryset=entries, is_revealing=True)

    def revealed(self) -> "Timeline":
        """Return the timeline with the values shown that `MASK_UNTIL_REVEALED` masks."""
        return replace(self, is_revealing=True)

    def up_to(self, key: UUID) -> "Timeline":
        """Return the timeline of the entries that are older than the entry `key`."""
        return replace(self, queryset=self.queryset.older_than(key))

    def page(self, *, cursor: str | None = None, limit: int | None = None) -> Page:
        """Return a page of entries, newest first.

        `cursor` comes from another page; without it the page has the newest entries. `limit` is
        the number of entries, by default the setting `PAGE_SIZE`. Long values are shortened on a
        page, and an entry with very many changes has only the first ones.

        If what the reader may see decides which entries match (as with the filter `q`), or no
        index leads to them, only a limited number of entries is searched for one page. Such a
        page can have few entries, or none, and still have a cursor to the next one.
        Raises `InvalidCursorError` for a cursor of another timeline or other filters.
        """
        limit = page_size() if limit is None else limit
        start = None if cursor is None else Cursor.read(cursor, question=self.question)
        # One more than the page has: it shows whether there is another page.
        result = self._query.search(start, limit + 1)
        entries, beyond = result.entries[:limit], result.entries[limit:]
        has_more = bool(beyond) or result.unread is not None
        if start is not None and start.is_newer:
            entries = entries[::-1]
            has_newer, has_older = has_more, True
        else:
            has_newer, has_older = start is not None, has_more
        return Page(
            entries=self.present(entries, result.access, is_whole=False),
            older=self._cursor(entries[-1:], start, is_newer=False, unread=result.unread)
            if has_older
            else None,
            newer=self._cursor(entries[:1], start, is_newer=True, unread=result.unread)
            if has_newer
            else None,
            continues_request=continues_request(entries[:1], start, beyond=beyond),
            subject_label=self._subject_label(result.access),
            masked_fields=result.access.masked_in_exports(self.tracked_models()),
        )

    def check_cursor(self, text: str) -> None:
        """Raise `InvalidCursorError` if a cursor does not belong to this timeline."""
        Cursor.read(text, question=self.question)

    def cursor_at(self, key: UUID) -> str:
        """Return the cursor of the page that begins with the entry `key`."""
        return Cursor.beside(key).write(question=self.question)

    def entry(self, key: UUID) -> TimelineEntry | None:
        """Return an entry; None if the timeline does not have it, or the reader may not see it."""
        entries, access = self._query.among(self.queryset.filter(id=key))
        return self.present(entries, access)[0] if entries else None

    def chunks(
        self, size: int = CHUNK, *, has_all_displays: bool = True
    ) -> Iterator[tuple[TimelineEntry, ...]]:
        """Yield all entries, newest first, at most `size` at a time, in constant memory.

        Entries that are written meanwhile are newer than those already read, and are left out.
        Unless `has_all_displays`, only values that say little to people without it have a display
        text: choices, relations, files and masked values.
        """
        known, loaded = KnownRecords(), self._loaded
        for entries, access in self._query.chunks(size):
            presented = present(
                entries,
                access,
                loaded=loaded,
                known=known,
                is_whole=True,
                has_all_displays=has_all_displays,
            )
            # Few at a time, so that the garbage collector of Python has less to look through.
            while part := tuple(islice(presented, _PART)):
                yield part
            del entries, presented  # Before the next chunk is read.

    def feed(
        self, *, after: UUID | None = None, limit: int | None = None, patience: float = 0.0
    ) -> FeedPage:
        """Return settled entries after a position, oldest first.

        An entry is settled if no entry can appear before it any more. A consumer that keeps
        `position` with its output gets each entry once and skips none. `after` is such a
        position, or the id of an entry; None: the oldest entry. `limit` is the number of entries,
        by default `PAGE_SIZE`; `patience` the seconds to wait for open transactions. Raises
        `NotSettledError` on a replica, or if the clock of the database was set back.
        """
        limit = page_size() if limit is None else limit
        position = LOWEST_KEY if after is None else after
        alias = self.queryset.db_of_writing
        settled = settled_entries(alias, after=position, limit=limit, patience=patience)
        timeline = replace(self, queryset=self.queryset.using(alias), shows_views=True)
        found, access, place = timeline._query.settled(position, settled.before, limit)
        entries = timeline.present(found, access)
        return feed_page(entries, settled=settled, after=position, place=place)

    def total(self) -> int | None:
        """Count the entries of `chunks`; None if each entry would have to be checked for that."""
        if self._query.checks_each_entry:
            return None
        return self.filters.narrowed(self._shown(self.queryset)).count()

    def newest(self, count: int) -> tuple[list[Entry], FieldAccess]:
        """Return the matching ones of the `count` newest entries, and what may be seen of them.

        The entries are as they are in the log, unmasked: show them with `present`.
        """
        return self._query.among(self.queryset.newest_first()[:count])

    def recent(self, count: int, *, has_moments: bool = False) -> RecentEntries:
        """Return the values of at most `count` entries, for menus.

        Only the newest entries of the log, or of the subject, are searched. Views are among them.
        """
        log = log_of(self.queryset.db)
        log = log if self.model is None else log.of_subject(self.model, self.key)
        query = replace(self, shows_views=True)._query
        return query.recent(count, log=log, has_moments=has_moments)

    def present(
        self, entries: Sequence[Entry], access: FieldAccess, *, is_whole: bool = True
    ) -> tuple[TimelineEntry, ...]:
        """Return entries of the log as the reader may see them.

        Unless `is_whole`, long values are shortened and very many changes are left out.
        """
        return tuple(present(entries, access, loaded=self._loaded, is_whole=is_whole))

    def field_access(self) -> FieldAccess:
        """Return what the reader may see of the fields, by the marks of this moment."""
        return self._query.field_access()

    def is_known(self) -> bool:
        """Return whether the subject exists or the log has entries of it."""
        return self.subject is not None or self.queryset.exists()

    def tracked_since(self) -> datetime | None:
        """Return when the tracking of the subject's model began, in UTC.

        The log has no changes from before. None if the log does not know, or the timeline is of
        all subjects.
        """
        if self.model is None:
            return None
        label = self.model._meta.label_lower
        started = log_of(self.queryset.db).filter(
            entity_model=REGISTRATION,
            entity_id__in=renames.labels(label, using=self.queryset.db),
        )
        first = started.order_by("id").values_list("timestamp", flat=True).first()
        return None if first is None else in_utc(first)

    @property
    def _loaded(self) -> tuple[models.Model, ...]:
        return () if self.subject is None else (self.subject,)

    @property
    def _query(self) -> EntryQuery:
        return EntryQuery(
            reader=self.reader,
            entries=self._shown(self.queryset),
            log=self.queryset if self.unfiltered is None else self.unfiltered,
            filters=self.filters,
            object_access=self._object_access,
            is_within_one_record=self.model is not None,
            is_revealing=self.is_revealing,
        )

    def _shown(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries without those about views, which only a filter shows."""
        if self.shows_views or self.filters.ask_for_views:
            return entries
        return entries.exclude(kind="view")

    def _subject_label(self, access: FieldAccess) -> str | None:
        if self.subject is None:
            return (
                None if self.model is None else last_label(label_of(self.model), self.key, access)
            )
        label, model = current_label(self.subject), label_of(type(self.subject))
        if label is None:
            return f"#{self.key}"
        return access.label(model, label, record=self.subject)

    def tracked_models(self) -> list[str]:
        """Return the models whose changes can be on this timeline."""
        return [
            registration.model._meta.label_lower
            for registration in registry
            if self.model is None
            or registration.model is self.model
            or any(route.target is self.model for route in passable_routes(registration, registry))
        ]

    def _cursor(
        self, edge: Sequence[Entry], start: Cursor | None, *, is_newer: bool, unread: UUID | None
    ) -> str:
        """Return the cursor of the older or newer page.

        `edge` is the entry of this page at that side, `start` the cursor of this page.
        """
        is_search_direction = is_newer == (start is not None and start.is_newer)
        if is_search_direction and unread is not None:
            cursor = Cursor.beside(unread, is_newer=is_newer)
        elif edge:
            mark = mark_of(edge[0].request_id)
            cursor = Cursor(key=edge[0].id, is_newer=is_newer, mark=mark)
        elif start is not None:
            # The page is empty: the way back begins at its own cursor, that entry included.
            cursor = Cursor.beside(start.key, is_newer=is_newer)
        return cursor.write(question=self.question)
