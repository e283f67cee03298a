"""The proof that one entry is in the log, in the format of https://c2sp.org/tlog-proof.

It proves against the checkpoint of the seal with the entry. Its extra data are the leaf of the
entry, and the values that are disclosed, each with its salt.
"""

import base64
import json
from collections.abc import Collection, Iterator
from uuid import UUID

from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.leaves import LeafFormat, plain_text
from django_customer_history.feed.seals.ledger import SealedEntry, checked, places
from django_customer_history.feed.seals.merkle import RightEdge, inclusion_proof
from django_customer_history.models import Entry, Seal
from django_customer_history.verify import (
    LEAF_VERSION,
    PROOF,
    VerificationError,
    leaf_hash,
)

_PAGE = 500


def proof_of(key: UUID, *, seal_key: SealKey, using: str, fields: Collection[str] = ()) -> str:
    """Return the proof of an entry; `fields` are those whose values it discloses.

    Raises `SealError` if the entry is not in the log or not sealed, has no such field, or if its
    seal or an entry of that seal is not right.
    """
    entry = Entry.objects.using(using).filter(id=key).first()
    if entry is None:
        raise SealError(f"Entry {key} is not in the log.")
    form = LeafFormat(secret=seal_key.secret)
    unknown = [field for field in fields if field not in entry.changes]
    if unknown:
        raise SealError(f"Entry {key} has no field {unknown[0]!r}.")
    seal, number = _seal_with(key, using)
    edge, before = _edge(seal, seal_key), RightEdge()
    if seal.start:
        former = Seal.objects.using(using).filter(log_name=seal.log_name, size=seal.start).first()
        if former is None:
            raise SealError(f"The seal before seal {seal.pk} is missing. Run history_verify.")
        before = _edge(former, seal_key)
    leaves = list(_leaf_hashes(list(places(seal)), form, using))
    grown = RightEdge(size=before.size, hashes=[*before.hashes])
    for hashed in leaves:
        grown.append(hashed)
    if grown.root() != edge.root():
        raise SealError(f"Seal {seal.pk} is not that of its entries. Run history_verify.")
    extra = {
        "leaf": form.leaf(entry).removeprefix(LEAF_VERSION).decode(),
        "values": {plain_text(field): form.disclosed(entry, field) for field in fields},
    }
    hashes = inclusion_proof(number, before=before, leaves=leaves)
    lines = [PROOF, f"extra {_encoded(json.dumps(extra).encode())}", f"index {number}"]
    lines += [_encoded(one) for one in hashes]
    return "\n".join(lines) + f"\n\n{seal.checkpoint}"


def _seal_with(key: UUID, using: str) -> tuple[Seal, int]:
    """Return the seal of an entry, and which leaf it is."""
    seals = Seal.objects.using(using).filter(first_key__lte=key, last_key__gte=key)
    for seal in seals.order_by("id").iterator(chunk_size=1):
        for place in places(seal):
            if place.key == key:
                return seal, place.number
    raise SealError(f"Entry {key} is not sealed yet. Run history_seal.")


def _edge(seal: Seal, seal_key: SealKey) -> RightEdge:
    try:
        return checked(seal, seal_key)
    except VerificationError as error:
        raise SealError(f"Seal {seal.pk} is not right: {error} Run history_verify.") from error


def _leaf_hashes(stated: list[SealedEntry], form: LeafFormat, using: str) -> Iterator[bytes]:
    log = Entry.objects.using(using)
    for start in range(0, len(stated), _PAGE):
        keys = [place.key for place in stated[start : start + _PAGE]]
        entries = {entry.id: entry for entry in log.filter(id__in=keys)}
        for one in keys:
            if one not in entries:
                raise SealError(f"Entry {one} was removed, so nothing of its seal can be proved.")
            yield leaf_hash(form.leaf(entries[one]))


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
