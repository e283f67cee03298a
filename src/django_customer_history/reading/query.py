"""The search for the entries of one timeline, for one reader, from a cursor onwards.

The database selects the entries as far as it can. What depends on the permissions of the reader
is decided here, a few hundred entries at a time.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connections
from django.db.models.base import ModelState

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.object_access import ObjectAccess
from django_customer_history.access.permissions import Reader, has_object_permissions
from django_customer_history.backends import backend_of
from django_customer_history.keys import datetime_of, microseconds_in
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.reading.combinations import combinations, moments
from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.filters import Filters
from django_customer_history.reading.time_limit import searching
from django_customer_history.registration.renames import renames

CHUNK = 500
"""Entries that are read at once, if each has to be checked before it is shown."""

MOST_SEARCHED = 10_000
"""Entries that are read at most for one page, if what the reader may see decides which match."""

CHUNK_TO_ASK = 100
"""Entries that are read at once, if backends for object permissions are asked about them."""

MOST_ASKED = 200
"""Records about which these backends are asked for one page, but for the last chunk."""

NEAR, FAR = 5_000, 100_000
"""Entries of the log that are searched for one page, if no index leads to those that match:
first the smaller number, which is mostly enough, then the larger."""

_COLUMNS = tuple(field.attname for field in Entry._meta.concrete_fields)
_COLUMNS_OF_FACETS = tuple(
    name
    for name in _COLUMNS
    if name not in ("timestamp", "entity_label", "ip_address", "request_id", "primary_id")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The entries that match, in the order of the search, and what the reader may see of them."""

    entries: list[Entry]
    access: FieldAccess
    unread: UUID | None = None
    """The first entry that was not read; None: the search did not stop at its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentEntries:
    """What the newest entries have in common, for menus."""

    entries: list[Entry]
    """The newest entry for each combination of values, or all entries; none has its values."""
    access: FieldAccess
    is_complete: bool
    """Whether every entry of the timeline was looked at."""
    moments: tuple[datetime, ...]
    """When each of the entries was made, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """The search for the entries of one timeline."""

    reader: Reader
    entries: EntryQuerySet
    """The entries that match, as far as that does not depend on the reader."""
    log: EntryQuerySet
    """The same without the filters."""
    filters: Filters
    object_access: ObjectAccess
    is_within_one_record: bool
    is_revealing: bool

    def search(self, cursor: Cursor | None, count: int) -> QueryResult:
        """Return the first `count` entries that match, from a cursor onwards.

        If what the reader may see decides which entries match, the search stops after
        `MOST_SEARCHED` entries, or when backends were asked about `MOST_ASKED` records. These
        numbers do not depend on what the reader may not see, so that the end of the search
        discloses nothing but how long the log is.
        """
        if not self.checks_each_entry:
            return self._search_by_database(cursor, count)
        limit, size = self._limit(cursor), count
        asked_before = self.object_access.asked_count
        matching: list[Entry] = []
        while True:
            entries = self._read(_before(self._from(cursor), limit)[:size], cursor)
            access = self.field_access()
            matching += self.matching(entries, access)
            if len(matching) >= count:
                return QueryResult(entries=matching[:count], access=access)
            if len(entries) < size:
                return QueryResult(entries=matching, access=access, unread=limit)
            size = CHUNK_TO_ASK if self._checks_objects else CHUNK
            cursor = Cursor(key=entries[-1].id, is_newer=cursor is not None and cursor.is_newer)
            if self.object_access.asked_count - asked_before >= MOST_ASKED:
                return QueryResult(entries=matching, access=access, unread=_next_key(cursor))

    def _search_by_database(self, cursor: Cursor | None, count: int) -> QueryResult:
        entries, limit = self._select(cursor, count)
        return QueryResult(entries=entries, access=self.field_access(), unread=limit)

    def _select(self, cursor: Cursor | None, count: int) -> tuple[list[Entry], UUID | None]:
        if not self._scans_the_log:
            return self._read(self._from(cursor)[:count], cursor), None
        hint = self._hint(cursor, is_bounded=True)
        for most in (NEAR, FAR):
            limit = self._entry_after(most, self._log_from(cursor), hint)
            entries = self._read(_before(self._from(cursor), limit)[:count], cursor)
            if limit is None or len(entries) >= count:
                return entries, None
        return entries, limit

    def recent(self, count: int, *, log: EntryQuerySet, has_moments: bool) -> RecentEntries:
        """Return the values of the matching ones of the newest entries of a log.

        At most `count` entries are looked at, and only the newest `MOST_SEARCHED` are searched.
        What the reader may see does not decide how many are read: the number would disclose it.
        """
        newest, limit = self._newest(log)
        hint = self._hint(None, is_bounded=limit is not None)
        if not self.checks_each_entry:
            end = self._entry_after(count, newest, hint)
            newest = _before(newest, end)
            with searching(self.entries.db):
                entries = combinations(newest)
            access = self.field_access()
            if not access.hides_actions:
                times: tuple[datetime, ...] = ()
                if has_moments:
                    with searching(self.entries.db):
                        times = tuple(moments(newest))
                return RecentEntries(
                    entries=self.matching(entries, access),
                    access=access,
                    is_complete=limit is None and end is None,
                    moments=times,
                )
        if self._checks_objects:
            count = min(count, MOST_ASKED)
        with self._limited():
            read = _fetch(newest[: count + 1], hint=hint, columns=_COLUMNS_OF_FACETS)
        access = self.field_access()
        entries = self.matching(read[:count], access)
        return RecentEntries(
            entries=entries,
            access=access,
            is_complete=limit is None and len(read) <= count,
            moments=tuple(datetime_of(microseconds_in(one.id)) for one in entries),
        )

    def _newest(self, log: EntryQuerySet) -> tuple[EntryQuerySet, UUID | None]:
        """Return the newest entries that can match, and the entry before which they end."""
        entries = self.entries
        if not self.filters.depend_on_the_reader:
            entries = self.filters.narrowed(entries)
        limit = None
        if not self.is_within_one_record or self.filters:
            newest = self.filters.bounded(log).newest_first()
            limit = self._entry_after(MOST_SEARCHED, newest, self._hint(None, is_bounded=True))
        return _before(entries.newest_first(), limit), limit

    def chunks(self, size: int) -> Iterator[tuple[list[Entry], FieldAccess]]:
        """Yield all entries that match, newest first; `size` are read at a time."""
        cursor: Cursor | None = None
        while True:
            entries = self._read(self._from(cursor)[:size], cursor)
            access = self.field_access()
            count, last = len(entries), entries[-1:]
            matching = self.matching(entries, access)
            del entries  # Only one chunk is in memory at a time.
            if matching:
                yield matching, access
            del matching
            if count < size:
                return
            cursor = Cursor(key=last[0].id)

    def settled(
        self, after: UUID, before: UUID, count: int
    ) -> tuple[list[Entry], FieldAccess, UUID | None]:
        """Return matching entries between two keys, oldest first, and where to go on.

        At most `count` entries are read, and only the first `FAR` of the log are searched for
        them. The place to go on is the last key that was looked at; None: all were.
        """
        first = Cursor(key=after, is_newer=True)
        limit = None
        if self._scans_the_log:
            limit = self._entry_after(FAR, self._log_from(first), self._time_hint())
        bound = before if limit is None else min(limit, before)
        read = self._read(self._from(first).older_than(bound)[: count + 1], first)
        access = self.field_access()
        if len(read) > count:
            read = read[:count]
            place: UUID | None = read[-1].id
        else:
            place = None if limit is None or limit >= before else UUID(int=limit.int - 1)
        return self.matching(read, access), access, place

    def among(self, entries: EntryQuerySet) -> tuple[list[Entry], FieldAccess]:
        """Return the matching ones of some entries, and what the reader may see of them."""
        read = self._read(entries)
        access = self.field_access()
        return self.matching(read, access), access

    def field_access(self) -> FieldAccess:
        """Return what the reader may see from now on. Call it after the entries are read."""
        return FieldAccess.load(self.reader, using=self.entries.db, is_revealing=self.is_revealing)

    def matching(self, entries: Sequence[Entry], access: FieldAccess) -> list[Entry]:
        """Return the entries that the reader may know of, and that match the filters."""
        access.prepare(entries)
        if self._checks_objects:
            entries = self.object_access.visible(entries, reader=self.reader, using=self.entries.db)
        return self.filters.matching(entries, access)

    @property
    def checks_each_entry(self) -> bool:
        """Whether the database alone cannot decide which entries match."""
        return self.filters.depend_on_the_reader or self._checks_objects

    @property
    def _scans_the_log(self) -> bool:
        """Whether no index leads to the entries that match."""
        return not self.filters.go_by_indexes

    @property
    def _checks_objects(self) -> bool:
        # A timeline of one subject was checked when it was made.
        return not self.is_within_one_record and has_object_permissions()

    def _from(self, cursor: Cursor | None) -> EntryQuerySet:
        return _in_order(self.filters.narrowed(self.entries), cursor)

    def _log_from(self, cursor: Cursor | None) -> EntryQuerySet:
        return _in_order(self.filters.bounded(self.log), cursor)

    def _limit(self, cursor: Cursor | None) -> UUID | None:
        """Return the entry at which a search stops, or None if it goes on to the end."""
        return self._entry_after(MOST_SEARCHED, self._log_from(cursor), self._hint(cursor))

    def _entry_after(self, count: int, entries: EntryQuerySet, hint: str) -> UUID | None:
        """Return the key of the entry after the first `count`, or None if there are no more."""
        with self._limited():
            found = _hinted(entries.only("id")[count : count + 1], hint)
        return found[0].id if found else None

    def _read(
        self, entries: EntryQuerySet, cursor: Cursor | None = None, *, is_bounded: bool = False
    ) -> list[Entry]:
        with self._limited():
            return _fetch(entries, hint=self._hint(cursor, is_bounded=is_bounded))

    def _limited(self) -> AbstractContextManager[None]:
        """Return the context in which a statement runs, which may search many entries."""
        if self.checks_each_entry or self._scans_the_log:
            return searching(self.entries.db)
        return nullcontext()

    def _hint(self, cursor: Cursor | None, *, is_bounded: bool = False) -> str:
        """Return the index hint for a query that begins or ends in the middle of an index."""
        is_limited = is_bounded or self.filters.depend_on_the_reader
        if not self.is_within_one_record:
            return self._time_hint() if is_limited else ""
        (index,) = (index.name for index in Entry._meta.indexes if "subject_id" in index.fields)
        backend = backend_of(connections[self.entries.db])
        return backend.place_hint(index) if is_limited or cursor is not None else ""

    def _time_hint(self) -> str:
        backend = backend_of(connections[self.entries.db])
        return "" if self.filters.have_an_index else backend.place_hint(backend.primary_key)


