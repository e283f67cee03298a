"""Check checkpoints and proofs of the history, without Django and without the database.

An auditor can read this one module. It needs the standard library and the package `cryptography`.
The formats are public: hashes of RFC 6962, and the signed note, the checkpoint and the proof of a
transparency log at https://c2sp.org (signed-note, tlog-checkpoint, tlog-proof).
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

_ED25519 = b"\x01"
"""The byte of an algorithm before its key, as of a signed note."""
_ID_SIZE, _KEY_SIZE, _SIGNATURE_SIZE, _HASH_SIZE = 4, 32, 64, 32
_PARTS_OF_A_KEY = 3


class VerificationError(ValueError):
    """Something is not what it should be, or not in the right format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A public key with the name of its owner."""

    name: str
    public_key: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the key of a text such as `example.com/history+1a2b3c4d+AbCd...`."""
        parts = text.split("+", 2)
        if len(parts) != _PARTS_OF_A_KEY:
            raise VerificationError(f"{text!r} is not a public key of a signed note.")
        name, key_id, encoded = parts
        content = _decoded(encoded)
        found = cls(name=name, public_key=content[1:])
        if content[:1] != _ED25519 or len(content) != 1 + _KEY_SIZE or found.key_id.hex() != key_id:
            raise VerificationError(f"{text!r} is not a public key of the kind Ed25519.")
        return found

    @property
    def key_id(self) -> bytes:
        """The first bytes of each signature: they identify the key."""
        content = self.name.encode() + b"\n" + _ED25519 + self.public_key
        return hashlib.sha256(content).digest()[:_ID_SIZE]

    def __str__(self) -> str:
        encoded = base64.b64encode(_ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Return whether the owner of the key signed a text."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an optional package
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - as above
            Ed25519PublicKey,
        )

        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def opened(note: str, verifiers: Iterable[Verifier]) -> str:
    """Return the text of a signed note.

    Raises `VerificationError` if none of the keys has signed it, or if a signature of one of the
    keys is wrong. Signatures of other keys are ignored.
    """
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise VerificationError("This is not a signed note: it has no signatures at its end.")
    text += "\n"
    known = {(one.name, one.key_id): one for one in verifiers}
    is_signed = False
    for line in lines[:-1].split("\n"):
        name, signature = _signature(line)
        verifier = known.get((name, signature[:_ID_SIZE]))
        if verifier is None:
            continue
        if not verifier.has_signed(text, signature[_ID_SIZE:]):
            raise VerificationError(f"The signature of {name} is wrong: the text was altered.")
        is_signed = True
    if not is_signed:
        names = ", ".join(sorted({name for name, _ in known})) or "nobody"
        raise VerificationError(f"It is not signed with a known key of {names}.")
    return text


def _signature(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signature = _decoded(encoded)
    if dash != "—" or not name or len(signature) <= _ID_SIZE:
        raise VerificationError("This is not a signed note: a line of a signature is damaged.")
    return name, signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log said about itself: its name, how many leaves its tree has, and its root."""

    log_name: str
    size: int
    root: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the checkpoint in the text of a signed note."""
        lines = text.split("\n")
        if len(lines) <= _PARTS_OF_A_KEY or not lines[0] or not _is_number(lines[1]):
            raise VerificationError("This is not a checkpoint.")
        root = _decoded(lines[2])
        if len(root) != _HASH_SIZE:
            raise VerificationError("This is not a checkpoint: its root is damaged.")
        return cls(log_name=lines[0], size=int(lines[1]), root=root)

    def __str__(self) -> str:
        return f"{self.log_name}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of the content of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node from the hashes of its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_by_inclusion(hashed: bytes, *, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that a proof leads to from the hash of a leaf (RFC 9162, section 2.1.3.2).

    The leaf is in the tree if this is the root of the tree.
    """
    if not 0 <= index < size:
        raise VerificationError(f"Leaf {index} is not in a tree of {size} leaves.")
    place, last, root = index, size - 1, hashed
    for one in proof:
        if last == 0:
            raise VerificationError("The proof is too long.")
        if place & 1 or place == last:
            root = node_hash(one, root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, one)
        place, last = place >> 1, last >> 1
    if last:
        raise VerificationError("The proof is too short.")
    return root


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and (text == "0" or text[0] != "0")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError(f"{text!r} is not Base64.") from error
