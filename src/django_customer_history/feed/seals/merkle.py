"""The Merkle tree of RFC 6962, section 2.1: roots, proofs that a leaf is in it, and that it grew.

A tree of a log only grows at its right edge. So the hashes of the complete subtrees along that
edge are all that is needed to append leaves: one hash for each 1 bit of the size.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from django_customer_history.verify import node_hash

HASH_SIZE = 32
"""Bytes of a SHA-256 hash."""

EMPTY_ROOT = hashlib.sha256(b"").digest()


@dataclass(slots=True, kw_only=True)
class RightEdge:
    """A tree that takes more leaves: its size, and its complete subtrees, the largest first."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    @classmethod
    def read(cls, content: bytes, *, size: int) -> Self:
        """Return the edge of a tree of `size` leaves from its bytes.

        Raises `ValueError` if these are not the hashes of such a tree.
        """
        if len(content) != size.bit_count() * HASH_SIZE:
            raise ValueError(f"A tree of {size} leaves has {size.bit_count()} hashes at its edge.")
        starts = range(0, len(content), HASH_SIZE)
        return cls(size=size, hashes=[content[one : one + HASH_SIZE] for one in starts])

    def content(self) -> bytes:
        """Return the hashes as bytes, for `read`."""
        return b"".join(self.hashes)

    def append(self, hashed: bytes) -> None:
        """Append a leaf, given by its hash."""
        self.hashes.append(hashed)
        self.size += 1
        # Each 0 bit at the end of the size stands for two subtrees that became one.
        for _ in range((self.size & -self.size).bit_length() - 1):
            right = self.hashes.pop()
            self.hashes[-1] = node_hash(self.hashes[-1], right)

    def root(self) -> bytes:
        """Return the root of the tree."""
        return _folded(self.hashes)


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Return the root of a tree from the hashes of its leaves."""
    edge = RightEdge()
    for one in hashes:
        edge.append(one)
    return edge.root()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrownTree:
    """A tree, given by its right edge at an earlier size and the leaves since then.

    It has the hash of each complete subtree that ends behind the earlier size, so that many proofs
    share the work. `_levels` has, for each height, the number of the first such subtree and the
    hashes from there on.
    """

    start: int
    """The earlier size."""
    size: int
    _levels: Sequence[tuple[int, Sequence[bytes]]]

    @classmethod
    def of(cls, before: RightEdge, leaves: Sequence[bytes]) -> Self:
        """Return the tree of a right edge and the hashes of the leaves since then."""
        size, edge = before.size + len(leaves), [*before.hashes]
        levels, row = [], [*leaves]
        for height in range(size.bit_length()):
            first = before.size >> height
            if first & 1:
                # The left neighbor is complete, so it is at the edge.
                first, row = first - 1, [edge.pop(), *row]
            levels.append((first, row))
            row = [node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=False)]
        return cls(start=before.size, size=size, _levels=levels)

    def root(self, start: int = 0, end: int | None = None) -> bytes:
        """Return the root of the tree, or of a range of leaves that is a subtree of it.

        Raises `ValueError` if it is not known here.
        """
        end = self.size if end is None else end
        length = end - start
        if length == 0:
            return EMPTY_ROOT
        if length & (length - 1):
            middle = start + _split(length)
            return node_hash(self.root(start, middle), self.root(middle, end))
        height = length.bit_length() - 1
        first, row = self._levels[height] if height < len(self._levels) else (0, ())
        place = (start >> height) - first
        if start & (length - 1) or not 0 <= place < len(row):
            raise ValueError(f"The leaves {start} to {end - 1} are not a subtree that is known.")
        return row[place]

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Return the proof that a leaf is in the tree (RFC 6962, section 2.1.1).

        `index` counts from 0 in the whole tree. Raises `ValueError` if it is not a leaf since the
        earlier size.
        """
        if not self.start <= index < self.size:
            raise ValueError(
                f"Leaf {index} is not among the leaves {self.start} to {self.size - 1}."
            )
        return self._path(index, 0, self.size)

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self.root(middle, end)]
        return [*self._path(index, middle, end), self.root(start, middle)]


Subtrees = Callable[[int, int], bytes]
"""Returns the root of the subtree of the leaves from a start to before an end."""


def consistency_proof(old_size: int, size: int, *, subtrees: Subtrees) -> list[bytes]:
    """Return the proof that a tree begins with an older one (RFC 6962, section 2.1.2).

    It asks for subtrees that end at the older size or before it, and for those behind it. Raises
    `ValueError` unless 0 < `old_size` <= `size`.
    """
    if not 0 < old_size <= size:
        raise ValueError(f"The older size is {old_size}. Give 1 to {size}.")
    return _growth(subtrees, old_size, 0, size, is_known=True)


def _growth(
    subtrees: Subtrees, old_end: int, start: int, end: int, *, is_known: bool
) -> list[bytes]:
    if old_end == end:
        return [] if is_known else [subtrees(start, end)]
    middle = start + _split(end - start)
    if old_end <= middle:
        proof = _growth(subtrees, old_end, start, middle, is_known=is_known)
        return [*proof, subtrees(middle, end)]
    proof = _growth(subtrees, old_end, middle, end, is_known=False)
    return [*proof, subtrees(start, middle)]


def is_consistent(
    old_root: bytes, new_root: bytes, *, old_size: int, new_size: int, proof: Sequence[bytes]
) -> bool:
    """Return whether a proof shows that a tree begins with an older one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= new_size or (old_size == new_size and proof):
        return False
    if old_size == new_size:
        return old_root == new_root
    # A complete older tree is its own first hash.
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not hashes:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(one, old), node_hash(one, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, one)
        place, last = place >> 1, last >> 1
    return (old, new, last) == (old_root, new_root, 0)


def _split(size: int) -> int:
    """Return the largest power of two that is smaller than a size."""
    return 1 << ((size - 1).bit_length() - 1)


def _folded(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for one in reversed(hashes[:-1]):
        root = node_hash(one, root)
    return root
