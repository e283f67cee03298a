"""The log side by side with what its seals state, in the order of keys and in bounded memory."""

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.feed.seals.ledger import SealedEntry, entries_after, places, seals_of
from django_customer_history.models import Entry, Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An entry and its place in the seals; one of them may be missing."""

    entry: Entry | None
    place: SealedEntry | None


def compared(
    log_name: str, *, using: str, up_to: UUID, newest: int, without: Collection[int] = ()
) -> Iterator[Pair]:
    """Yield each entry up to a key together with its place, and each place without an entry.

    `newest` is the ID of the last seal that counts, and `without` are those of seals that are not
    to be trusted.
    """
    stated = _stated(log_name, using=using, newest=newest, without=without)
    place = next(stated, None)
    for entry in entries_after(LOWEST_KEY, using=using, up_to=up_to):
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


def last_key(log_name: str, *, using: str) -> UUID:
    """Return the key up to which the log is sealed, apart from late entries."""
    seals = Seal.objects.using(using).filter(log_name=log_name, is_late=False)
    found = seals.order_by("-id").values_list("last_key", flat=True).first()
    return found or LOWEST_KEY


def _stated(
    log_name: str, *, using: str, newest: int, without: Collection[int]
) -> Iterator[SealedEntry]:
    """Yield all places in the order of keys: those in their order are one row, late ones others."""

    def in_order() -> Iterator[SealedEntry]:
        for seal in seals_of(log_name, using=using, is_late=False, id__lte=newest):
            if seal.pk not in without:
                yield from places(seal)

    late = Seal.objects.using(using).filter(log_name=log_name, is_late=True, id__lte=newest)
    chosen = [pk for pk in late.order_by("id").values_list("id", flat=True) if pk not in without]
    rows = [in_order(), *(_late(pk, using) for pk in chosen)]
    return heapq.merge(*rows, key=lambda place: place.key)


def _late(pk: int, using: str) -> Iterator[SealedEntry]:
    yield from places(Seal.objects.using(using).get(pk=pk))
