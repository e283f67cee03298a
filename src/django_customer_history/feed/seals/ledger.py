"""The seals of a log as they are stored, and what each states.

A seal covers the leaves `start` to `size` - 1 of the tree of its log. Its index has, for each
of them, the key of the entry and the hash of its leaf: 48 bytes, in the order of keys. With it a
verification names single entries, and an entry is proved without reading the others. The manifest
is a signed note about the rest of the row, and the checkpoint is the signed note for others.
"""

import base64
import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.merkle import HASH_SIZE, RightEdge
from django_customer_history.models import Entry, Seal
from django_customer_history.values.moments import in_utc
from django_customer_history.verify import Checkpoint, VerificationError, opened

_KEY_SIZE = 16
RECORD_SIZE = _KEY_SIZE + HASH_SIZE
"""Bytes of an entry in an index."""
PAGE = 1_000
"""How many entries are read at once."""
_SEALS = 8
"""How many seals are read at once: their indexes are large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntry:
    """What a seal states about one entry."""

    key: UUID
    hashed: bytes
    """The hash of its leaf."""
    seal: int
    """The ID of the seal."""
    number: int
    """Which leaf of the tree it is, from 0."""


def places(seal: Seal) -> Iterator[SealedEntry]:
    """Yield what a seal states about its entries, in the order of keys."""
    index = bytes(seal.index)
    for number in range(len(index) // RECORD_SIZE):
        start = number * RECORD_SIZE
        yield SealedEntry(
            key=UUID(bytes=index[start : start + _KEY_SIZE]),
            hashed=index[start + _KEY_SIZE : start + RECORD_SIZE],
            seal=seal.pk,
            number=seal.start + number,
        )


def leaf_hashes(seal: Seal) -> list[bytes]:
    """Return the hashes of the leaves of a seal, in their order."""
    index = bytes(seal.index)
    starts = range(_KEY_SIZE, len(index), RECORD_SIZE)
    return [index[start : start + HASH_SIZE] for start in starts]


def number_in(seal: Seal, key: UUID) -> int | None:
    """Return which leaf of the tree an entry is; None if it is not in this seal."""
    index, wanted = memoryview(seal.index), key.bytes

    def key_at(place: int) -> bytes:
        return bytes(index[place * RECORD_SIZE : place * RECORD_SIZE + _KEY_SIZE])

    count = len(index) // RECORD_SIZE
    place = bisect_left(range(count), wanted, key=key_at)
    return seal.start + place if place < count and key_at(place) == wanted else None


def seal_with(key: UUID, *, using: str) -> tuple[Seal, int] | None:
    """Return the seal with an entry, in the newest tree, and which leaf of the tree it is.

    None: the entry is not sealed yet. The signature of the seal is not checked.
    """
    seals = Seal.objects.using(using)
    log_name = seals.order_by("-id").values_list("log_name", flat=True).first()
    if log_name is None:
        return None
    seals = seals.filter(log_name=log_name, first_key__lte=key)
    # The ranges of keys of seals in their order do not overlap; those of late ones may.
    in_order = seals.filter(is_late=False).order_by("-first_key")[:1]
    late = seals.filter(is_late=True, last_key__gte=key).order_by("id")
    for chosen in (in_order, late):
        for pk, last_key in chosen.values_list("id", "last_key"):
            if last_key < key:
                continue
            seal = Seal.objects.using(using).get(pk=pk)
            if (number := number_in(seal, key)) is not None:
                return seal, number
    return None


def new_seal(
    key: SealKey,
    *,
    log_name: str,
    before: RightEdge,
    leaves: Iterable[tuple[UUID, bytes]],
    **columns: Any,
) -> Seal:
    """Return a signed seal, not saved yet, of entries after a right edge.

    `leaves` are keys and hashes of leaves, in ascending order.
    """
    edge = RightEdge(size=before.size, hashes=[*before.hashes])
    index = bytearray()
    for one, hashed in leaves:
        edge.append(hashed)
        index += one.bytes + hashed
    seal = Seal(
        log_name=log_name,
        start=before.size,
        size=edge.size,
        first_key=UUID(bytes=bytes(index[:_KEY_SIZE])),
        last_key=UUID(bytes=bytes(index[-RECORD_SIZE:-HASH_SIZE])),
        index=bytes(index),
        edge=edge.content(),
        **columns,
    )
    checkpoint = Checkpoint(log_name=log_name, size=edge.size, root=edge.root())
    seal.checkpoint = key.signed(text_of(checkpoint))
    seal.manifest = key.signed(manifest_of(seal))
    return seal


def text_of(checkpoint: Checkpoint) -> str:
    """Return the text of a checkpoint, for a signed note."""
    root = base64.b64encode(checkpoint.root).decode()
    return f"{checkpoint.log_name}\n{checkpoint.size}\n{root}\n"


def growth_text(old_size: int, hashes: Iterable[bytes], checkpoint: str) -> str:
    """Return the proof that the tree of a checkpoint begins with an older one, as text.

    It has the form of a request to a witness: https://c2sp.org/tlog-witness.
    """
    lines = [f"old {old_size}", *(base64.b64encode(one).decode() for one in hashes)]
    return "\n".join(lines) + f"\n\n{checkpoint}"


def manifest_of(seal: Seal) -> str:
    """Return the text that the manifest of a seal signs, from the columns of the seal."""
    lines = [
        "django-customer-history seal 1",
        seal.log_name,
        f"leaves {seal.start} to {seal.size}",
        f"made {_moment(seal.timestamp)}",
        "late entries" if seal.is_late else "entries in their order",
        f"keys {seal.first_key} to {seal.last_key}",
        f"index {_hexadecimal(seal.index)}",
        f"edge {_hexadecimal(seal.edge)}",
        f"checkpoint {_hexadecimal(seal.checkpoint.encode())}",
    ]
    if seal.timestamp_token is not None:
        lines.append(f"timestamp {_hexadecimal(seal.timestamp_token)}")
    if seal.cosignatures is not None:
        lines.append(f"cosignatures {_hexadecimal(seal.cosignatures.encode())}")
    return "\n".join(lines) + "\n"


def checked(seal: Seal, key: SealKey) -> RightEdge:
    """Return the right edge of a seal whose signatures and columns are right.

    Raises `VerificationError` that says what is wrong.
    """
    checkpoint = Checkpoint.read(opened(seal.checkpoint, key.verifiers))
    if opened(seal.manifest, key.verifiers) != manifest_of(seal):
        raise VerificationError("A column of the seal was altered.")
    try:
        edge = RightEdge.read(bytes(seal.edge), size=seal.size)
    except ValueError as error:
        raise VerificationError(str(error)) from error
    stated = Checkpoint(log_name=seal.log_name, size=seal.size, root=edge.root())
    if checkpoint != stated or len(seal.index) != (seal.size - seal.start) * RECORD_SIZE:
        raise VerificationError("The checkpoint is not that of the seal.")
    return edge


def entries_after(key: UUID, *, using: str, up_to: UUID | None = None) -> Iterator[Entry]:
    """Yield the entries of a log after a key, in the order of keys, in bounded memory."""
    entries = Entry.objects.using(using).order_by("id")
    if up_to is not None:
        entries = entries.filter(id__lte=up_to)
    position: UUID | None = key
    while position is not None:
        page = list(entries.filter(id__gt=position)[:PAGE])
        yield from page
        position = page[-1].id if len(page) == PAGE else None


def last_seal(log_name: str, *, using: str, **conditions: Any) -> Seal | None:
    """Return the last seal of a log that was made; None: there is none."""
    seals = Seal.objects.using(using)
    # Keys first, as below.
    keys = (
        seals.filter(log_name=log_name, **conditions).order_by("-id").values_list("id", flat=True)
    )
    pk = keys.first()
    return None if pk is None else seals.get(pk=pk)


def seals_of(log_name: str, *, using: str, **conditions: Any) -> Iterator[Seal]:
    """Yield the seals of a log in the order of their making, in bounded memory."""
    every = Seal.objects.using(using)
    # Keys first: databases sort rows with large columns slowly.
    keys = every.filter(log_name=log_name, **conditions).order_by("id").values_list("id", flat=True)
    last = 0
    while page := list(keys.filter(id__gt=last)[:_SEALS]):
        yield from sorted(every.filter(id__in=page), key=lambda seal: seal.pk)
        last = page[-1]


def _moment(moment: datetime) -> str:
    return in_utc(moment).isoformat(timespec="microseconds")


def _hexadecimal(content: Any) -> str:
    return hashlib.sha256(bytes(content)).hexdigest()
