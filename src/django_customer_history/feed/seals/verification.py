"""Verify the log: recompute every leaf and every tree, and compare them with seals and copies.

The seals are checked first: their signatures, their columns, and that each continues the one
before. Then the log and the seals are read side by side in the order of keys. Each seal has a tree
of its own that begins with the right edge of the seal before it, so late entries cost no memory.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.feed.seals.comparison import Pair, compared
from django_customer_history.feed.seals.copies import Copy, folders
from django_customer_history.feed.seals.findings import Finding, MovedEntries
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.late import LateEntries
from django_customer_history.feed.seals.leaves import LeafFormat
from django_customer_history.feed.seals.ledger import DIGEST_SIZE, SealedEntry, checked, seals_of
from django_customer_history.feed.seals.merkle import RightEdge
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
            tree = _Tree(log_name=name, key=self.key, using=self.using)
            yield from self._checked_seals(tree)
            yield from self._compared_entries(tree)
            yield from self._compared_copies(tree)
        copies = list(self.copies)
        for copy in copies:
            yield from self._compared_copy(copy, names)

    def _checked_seals(self, tree: "_Tree") -> Iterator[Finding]:
        for seal in seals_of(tree.log_name, using=self.using):
            self.seals += 1
            tree.newest = seal.pk
            try:
                checked(seal, self.key)
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
            tree.add(seal)

    def _compared_entries(self, tree: "_Tree") -> Iterator[Finding]:
        form, moved = LeafFormat(secret=self.key.secret), MovedEntries(secret=self.key.secret)
        late = LateEntries(using=self.using)
        for pair in compared(
            tree.log_name,
            using=self.using,
            up_to=tree.last_key,
            newest=tree.newest,
            without=tree.distrusted,
        ):
            entry, place = pair.entry, pair.place
            hashed = None if entry is None else leaf_hash(form.leaf(entry))
            is_right = (
                place is not None and hashed is not None and hashed[:DIGEST_SIZE] == place.digest
            )
            if is_right or not (place is None and tree.is_in_gap(pair)):
                yield from self._counted(is_right=is_right, pair=pair, moved=moved, late=late)
            if place is not None and (problem := tree.take(place, hashed if is_right else None)):
                yield Finding(kind="forged", text=problem)
        yield from late.rest()
        yield from moved.rest()
        self.unsealed = (
            Entry.objects.using(self.using).filter(id__gt=tree.last_key).count()
            if tree.log_name == log_name_of(self.key, using=self.using)
            else self.unsealed
        )

    def _counted(
        self, *, is_right: bool, pair: Pair, moved: MovedEntries, late: LateEntries
    ) -> Iterator[Finding]:
        self.entries += pair.entry is not None
        if self.entries % _STEP == 0:
            self.show(self.entries)
        if is_right:
            return
        if pair.entry is not None:
            late.distrust(pair.entry.id)
            if pair.place is None and late.take(pair.entry):
                return
        yield from moved.take(pair)

    def _compared_copies(self, tree: "_Tree") -> Iterator[Finding]:
        for folder in folders():
            count = 0
            for copy in folder.copies(tree.log_name):
                count += 1
                yield from self._compared_copy(copy, {tree.log_name})
            if count == 0 and tree.size:
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
    key: SealKey
    using: str
    newest: int = 0
    size: int = 0
    last_key: UUID = LOWEST_KEY
    distrusted: set[int] = field(default_factory=set)
    has_gap: bool = False
    """Whether seals are missing since the last one in order that is to be trusted."""
    gaps: list[tuple[UUID, UUID]] = field(default_factory=list)
    """The keys between which nothing is known about single entries."""
    growing: dict[int, "_Growing"] = field(default_factory=dict)

    def distrust(self, seal: Seal) -> None:
        """Leave out a seal."""
        self.distrusted.add(seal.pk)
        self.has_gap = True

    def add(self, seal: Seal) -> None:
        """Take a seal that is to be trusted."""
        self.has_gap = self.has_gap or seal.start != self.size
        self.size = seal.size
        if seal.is_late:
            return
        if self.has_gap:
            self.gaps.append((self.last_key, seal.first_key))
        self.last_key, self.has_gap = seal.last_key, False

    def is_in_gap(self, pair: Pair) -> bool:
        """Return whether nothing is known about an entry, as the seal about it is missing."""
        key = None if pair.entry is None else pair.entry.id
        return key is not None and any(start < key < end for start, end in self.gaps)

    def take(self, place: SealedEntry, hashed: bytes | None) -> str | None:
        """Take the hash of a leaf, None if it is wrong. Return what is wrong with its seal."""
        if place.seal not in self.growing:
            self.growing[place.seal] = self._begun(place.seal)
        growing = self.growing[place.seal]
        growing.left -= 1
        if hashed is None:
            growing.edge = None
        elif growing.edge is not None:
            growing.edge.append(hashed)
        if growing.left:
            return None
        del self.growing[place.seal]
        if growing.edge is None or growing.edge.root() == growing.root:
            return None
        return f"{growing.name}: the root of the tree is not that of its entries."

    def _begun(self, pk: int) -> "_Growing":
        seals = Seal.objects.using(self.using).defer("index")
        seal = seals.get(pk=pk)
        before: RightEdge | None = RightEdge()
        if seal.start:
            found = seals.filter(log_name=self.log_name, size=seal.start)
            former = found.exclude(pk__in=self.distrusted).first()
            before = None
            if former is not None:
                before = RightEdge.read(bytes(former.edge), size=former.size)
        left = seal.size - seal.start
        return _Growing(name=_name(seal), edge=before, left=left, root=_root(seal))


@dataclass(kw_only=True, slots=True)
class _Growing:
    """The tree of one seal, while its leaves are read."""

    name: str
    edge: RightEdge | None
    """None: it begins with nothing known, or one of its leaves is named as wrong."""
    left: int
    root: bytes | None


def _root(seal: Seal) -> bytes | None:
    """Return the root that a seal states; None if its edge is damaged."""
    try:
        return RightEdge.read(bytes(seal.edge), size=seal.size).root()
    except ValueError:
        return None


def _name(seal: Seal) -> str:
    return f"Seal {seal.pk} of {seal.size} entries"
