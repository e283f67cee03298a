"""Entries looked for in the log: those that fit, on one side of a place, for one reader.

What only a reader's own rights decide is sorted out here, some hundred entries at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.object_access import ObjectAccess
from django_customer_history.access.permissions import (
    Reader,
    has_object_permissions,
)
from django_customer_history.backends import backend_of
from django_customer_history.capture.registration_log import (
    changed_registrations,
    former_labels,
)
from django_customer_history.models import (
    ConfidentialField,
    Entry,
    EntryQuerySet,
)
from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.filters import Filters

CHUNK = 500
"""Entries that are read at once, where each must be looked at before it is shown."""

MOST_SEARCHED = 10_000
"""Entries that are looked through for one page, where what may be seen of them decides."""

NEAR, FAR = 5_000, 500_000
"""Entries of the log that are looked through for one page, where no index leads to those that fit:
so many at first, as they mostly do, and so many at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """What was found, in the order in which it was looked for."""

    entries: list[Entry]
    sight: FieldAccess
    rest: UUID | None = None
    """The first entry that was not looked at any more, where the search has not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """Looks for the entries of one timeline."""

    reader: Reader
    entries: EntryQuerySet
    """Those that fit for every reader."""
    log: EntryQuerySet
    """Those among which they are: what the filters were put to."""
    filters: Filters
    reach: ObjectAccess
    is_within_one_record: bool
    is_revealing: bool

    def read(
        self, entries: EntryQuerySet, place: Cursor | None = None, *, is_bounded: bool = False
    ) -> tuple[list[Entry], FieldAccess]:
        """Return entries, and what the reader may see by the marks of the same moment."""
        using = entries.db
        found = _read(entries, hint=self._hint(place, is_bounded=is_bounded))
        # After the entries: no value is ever shown under marks that are older than itself.
        marks = list(ConfidentialField.objects.using(using).order_by("pk"))
        changed = changed_registrations(Entry.objects.using(using))
        return found, FieldAccess(
            self.reader,
            marks=marks,
            using=using,
            former_labels=former_labels(changed),
            is_revealing=self.is_revealing,
        )

    def found(self, place: Cursor | None, wanted: int) -> QueryResult:
        """Return so many entries that fit, those next to a place first.

        Where what may be seen of them decides, the search ends after `MOST_SEARCHED` entries.
        How far it comes depends on what everybody may know of, so that it tells nothing.
        """
        if not self.looks_at_each:
            return self._found_by_database(place, wanted)
        rest, size = self._end(place), wanted
        found: list[Entry] = []
        while True:
            stored, sight = self.read(_up_to(self._side(place), rest)[:size], place)
            found += self.fitting(stored, sight)
            if len(found) >= wanted:
                return QueryResult(entries=found[:wanted], sight=sight)
            if len(stored) < size:
                return QueryResult(entries=found, sight=sight, rest=rest)
            size = CHUNK
            place = Cursor(key=stored[-1].id, is_newer=place is not None and place.is_newer)

    def _found_by_database(self, place: Cursor | None, wanted: int) -> QueryResult:
        if not self._goes_through_the_log:
            entries, sight = self.read(self._side(place)[:wanted], place)
            return QueryResult(entries=entries, sight=sight)
        for most in (NEAR, FAR):
            end = self._beyond(self._log_beside(place), self._by_time(), most=most)
            entries, sight = self.read(_up_to(self._side(place), end)[:wanted], place)
            found = QueryResult(entries=entries, sight=sight, rest=end)
            if end is None or len(entries) >= wanted:
                return replace(found, rest=None)
        return found

    def recent(self, count: int, *, log: EntryQuerySet) -> tuple[list[Entry], FieldAccess, bool]:
        """Return what fits among so many entries, the newest of a log, and whether it is all.

        The filters keep entries of the newest `MOST_SEARCHED` alone. Where what may be seen of
        them decides, that does not choose them: their number would tell.
        """
        entries = self.entries
        if not self.filters.depend_on_the_reader:
            entries = self.filters.narrowed(entries)
        is_all = self.is_within_one_record and not self.filters
        newest = self.filters.bounded(log).newest_first()
        end = None if is_all else self._beyond(newest, self._hint(None, is_bounded=True))
        some = _up_to(entries.newest_first(), end)[: count + 1]
        stored, sight = self.read(some, is_bounded=end is not None)
        is_complete = end is None and len(stored) <= count
        return self.fitting(stored[:count], sight), sight, is_complete

    def chunks(self, size: int) -> Iterator[tuple[list[Entry], FieldAccess]]:
        """Yield all entries that fit, newest first, read so many at a time."""
        place: Cursor | None = None
        while True:
            stored, sight = self.read(self._side(place)[:size], place)
            if found := self.fitting(stored, sight):
                yield found, sight
            if len(stored) < size:
                return
            place = Cursor(key=stored[-1].id)

    def fitting(self, entries: Sequence[Entry], sight: FieldAccess) -> list[Entry]:
        """Return those of some entries that are for this reader, and fit."""
        if self._asks_for_objects:
            entries = self.reach.within(entries, reader=self.reader, using=self.entries.db)
        return [entry for entry in entries if self.filters.fits(entry, sight)]

    @property
    def looks_at_each(self) -> bool:
        """Whether the database alone cannot tell what belongs to the answer."""
        return self.filters.depend_on_the_reader or self._asks_for_objects

    @property
    def _goes_through_the_log(self) -> bool:
        """Whether no index leads to what is asked for."""
        return not self.is_within_one_record and not self.filters.go_by_indexes

    @property
    def _asks_for_objects(self) -> bool:
        # Of one subject it was asked before.
        return not self.is_within_one_record and has_object_permissions()

    def _side(self, place: Cursor | None) -> EntryQuerySet:
        return _on_side(self.filters.narrowed(self.entries), place)

    def _end(self, place: Cursor | None) -> UUID | None:
        """Return the entry at which a search ends that has not found enough; None: at no one.

        Where records may be out of reach, their number would be told.
        """
        if not self.filters.depend_on_the_reader or self._asks_for_objects:
            return None
        return self._beyond(self._log_beside(place), self._hint(place))

    def _log_beside(self, place: Cursor | None) -> EntryQuerySet:
        return _on_side(self.filters.bounded(self.log), place)

    def _beyond(
        self, entries: EntryQuerySet, hint: str = "", *, most: int = MOST_SEARCHED
    ) -> UUID | None:
        """Return the first entry that a search does not come to, None where there is none."""
        found = _read(entries.only("id")[most : most + 1], hint=hint)
        return found[0].id if found else None

    def _hint(self, place: Cursor | None, *, is_bounded: bool = False) -> str:
        """Return what tells the database the index, where it begins or ends within it."""
        is_sure = is_bounded or self.filters.depend_on_the_reader
        if not self.is_within_one_record:
            return self._by_time() if is_sure else ""
        (index,) = (one.name for one in Entry._meta.indexes if "subject_id" in one.fields)
        backend = backend_of(connections[self.entries.db])
        return backend.place_hint(index) if is_sure or place is not None else ""

    def _by_time(self) -> str:
        backend = backend_of(connections[self.entries.db])
        return "" if self.filters.have_an_index else backend.place_hint(backend.primary_key)


def _read(entries: EntryQuerySet, *, hint: str) -> list[Entry]:
    """Return the entries of a queryset, with an index hint for the database if there is one."""
    if not hint:
        return list(entries)
    try:
        sql, parameters = entries.query.get_compiler(using=entries.db).as_sql()
    except EmptyResultSet:
        return []
    table = f" FROM {connections[entries.db].ops.quote_name(Entry._meta.db_table)}"
    hinted = sql.replace(table, table + hint, 1)
    return list(Entry.objects.using(entries.db).raw(hinted, parameters))


def _on_side(entries: EntryQuerySet, place: Cursor | None) -> EntryQuerySet:
    if place is None:
        return entries.newest_first()
    if place.is_newer:
        return entries.newer_than(place.key).order_by("id")
    return entries.older_than(place.key).newest_first()


def _up_to(entries: EntryQuerySet, end: UUID | None) -> EntryQuerySet:
    """Return what comes before an entry, in the order of the entries."""
    if end is None:
        return entries
    is_newer = entries.query.order_by == ("id",)
    return entries.older_than(end) if is_newer else entries.newer_than(end)