def _fetch(entries: EntryQuerySet, *, hint: str, columns: Sequence[str] = _COLUMNS) -> list[Entry]:
    """Return the entries of a queryset under the names of today.

    The database gets an index hint if there is one. Django loads other columns when they are used.
    """
    found = _hinted(entries, hint) if hint else _of_rows(entries, columns)
    if not found or not renames.of(entries.db):
        return found
    return [renames.translate(entry, using=entries.db) for entry in found]


def _of_rows(entries: EntryQuerySet, columns: Sequence[str]) -> list[Entry]:
    """Return the entries of a queryset: what Django does, in a quarter of the time.

    `Model.__init__` sets each field by itself and sends two signals, for each of the entries.
    """
    state = ModelState()
    state.adding, state.db = False, entries.db
    found = []
    for row in _rows(entries, columns):
        entry = Entry.__new__(Entry)
        entry.__dict__.update(zip(columns, row, strict=True))
        entry._state = state
        found.append(entry)
    return found


def _rows(entries: EntryQuerySet, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    try:
        return list(entries.values_list(*columns))
    except OperationalError as error:
        if not backend_of(connections[entries.db]).is_sort_error(error):
            raise
    # The keys alone can be sorted.
    keys = list(entries.values_list("id", flat=True))
    found = Entry.objects.using(entries.db).filter(id__in=keys).order_by()
    by_key = {row[0]: row[1:] for row in found.values_list("id", *columns)}
    return [by_key[key] for key in keys if key in by_key]


def _hinted(entries: EntryQuerySet, hint: str) -> list[Entry]:
    if not hint:
        return list(entries)
    try:
        sql, parameters = entries.query.get_compiler(using=entries.db).as_sql()
    except EmptyResultSet:
        return []
    table = f" FROM {connections[entries.db].ops.quote_name(Entry._meta.db_table)}"
    hinted = sql.replace(table, table + hint, 1)
    return list(Entry.objects.using(entries.db).raw(hinted, parameters))


def _in_order(entries: EntryQuerySet, cursor: Cursor | None) -> EntryQuerySet:
    """Return the entries on the cursor's side of its key, the nearest first."""
    if cursor is None:
        return entries.newest_first()
    if cursor.is_newer:
        return entries.newer_than(cursor.key).order_by("id")
    return entries.older_than(cursor.key).newest_first()


def _next_key(cursor: Cursor) -> UUID:
    """Return the key next to that of a cursor, on the cursor's side."""
    return UUID(int=cursor.key.int + (1 if cursor.is_newer else -1))


def _before(entries: EntryQuerySet, limit: UUID | None) -> EntryQuerySet:
    """Return the ordered entries that come before the entry `limit`; None: all of them."""
    if limit is None:
        return entries
    is_oldest_first = entries.query.order_by == ("id",)
    return entries.older_than(limit) if is_oldest_first else entries.newer_than(limit)
