"""What a verification finds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django_customer_history.feed.seals.comparison import Pair
from django_customer_history.feed.seals.leaves import LeafFormat
from django_customer_history.feed.seals.ledger import SealedEntry
from django_customer_history.keys import datetime_of, microseconds_in
from django_customer_history.models import Entry
from django_customer_history.verify import leaf_hash

FindingKind = Literal[
    "altered", "removed", "inserted", "moved", "forged", "missing", "late", "unlogged", "capture"
]

_MOST = 100
"""How many wrong entries are compared with each other to find those that were moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not what was sealed: an entry, or a seal or checkpoint."""

    kind: FindingKind
    """Entries are altered, removed, inserted or moved; seals and checkpoints forged or missing.

    Late ones are of an import that the log announces, and not sealed yet. What was written to a
    tracked table without an entry is unlogged, and what can keep changes out of the log is of the
    kind capture.
    """
    text: str
    entry: UUID | None = None


def number_of(findings: int) -> str:
    """Return a number of findings as words."""
    return "1 finding" if findings == 1 else f"{findings} findings"


@dataclass(kw_only=True)
class MovedEntries:
    """Finds out which of the wrong entries have what another entry had."""

    secret: bytes
    _held: list[Pair] = field(default_factory=list)

    def take(self, pair: Pair) -> Iterator[Finding]:
        """Take an entry that is wrong. After the first ones, yield a finding for each at once."""
        if len(self._held) < _MOST:
            self._held.append(pair)
        else:
            yield _finding(pair)

    def rest(self) -> Iterator[Finding]:
        """Yield the findings for the entries that were held back."""
        former = {}
        for pair in self._held:
            if pair.entry is not None and (place := self._former_place(pair.entry)):
                former[pair.entry.id] = place.key
        left = set(former.values())
        for pair in self._held:
            if pair.entry is not None and pair.entry.id in former:
                key = pair.entry.id
                text = f"Entry {key} has what entry {former[key]} had when it was sealed."
                yield Finding(kind="moved", text=text, entry=key)
            elif pair.entry is not None or pair.place is None or pair.place.key not in left:
                yield _finding(pair)

    def _former_place(self, entry: Entry) -> SealedEntry | None:
        form = LeafFormat(secret=self.secret)
        for pair in self._held:
            place = pair.place
            if place is None or place.key == entry.id:
                continue
            moments = [entry.timestamp, datetime_of(microseconds_in(place.key))]
            leaves = (form.leaf(entry, key=place.key, moment=one) for one in moments)
            if any(leaf_hash(leaf) == place.hashed for leaf in leaves):
                return place
        return None


def _finding(pair: Pair) -> Finding:
    entry, place = pair.entry, pair.place
    if entry is None and place is not None:
        text = f"Entry {place.key}, leaf {place.number}, was removed."
        return Finding(kind="removed", text=text, entry=place.key)
    if entry is not None and place is not None:
        text = f"Entry {entry.id}, leaf {place.number}, was altered."
        return Finding(kind="altered", text=text, entry=entry.id)
    key = None if entry is None else entry.id
    text = f"Entry {key} was inserted: it is older than the last seal, and in no seal."
    return Finding(kind="inserted", text=text, entry=key)
