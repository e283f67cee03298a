"""Proofs from the sealed log: that an entry is in it, and that it only grew.

The proof of an entry is in the format of https://c2sp.org/tlog-proof, against the checkpoint of
the seal with the entry. Its extra data are the leaf of the entry, and the values that are
disclosed, each with its salt. It needs the entry, its seal and the seal before it.
"""

import base64
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django_customer_history.exceptions import NotSealedError, SealError
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.leaves import LeafFormat, texts_of
from django_customer_history.feed.seals.ledger import (
    checked,
    growth_text,
    leaf_hashes,
    number_in,
    seal_with,
)
from django_customer_history.feed.seals.merkle import GrownTree, RightEdge, consistency_proof
from django_customer_history.models import Entry, Seal
from django_customer_history.verify import (
    LEAF_VERSION,
    PROOF,
    VerificationError,
    leaf_hash,
)

_MOST = 4
"""How many seals are kept: entries that follow each other are mostly in the same one."""


@dataclass(kw_only=True)
class SealedLog:
    """The sealed log of a database, to prove entries of it.

    It keeps the last seals that it read, about 2 MB each, so the proofs of many entries share the
    work if the entries come in the order of their keys.
    """

    key: SealKey
    using: str
    _trees: dict[int, "_SealTree"] = field(default_factory=dict)

    def proof(
        self, entry: Entry, *, fields: Collection[str] = (), columns: Collection[str] = ()
    ) -> str:
        """Return the proof of an entry.

        `entry` is as it is in the log, without masks. The proof shows the columns that no mask
        hides, and the names of all fields; it discloses the values of `fields`, and those of
        `columns`: "action", "entity_label" and members of the context, such as "context.reason".

        Raises `NotSealedError` if the entry is not sealed yet, and `SealError` if it has no such
        field or column, or if it or its seal is not right.
        """
        known = [*texts_of(entry), *(f"context.{name}" for name in entry.context or {})]
        for kind, names, there in (("field", fields, entry.changes), ("column", columns, known)):
            if unknown := [one for one in names if one not in there]:
                raise SealError(f"Entry {entry.id} has no {kind} {unknown[0]!r}.")
        found, number = self._tree_with(entry.id)
        leaf = self._form.leaf(entry)
        if leaf_hash(leaf) != found.tree.root(number, number + 1):
            raise SealError(f"Entry {entry.id} is not what was sealed. Run history_verify.")
        extra = {
            "leaf": leaf.removeprefix(LEAF_VERSION).decode(),
            "values": self._form.disclosed(entry, fields=fields, columns=columns),
        }
        lines = [PROOF, f"extra {_encoded(json.dumps(extra).encode())}", f"index {number}"]
        lines += [_encoded(one) for one in found.tree.inclusion_proof(number)]
        return "\n".join(lines) + f"\n\n{found.seal.checkpoint}{found.seal.cosignatures or ''}"

    def has(self, key: UUID) -> bool:
        """Return whether an entry is sealed. Raise `SealError` if its seal is not right."""
        try:
            self._tree_with(key)
        except NotSealedError:
            return False
        return True

    def is_as_sealed(self, entry: Entry) -> bool:
        """Return whether an entry is what was sealed.

        Raises `NotSealedError` if it is not sealed, and `SealError` if its seal is not right.
        """
        found, number = self._tree_with(entry.id)
        return leaf_hash(self._form.leaf(entry)) == found.tree.root(number, number + 1)

    def consistency_proof(self, log_name: str, *, old_size: int, new_size: int) -> list[bytes]:
        """Return the proof that the tree of a seal begins with an older one.

        Its format is RFC 6962, section 2.1.2; it is empty if `old_size` is 0. It reads a few seals
        for each time that the log doubled, one at a time.

        Raises `SealError` if the newer tree does not end with a seal, if a seal is missing or not
        right, or if `old_size` is larger than `new_size`.
        """
        if not 0 <= old_size <= new_size:
            raise SealError(f"A log of {new_size} entries cannot begin with {old_size}.")
        new = self._tree_of(log_name, f"with {new_size} entries", size=new_size)
        return self.growth(log_name, old_size=old_size, new=new)

    def growth_text(self, log_name: str, *, old_size: int, new_size: int) -> str:
        """Return `consistency_proof` with the checkpoint of the newer tree, as text."""
        hashes = self.consistency_proof(log_name, old_size=old_size, new_size=new_size)
        seals = Seal.objects.using(self.using).filter(log_name=log_name, size=new_size)
        checkpoint = seals.order_by("id").values_list("checkpoint", flat=True)[0]
        return growth_text(old_size, hashes, checkpoint)

    def growth(self, log_name: str, *, old_size: int, new: GrownTree) -> list[bytes]:
        """Return what `consistency_proof` does, for a tree that need not have a seal yet."""
        if old_size == 0:
            return []

        def subtree(start: int, end: int) -> bytes:
            if end > new.start:
                return new.root(start, end)
            described = f"of leaf {end - 1}: run history_verify"
            found = self._tree_of(log_name, described, size__gte=end, start__lt=end)
            return found.root(start, end)

        return consistency_proof(old_size, new.size, subtrees=subtree)

    @cached_property
    def _form(self) -> LeafFormat:
        return LeafFormat(secret=self.key.secret)

    def _tree_with(self, key: UUID) -> tuple["_SealTree", int]:
        """Return the tree of the seal with an entry, and which leaf the entry is."""
        for known in self._trees.values():
            if (number := number_in(known.seal, key)) is not None:
                return known, number
        found = seal_with(key, using=self.using)
        if found is None:
            raise NotSealedError(f"Entry {key} is not sealed yet. Run history_seal.")
        seal, number = found
        return self._kept(seal), number

    def _tree_of(self, log_name: str, described: str, **conditions: Any) -> GrownTree:
        seals = Seal.objects.using(self.using).filter(log_name=log_name, **conditions)
        pk = seals.order_by("size", "id").values_list("id", flat=True).first()
        if pk is None:
            raise SealError(f"{log_name} has no seal {described}.")
        if pk in self._trees:
            return self._trees[pk].tree
        return self._kept(Seal.objects.using(self.using).get(pk=pk)).tree

    def _kept(self, seal: Seal) -> "_SealTree":
        edge, before = self._edge(seal), RightEdge()
        if seal.start:
            former = Seal.objects.using(self.using).filter(log_name=seal.log_name, size=seal.start)
            last = former.order_by("id").first()
            if last is None:
                raise SealError(f"The seal before seal {seal.pk} is missing. Run history_verify.")
            before = self._edge(last)
        tree = GrownTree.of(before, leaf_hashes(seal))
        if tree.root() != edge.root():
            raise SealError(f"The root of seal {seal.pk} is not that of its entries.")
        while len(self._trees) >= _MOST:
            del self._trees[next(iter(self._trees))]
        self._trees[seal.pk] = found = _SealTree(seal=seal, tree=tree)
        return found

    def _edge(self, seal: Seal) -> RightEdge:
        try:
            return checked(seal, self.key)
        except VerificationError as error:
            raise SealError(f"Seal {seal.pk} is not right: {error} Run history_verify.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _SealTree:
    seal: Seal
    tree: GrownTree


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
