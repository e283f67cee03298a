"""The log side by side with what its seals state, in the order of keys and in bounded memory."""

import heapq
from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.feed.seals.ledger import (
    PAGE,
    SealedEntry,
    entries_after,
    places,
    seals_of,
)
from django_customer_history.models import Entry, Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An entry and its place in the seals; one of them may be missing."""

    entry: Entry | None
    place: SealedEntry | None


def compared(
    log_name: str,
    *,
    using: str,
    up_to: UUID,
    newest: int,
    after: UUID = LOWEST_KEY,
    oldest: int = 0,
    without: Collection[int] = (),
) -> Iterator[Pair]:
    """Yield each entry up to a key together with its place, and each place without an entry.

    `newest` is the ID of the last seal that counts, and `without` are those of seals that are not
    to be trusted. Seals up to the ID `oldest` do not count, nor entries up to the key `after`,
    unless a newer seal has them.
    """
    conditions = {"id__gt": oldest, "id__lte": newest}
    stated = _stated(log_name, using=using, without=without, **conditions)
    place = yield from _early(stated, using=using, up_to=after)
    for entry in entries_after(after, using=using, up_to=up_to):
        while place is not None and place.key < entry.id:
            yield Pair(entry=None, place=place)
            place = next(stated, None)
        if place is None or place.key != entry.id:
            yield Pair(entry=entry, place=None)
            continue
        yield Pair(entry=entry, place=place)
        place = next(stated, None)
    while place is not None:
        yield Pair(entry=None, place=place)
        place = next(stated, None)


def last_key(log_name: str, *, using: str, newest: int | None = None) -> UUID:
    """Return the key up to which the log is sealed, apart from late entries.

    `newest` is the ID of the last seal that counts; None: all count.
    """
    seals = Seal.objects.using(using).filter(log_name=log_name, is_late=False)
    if newest is not None:
        seals = seals.filter(id__lte=newest)
    found = seals.order_by("-id").values_list("last_key", flat=True).first()
    return found or LOWEST_KEY


def _early(
    stated: Iterator[SealedEntry], *, using: str, up_to: UUID
) -> Generator[Pair, None, SealedEntry | None]:
    """Yield the late entries up to a key; return the first place behind it."""
    place = next(stated, None)
    while place is not None and place.key <= up_to:
        page: list[SealedEntry] = []
        while place is not None and place.key <= up_to and len(page) < PAGE:
            page.append(place)
            place = next(stated, None)
        found = Entry.objects.using(using).in_bulk([one.key for one in page])
        for one in page:
            yield Pair(entry=found.get(one.key), place=one)
    return place


def _stated(
    log_name: str, *, using: str, without: Collection[int], **conditions: int
) -> Iterator[SealedEntry]:
    """Yield all places in the order of keys: those in their order are one row, late ones others."""

    def in_order() -> Iterator[SealedEntry]:
        for seal in seals_of(log_name, using=using, is_late=False, **conditions):
            if seal.pk not in without:
                yield from places(seal)

    late = Seal.objects.using(using).filter(log_name=log_name, is_late=True, **conditions)
    ranges = late.order_by("id").values_list("id", "first_key", "last_key")
    chosen = [one for one in ranges if one[0] not in without]
    rows = [in_order(), *(_late(row, using) for row in _rows(chosen))]
    return heapq.merge(*rows, key=lambda place: place.key)


def _rows(ranges: Iterable[tuple[int, UUID, UUID]]) -> list[list[int]]:
    """Return late seals in rows, each in the order of keys: of a row, one seal is in memory."""
    rows: list[tuple[UUID, list[int]]] = []
    for pk, first_key, last_key in ranges:
        number = next((n for n, (end, _row) in enumerate(rows) if end < first_key), len(rows))
        row = rows[number][1] if number < len(rows) else []
        rows[number : number + 1] = [(last_key, [*row, pk])]
    return [row for _end, row in rows]


def _late(row: Iterable[int], using: str) -> Iterator[SealedEntry]:
    for pk in row:
        yield from places(Seal.objects.using(using).get(pk=pk))
