"""The Merkle tree of RFC 6962, section 2.1: roots, proofs that a leaf is in it, and that it grew.

A tree of a log only grows at its right edge. So the hashes of the complete subtrees along that
edge are all that is needed to append leaves: one hash for each 1 bit of the size.
"""

import hashlib
from collections.abc import Iterable, Sequence
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


def inclusion_proof(index: int, *, before: RightEdge, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the proof that a leaf is in a tree (RFC 6962, section 2.1.1).

    The tree is given by its right edge at an earlier size and the hashes of the leaves since
    then. `index` counts from 0 in the whole tree. Raises `ValueError` if it is not among `leaves`.
    """
    size = before.size + len(leaves)
    if not before.size <= index < size:
        raise ValueError(f"Leaf {index} is not among the leaves {before.size} to {size - 1}.")
    subtrees = _Subtrees(before, leaves)
    return _path(subtrees, index, 0, size)


def _path(subtrees: "_Subtrees", index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(subtrees, index, start, middle), subtrees.root(middle, end)]
    return [*_path(subtrees, index, middle, end), subtrees.root(start, middle)]


def consistency_proof(old_size: int, *, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the proof that a tree begins with an older one (RFC 6962, section 2.1.2).

    `leaves` are the hashes of all leaves. Raises `ValueError` unless 0 < `old_size` <= the size.
    """
    if not 0 < old_size <= len(leaves):
        raise ValueError(f"The older size is {old_size}. Give 1 to {len(leaves)}.")
    subtrees = _Subtrees(RightEdge(), leaves)
    return _growth(subtrees, old_size, 0, len(leaves), is_known=True)


def _growth(
    subtrees: "_Subtrees", old_end: int, start: int, end: int, *, is_known: bool
) -> list[bytes]:
    if old_end == end:
        return [] if is_known else [subtrees.root(start, end)]
    middle = start + _split(end - start)
    if old_end <= middle:
        proof = _growth(subtrees, old_end, start, middle, is_known=is_known)
        return [*proof, subtrees.root(middle, end)]
    proof = _growth(subtrees, old_end, middle, end, is_known=False)
    return [*proof, subtrees.root(start, middle)]


class _Subtrees:
    """The roots of ranges of leaves, from an older right edge and the leaves since then."""

    def __init__(self, before: RightEdge, leaves: Sequence[bytes]) -> None:
        self._start = before.size
        self._leaves = leaves
        self._known: dict[tuple[int, int], bytes] = {}
        place = 0
        for height, hashed in zip(_heights(before.size), before.hashes, strict=True):
            self._known[place, place + 2**height] = hashed
            place += 2**height

    def root(self, start: int, end: int) -> bytes:
        known = self._known.get((start, end))
        if known is not None:
            return known
        if start >= self._start:
            return root_of(self._leaves[start - self._start : end - self._start])
        middle = start + _split(end - start)
        return node_hash(self.root(start, middle), self.root(middle, end))


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


def _heights(size: int) -> list[int]:
    """Return the heights of the complete subtrees of a tree, the largest first."""
    return [height for height in reversed(range(size.bit_length())) if size >> height & 1]


def _folded(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for one in reversed(hashes[:-1]):
        root = node_hash(one, root)
    return root
