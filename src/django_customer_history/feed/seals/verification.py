"""Verify the log: recompute every leaf and every tree, and compare them with seals and copies.

The seals are checked first: their signatures, their columns, and that the tree of each begins with
the right edge of the one before it and has the leaves of its index. Then the log and the seals are
read side by side in the order of keys, and each leaf is compared with its hash in an index.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.feed.seals.attestations import check_attestations
from django_customer_history.feed.seals.comparison import Pair, compared, last_key
from django_customer_history.feed.seals.copies import Copy, folders
from django_customer_history.feed.seals.findings import Finding, MovedEntries
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.late import LateEntries
from django_customer_history.feed.seals.leaves import LeafFormat
from django_customer_history.feed.seals.ledger import checked, last_seal, leaf_hashes, seals_of
from django_customer_history.feed.seals.merkle import GrownTree, RightEdge
from django_customer_history.feed.seals.sealing import log_name_of
from django_customer_history.models import Entry, Seal
from django_customer_history.verify import Checkpoint, VerificationError, leaf_hash, opened

_STEP = 1_000
"""Entries between two calls that show the progress."""


@dataclass(kw_only=True)
class Verification:
    """Verifies the log of one database; `run` yields what is wrong."""

    key: SealKey
    using: str
    since: datetime | int | None = None
    """Only seals that were made since this moment, or since the tree had so many entries. Entries
    that are older are not verified."""
    roots: Sequence[Any] = ()
    """The certificates that timestamps must lead to. Without any, timestamps are not checked."""
    copies: Iterable[Copy] = ()
    """Copies of checkpoints in addition to those that the setting SEAL_TARGETS names."""
    show: Callable[[int], None] = lambda _count: None
    """Is called with the number of entries that are verified."""
    seals: int = 0
    entries: int = 0
    unsealed: int = 0
    """Entries after the last seal. Nothing is stated about them yet."""

    def run(self) -> Iterator[Finding]:
        """Yield what is wrong, and count what was verified."""
        own = log_name_of(self.key, using=self.using)
        seals = Seal.objects.using(self.using)
        names = {own, *seals.order_by().values_list("log_name", flat=True).distinct()}
        if not seals.exists():
            yield Finding(kind="missing", text="The log has no seals.")
        for name in sorted(names):
            tree = _Tree(log_name=name)
            yield from self._begin(tree)
            yield from self._checked_seals(tree)
            yield from self._compared_entries(tree)
            yield from self._compared_copies(tree)
        copies = list(self.copies)
        for copy in copies:
            yield from self._compared_copy(copy, names)

    def _begin(self, tree: "_Tree") -> Iterator[Finding]:
        """Begin with the last seal that is too old to be verified."""
        if self.since is None:
            return
        older = {"timestamp__lt" if isinstance(self.since, datetime) else "size__lte": self.since}
        seal = last_seal(tree.log_name, using=self.using, **older)
        if seal is None:
            return
        tree.start = tree.size = seal.size
        tree.oldest = tree.newest = seal.pk
        tree.after = tree.last_key = last_key(tree.log_name, using=self.using, newest=seal.pk)
        try:
            tree.edge = checked(seal, self.key)
        except VerificationError as error:
            tree.edge = None
            yield Finding(kind="forged", text=f"{_name(seal)}: {error}")

    def _checked_seals(self, tree: "_Tree") -> Iterator[Finding]:
        for seal in seals_of(tree.log_name, using=self.using, id__gt=tree.oldest):
            self.seals += 1
            tree.newest = seal.pk
            try:
                edge = checked(seal, self.key)
            except VerificationError as error:
                tree.distrust(seal)
                yield Finding(kind="forged", text=f"{_name(seal)}: {error}")
                continue
            if seal.start < tree.size:
                tree.distrust(seal)
                yield Finding(
                    kind="forged",
                    text=f"{_name(seal)} begins at {seal.start}, and the seal before it ends at"
                    f" {tree.size}.",
                )
                continue
            if seal.start > tree.size and not tree.has_gap:
                yield Finding(
                    kind="missing",
                    text=f"{_name(seal)} begins at {seal.start}, and the seal before it ends at"
                    f" {tree.size}: a seal between them is missing.",
                )
            if not tree.grows_to(edge, seal):
                yield Finding(
                    kind="forged",
                    text=f"{_name(seal)}: the root of the tree is not that of its entries.",
                )
            tree.add(seal, edge)
            try:
                check_attestations(seal, roots=self.roots)
            except VerificationError as error:
                yield Finding(kind="forged", text=f"{_name(seal)}: {error}")

    def _compared_entries(self, tree: "_Tree") -> Iterator[Finding]:
        form, moved = LeafFormat(secret=self.key.secret), MovedEntries(secret=self.key.secret)
        late = LateEntries(using=self.using)
        for pair in compared(
            tree.log_name,
            using=self.using,
            up_to=tree.last_key,
            newest=tree.newest,
            after=tree.after,
            oldest=tree.oldest,
            without=tree.distrusted,
        ):
            entry, place = pair.entry, pair.place
            self.entries += entry is not None
            if self.entries % _STEP == 0:
                self.show(self.entries)
            if entry is not None and place is not None:
                is_right = leaf_hash(form.leaf(entry)) == place.hashed
            else:
                is_right = place is None and tree.is_in_gap(pair)
            if not is_right:
                yield from _wrong(pair, moved=moved, late=late)
        yield from late.rest()
        yield from moved.rest()
        if tree.log_name == log_name_of(self.key, using=self.using):
            later = Entry.objects.using(self.using).filter(id__gt=tree.last_key)
            self.unsealed = later.count()

    def _compared_copies(self, tree: "_Tree") -> Iterator[Finding]:
        for folder in folders():
            count = 0
            for copy in folder.copies(tree.log_name, after=tree.start):
                count += 1
                yield from self._compared_copy(copy, {tree.log_name})
            if count == 0 and tree.size > tree.start:
                yield Finding(kind="missing", text=f"{folder.url} has no copy of a checkpoint.")

    def _compared_copy(self, copy: Copy, names: set[str]) -> Iterator[Finding]:
        try:
            found = Checkpoint.read(opened(copy.note, self.key.verifiers))
        except VerificationError as error:
            yield Finding(kind="forged", text=f"{copy.place}: {error}")
            return
        if found.log_name not in names:
            yield Finding(kind="forged", text=f"{copy.place} is of the log {found.log_name}.")
            return
        seals = Seal.objects.using(self.using).filter(log_name=found.log_name, size=found.size)
        roots = [_root(seal) for seal in seals.defer("index")]
        if not roots:
            yield Finding(
                kind="missing",
                text=f"{copy.place} states {found.size} entries, and the seal of it is missing.",
            )
        elif found.root not in roots:
            yield Finding(
                kind="forged", text=f"{copy.place} has another root than the seal of its size."
            )


@dataclass(kw_only=True)
class _Tree:
    """What the seals of one log say, as far as they are to be trusted."""

    log_name: str
    start: int = 0
    """The size from which on it is verified, with the key and the seal up to which it is not."""
    after: UUID = LOWEST_KEY
    oldest: int = 0
    newest: int = 0
    size: int = 0
    edge: RightEdge | None = field(default_factory=RightEdge)
    """The right edge at that size; None: it is not known."""
    last_key: UUID = LOWEST_KEY
    distrusted: set[int] = field(default_factory=set)
    has_gap: bool = False
    """Whether seals are missing since the last one in order that is to be trusted."""
    gaps: list[tuple[UUID, UUID]] = field(default_factory=list)
    """The keys between which nothing is known about single entries."""

    def distrust(self, seal: Seal) -> None:
        """Leave out a seal."""
        self.distrusted.add(seal.pk)
        self.has_gap = True

    def grows_to(self, edge: RightEdge, seal: Seal) -> bool:
        """Return whether the leaves of a seal lead to its right edge, as far as it is known."""
        if self.edge is None or seal.start != self.size:
            return True
        return GrownTree.of(self.edge, leaf_hashes(seal)).root() == edge.root()

    def add(self, seal: Seal, edge: RightEdge) -> None:
        """Take a seal that is to be trusted."""
        self.has_gap = self.has_gap or seal.start != self.size
        self.size, self.edge = seal.size, edge
        if seal.is_late:
            return
        if self.has_gap:
            self.gaps.append((self.last_key, seal.first_key))
        self.last_key, self.has_gap = seal.last_key, False

    def is_in_gap(self, pair: Pair) -> bool:
        """Return whether nothing is known about an entry, as the seal about it is missing."""
        key = None if pair.entry is None else pair.entry.id
        return key is not None and any(start < key < end for start, end in self.gaps)


def _wrong(pair: Pair, *, moved: MovedEntries, late: LateEntries) -> Iterator[Finding]:
    if pair.entry is not None:
        late.distrust(pair.entry.id)
        if pair.place is None and late.take(pair.entry):
            return
    yield from moved.take(pair)


def _root(seal: Seal) -> bytes | None:
    """Return the root that a seal states; None if its edge is damaged."""
    try:
        return RightEdge.read(bytes(seal.edge), size=seal.size).root()
    except ValueError:
        return None


def _name(seal: Seal) -> str:
    return f"Seal {seal.pk} of {seal.size} entries"
