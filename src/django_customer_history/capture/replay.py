"""What the log says about one row, from its entries in the order of time.

Not everything is known: entries of an import are not of triggers, secret values are not in the
log, and what is older than the registration of a field was not logged. What is not known is never
compared.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.values.comparison import is_same_text
from django_customer_history.values.types import ValueType

Text = str | None
Pair = tuple[Text, Text]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedChange:
    """The part of an entry that matters to the state of its row."""

    id: UUID
    kind: str
    changes: Mapping[str, Pair]
    is_baseline: bool = False
    is_imported: bool = False
    """Whether it was made from a record of another package, and not by a trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that happened to a row without an entry."""

    text: str
    """What happened, after the name of the row: "status differs from the log"."""
    since: UUID
    """The last entry that knew better; nothing is known from before it."""
    until: UUID | None = None
    """The entry before which it happened; None: it is so in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRules:
    """How the texts of a model's fields are compared."""

    types: Mapping[str, ValueType] = field(default_factory=dict)
    """By field."""
    known_since: Mapping[str, UUID] = field(default_factory=dict)
    """Fields that were not always logged in the same way, and the entry since which they are."""
    keys: frozenset[str] = frozenset()
    """The fields of the key. Only an entry that changes the key names them."""
    links: frozenset[str] = frozenset()
    """The many-to-many fields."""

    def since(self, name: str) -> UUID:
        """Return the entry since which a field, or the field of a JSON key, is logged."""
        return self.known_since.get(name.partition(".")[0], LOWEST_KEY)

    def is_of_links(self, names: Iterable[str]) -> bool:
        """Return whether the fields of an entry are links."""
        return any(name in self.links for name in names)

    def is_same(self, name: str, one: Text, other: Text) -> bool:
        """Return whether two texts are the same value of a field, or of a key of a JSON field."""
        value_type = self.types.get(name.partition(".")[0])
        if value_type is ValueType.JSON and "." not in name:
            # With a parent in another table, NULL and the null of JSON are the same.
            one, other = (None if text == "null" else text for text in (one, other))
        return is_same_text(one, other, value_type)


@dataclass(slots=True, kw_only=True)
class ReplayedRow:
    """A row as its entries say that it is. Pass them to `take`, the oldest first."""

    rules: FieldRules
    exists: bool | None = None
    """None: not known."""
    last: UUID = LOWEST_KEY
    """The last entry that was taken."""
    start: UUID | None = None
    """The entry that has all values that were not null; None: there is none."""
    links: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How many links to each record there are, by many-to-many field, as far as it is known."""
    _values: dict[str, tuple[UUID, Text, bool]] = field(default_factory=dict)

    def known(self, name: str) -> tuple[UUID, Text] | None:
        """Return the value of a field and the entry that has it; None: it is not known."""
        since = self.rules.since(name)
        if name in self._values:
            entry, text, is_certain = self._values[name]
            return (entry, text) if is_certain and entry > since else None
        if self.start is not None and self.start > since:
            return self.start, None
        return None

    def names(self) -> Iterator[str]:
        """Yield the fields, and keys of JSON fields, that entries named."""
        yield from self._values

    def knows_all_links(self, name: str) -> bool:
        """Return whether a link that no entry has was never there."""
        return self.start is not None and self.start > self.rules.since(name)

    def take(self, change: LoggedChange) -> Iterator[Difference]:
        """Take the next entry; yield what must have happened before it without an entry."""
        if change.kind in ("add", "remove"):
            self._take_links(change)
        elif change.kind == "create":
            yield from self._create(change)
        elif change.kind == "update":
            yield from self._compared(change)
            self._set(change)
        elif change.kind == "delete":
            yield from self._compared(change)
            self._begin(None, exists=None if change.is_imported else False)
        elif change.is_baseline:
            self._take_baseline(change)
        else:
            return
        self.last = change.id

    def leave(self, entry: UUID) -> None:
        """Note that the row got another key: there is none with this key any more."""
        self._begin(None, exists=False)
        self.last = entry

    def _begin(self, start: UUID | None, *, exists: bool | None) -> None:
        self.exists, self.start = exists, start
        self._values.clear()
        self.links.clear()

    def _create(self, change: LoggedChange) -> Iterator[Difference]:
        if self.exists and not change.is_imported:
            yield Difference(text="was removed without an entry", since=self.last, until=change.id)
        start = None if change.is_imported else change.id
        self._begin(start, exists=None if change.is_imported else True)
        self._set(change)

    def _compared(self, change: LoggedChange) -> Iterator[Difference]:
        """Yield what differs from the old values that an entry has."""
        if change.is_imported:
            return
        if self.exists is False:
            yield Difference(text="was added without an entry", since=self.last, until=change.id)
            self._begin(None, exists=True)
            return
        self.exists = True
        for name, (old, new) in change.changes.items():
            known = self.known(name)
            if known is None or name in self.rules.keys or (old is None and new is None):
                continue
            if not self.rules.is_same(name, known[1], old):
                yield Difference(
                    text=f"{name} was changed without an entry", since=known[0], until=change.id
                )

    def _set(self, change: LoggedChange) -> None:
        for name, (old, new) in change.changes.items():
            # Two nulls are the mark of a secret value.
            is_certain = not change.is_imported and not (old is None and new is None)
            self._values[name] = (change.id, new, is_certain)

    def _take_baseline(self, change: LoggedChange) -> None:
        """Take the entry of a row, or of a link, that was there before its registration."""
        self._set(change)
        if change.is_imported:
            return
        self.exists = True
        # It has every value that was not null and has no entry.
        self.start = self.start or change.id

    def take_linked(self, change: LoggedChange) -> None:
        """Take the baseline of links."""
        for name, (_old, new) in change.changes.items():
            self.links[name][new or ""] += 1

    def _take_links(self, change: LoggedChange) -> None:
        # The database may remove the links after the row.
        if self.exists is False or change.is_imported:
            return
        for name, (old, new) in change.changes.items():
            counted = self.links[name]
            if change.kind == "add":
                counted[new or ""] += 1
            else:
                counted[old or ""] = max(counted[old or ""] - 1, 0)
