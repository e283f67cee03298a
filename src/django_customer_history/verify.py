"""Check checkpoints and proofs of the history, without Django and without the database.

    python -m django_customer_history.verify FILE --key PUBLIC_KEY

An auditor can read this one module. It needs the standard library and the package `cryptography`.
The formats are public: hashes of RFC 6962, and the signed note, the checkpoint and the proof of a
transparency log at https://c2sp.org (signed-note, tlog-checkpoint, tlog-proof).
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PROOF = "c2sp.org/tlog-proof@v1"  # The first line of a proof.
LEAF_VERSION = b"\x01"
SALT_SIZE = 16

_ED25519 = b"\x01"  # The byte of an algorithm before its key.
_ID_SIZE, _KEY_SIZE, _HASH_SIZE = 4, 32, 32
_LINES_OF_A_CHECKPOINT = 3
_LARGEST_FILE = 16 * 1024 * 1024
_MOST_LINES = 66


class VerificationError(ValueError):
    """Something is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A public key with the name of its owner."""

    name: str
    public_key: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the key of a text such as `example.com/history+1a2b3c4d+AbCd...`."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        content = _decoded(encoded)
        found = cls(name=name, public_key=content[1:])
        if content[:1] != _ED25519 or len(content) != 1 + _KEY_SIZE or found.key_id.hex() != key_id:
            raise VerificationError(f"{text!r} is not an Ed25519 key of a signed note.")
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
        from cryptography import exceptions  # noqa: PLC0415 - an optional package
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - as above

        try:
            key = ed25519.Ed25519PublicKey.from_public_bytes(self.public_key)
            key.verify(signature, text.encode())
        except (exceptions.InvalidSignature, ValueError):
            return False
        return True


def opened(note: str, verifiers: Iterable[Verifier]) -> str:
    """Return the text of a signed note. Raise `VerificationError` if no known key signed it."""
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
        raise VerificationError("It is not signed with a known key.")
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
    """What a log said about itself: its name, the size of its tree, and the root."""

    log_name: str
    size: int
    root: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the checkpoint in the text of a signed note."""
        lines = text.split("\n")
        if len(lines) <= _LINES_OF_A_CHECKPOINT or not lines[0] or not _is_number(lines[1]):
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
    """Return the root that a proof leads to from the hash of a leaf (RFC 9162, 2.1.3.2)."""
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


def value_hash(salt: bytes, value: str) -> str:
    """Return what a leaf has of a value. Another size of the salt would allow another value."""
    if len(salt) != SALT_SIZE:
        raise VerificationError(f"A salt has {SALT_SIZE} bytes.")
    content = salt + value.encode("utf-8", "surrogatepass")
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The proof that an entry is in the tree of a checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    leaf: str
    """The entry as canonical JSON, with salted hashes for its values."""
    values: dict[str, Any]
    """Values that are disclosed: field to old and new one, each with its salt, or null."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the proof in a text."""
        head, _, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        if first != PROOF or not lines or not lines[0].startswith("extra "):
            raise VerificationError("This is not a proof of an entry of the history.")
        try:
            extra = json.loads(_decoded(lines[0].removeprefix("extra ")))
            leaf, values = str(extra["leaf"]), dict(extra["values"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise VerificationError("The entry of the proof is damaged.") from error
        index = lines[1].removeprefix("index ") if len(lines) > 1 else ""
        if not _is_number(index) or len(lines) > _MOST_LINES:
            raise VerificationError("The index of the proof is damaged.")
        hashes = tuple(_decoded(line) for line in lines[2:])
        return cls(index=int(index), hashes=hashes, note=note, leaf=leaf, values=values)

    def checked(self, verifiers: Iterable[Verifier]) -> tuple[Checkpoint, dict[str, Any]]:
        """Return the checkpoint and the entry, in which disclosed values replace their hashes."""
        checkpoint = Checkpoint.read(opened(self.note, verifiers))
        hashed = leaf_hash(LEAF_VERSION + self.leaf.encode())
        place = {"index": self.index, "size": checkpoint.size}
        if root_by_inclusion(hashed, **place, proof=self.hashes) != checkpoint.root:
            raise VerificationError("The entry is not in the tree of the checkpoint.")
        entry: dict[str, Any] = json.loads(self.leaf)
        for field, pair in self.values.items():
            stated = entry["changes"].setdefault(field, [None, None])
            for side, (salt, value) in ((side, one) for side, one in enumerate(pair) if one):
                if value_hash(_decoded(salt), value) != stated[side]:
                    raise VerificationError(f"The value of {field} is not the one of the entry.")
                stated[side] = {"value": value}
        return checkpoint, entry


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a file, print what it proves, and return 0; 1 if it is not valid."""
    parser = argparse.ArgumentParser(description="Checks a proof or a checkpoint of the history.")
    parser.add_argument("file", type=Path, help="The proof or the checkpoint.")
    parser.add_argument("--key", action="append", required=True, help="A public key of the log.")
    options = parser.parse_args(arguments)
    try:
        if options.file.stat().st_size > _LARGEST_FILE:
            raise VerificationError("The file is too large.")
        text = options.file.read_text(encoding="utf-8")
        verifiers = [Verifier.read(one) for one in options.key]
        if text.startswith(PROOF):
            proof = Proof.read(text)
            checkpoint, entry = proof.checked(verifiers)
            shown = f"{json.dumps(entry, indent=2)}\nValid: leaf {proof.index} of"
        else:
            checkpoint, shown = Checkpoint.read(opened(text, verifiers)), "Valid: the checkpoint of"
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        sys.stderr.write(f"Not valid: {error}\n")
        return 1
    sys.stdout.write(f"{shown} {checkpoint.log_name}, {checkpoint.size} entries.\n")
    return 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and (text == "0" or text[0] != "0")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise VerificationError(f"{text!r} is not Base64.") from error


if __name__ == "__main__":
    sys.exit(main())
