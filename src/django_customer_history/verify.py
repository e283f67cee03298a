"""Check checkpoints, proofs and evidence of the history, without Django and without the database.

    python -m django_customer_history.verify FILE --key PUBLIC_KEY

An auditor can read this module. It needs the standard library and `cryptography`. Its formats are
public: hashes of RFC 6962, and what https://c2sp.org calls signed-note, tlog-checkpoint and so on.
"""

import argparse
import base64
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

PROOF = "c2sp.org/tlog-proof@v1"  # The first line of a proof.
EVIDENCE = "django-customer-history evidence 1"  # The first line of the manifest of evidence.
MEMBERS = ("manifest", "summary.html", "checkpoints.ndjson", "entries.ndjson")
LEAF_VERSION = b"\x01"
SALTED = ("action", "changes", "context", "entity_label")  # A leaf has salted hashes for these.
SALT_SIZE = 16
LARGEST_MEMBER, LONGEST_LINE = 2**31 - 1, 2**24  # Bytes: of a file of evidence, and of a line.
_ED25519, _WITNESS = b"\x01", b"\x04"  # The byte of an algorithm before its key.
_ID_SIZE, _KEY_SIZE, _HASH_SIZE, _TIME_SIZE, _MOST_LINES = 4, 32, 32, 8, 66


class VerificationError(ValueError):
    """Something is not what it should be."""


class Verifier(NamedTuple):
    """A public key with the name of its owner: of a log, or of a witness."""

    name: str
    public_key: bytes
    algorithm: bytes = _ED25519

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the key of a text such as `example.com/history+1a2b3c4d+AbCd...`."""
        name, key_id, encoded = (*text.split("+", 2), "", "")[:3]
        content = _decoded(encoded)
        found = cls(name=name, public_key=content[1:], algorithm=content[:1])
        is_known = found.algorithm in (_ED25519, _WITNESS) and len(found.public_key) == _KEY_SIZE
        if not is_known or found.key_id.hex() != key_id:
            raise VerificationError(f"{text!r} is not an Ed25519 key of a signed note.")
        return found

    @property
    def key_id(self) -> bytes:
        """The first bytes of each signature: they identify the key."""
        content = self.name.encode() + b"\n" + self.algorithm + self.public_key
        return hashlib.sha256(content).digest()[:_ID_SIZE]

    def check(self, text: str, signature: bytes) -> None:
        """Raise `VerificationError` unless the owner signed a text; a witness does with a time."""
        from cryptography import exceptions  # noqa: PLC0415 - an optional package
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - as above

        if self.algorithm == _WITNESS:
            seconds, signature = int.from_bytes(signature[:_TIME_SIZE]), signature[_TIME_SIZE:]
            text = f"cosignature/v1\ntime {seconds}\n{text}"
        key = ed25519.Ed25519PublicKey.from_public_bytes(self.public_key)
        try:
            key.verify(signature, text.encode())
        except exceptions.InvalidSignature as error:
            problem = f"The signature of {self.name} is wrong: the text was altered."
            raise VerificationError(problem) from error


def opened(note: str, verifiers: Iterable[Verifier]) -> str:
    """Return the text of a signed note. Raise `VerificationError` if no known log signed it."""
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise VerificationError("This is not a signed note: it has no signatures at its end.")
    known, is_signed = {(one.name, one.key_id): one for one in verifiers}, False
    for line in lines[:-1].split("\n"):
        dash, name, encoded = (*line.split(" ", 2), "", "")[:3]
        signature = _decoded(encoded)
        if dash != "—" or not name or len(signature) <= _ID_SIZE:
            raise VerificationError("This is not a signed note: a line of a signature is damaged.")
        if verifier := known.get((name, signature[:_ID_SIZE])):
            verifier.check(text + "\n", signature[_ID_SIZE:])
            is_signed |= verifier.algorithm == _ED25519
    if not is_signed:
        raise VerificationError("It is not signed with a known key.")
    return text + "\n"


class Checkpoint(NamedTuple):
    """What a log said about itself: its name, the size of its tree, and the root."""

    log_name: str
    size: int
    root: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the checkpoint in the text of a signed note."""
        name, size, encoded = (*text.split("\n"), "", "")[:3]
        root = _decoded(encoded)
        if not name or not size.isdecimal() or size != str(int(size)) or len(root) != _HASH_SIZE:
            raise VerificationError("This is not a checkpoint.")
        return cls(log_name=name, size=int(size), root=root)


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


def proven(text: str, verifiers: Iterable[Verifier]) -> tuple[Checkpoint, dict[str, Any]]:
    """Return the checkpoint and the entry of a proof; a value is hidden in `{"hash": ...}`."""
    head, _, note = text.partition("\n\n")
    title, extra, index, *path = head.split("\n")
    if title != PROOF or len(path) > _MOST_LINES:
        raise VerificationError("This is not a proof of an entry of the history.")
    content, checkpoint = json.loads(_decoded(extra[6:])), Checkpoint.read(opened(note, verifiers))
    hashed = leaf_hash(LEAF_VERSION + content["leaf"].encode())
    place = {"index": int(index[6:]), "size": checkpoint.size}
    if root_by_inclusion(hashed, **place, proof=[*map(_decoded, path)]) != checkpoint.root:
        raise VerificationError("The entry is not in the tree of the checkpoint.")
    entry = json.loads(content["leaf"])
    salted = {name: entry[name] for name in SALTED if name in entry}
    return checkpoint, entry | _shown(salted, content["values"], "")


def _shown(stated: Any, disclosed: Any, name: str) -> Any:
    if isinstance(stated, dict):
        given = disclosed or {}
        return {key: _shown(stated.get(key), given.get(key), key) for key in [*stated, *given]}
    if isinstance(stated, list):
        return [_shown(*pair, name) for pair in zip(stated, disclosed or (None, None), strict=True)]
    if disclosed is None:
        return stated and {"hash": stated}
    if stated is None or value_hash(_decoded(disclosed[0]), disclosed[1]) != stated:
        raise VerificationError(f"The value of {name} is not the one of the entry.")
    return disclosed[1]


def check_evidence(path: Path, verifiers: Sequence[Verifier]) -> str:
    """Check each file by the signed manifest, and each entry by its proof; return what they are."""
    with path.open("rb") as file:
        file.seek(-42, 2)
        end = file.read()  # Evidence has a small directory, no comment behind it and no ZIP64.
    if end[20:24] != b"PK\5\6" or end[:4] == b"PK\6\7" or any(end[34:36]) or any(end[40:]):
        raise VerificationError("The end of the zip file is damaged.")
    with zipfile.ZipFile(path) as archive:
        methods = {o.compress_type for o in archive.infolist()} - {0, zipfile.ZIP_DEFLATED}
        if sorted(archive.namelist()) != sorted(MEMBERS) or methods:
            raise VerificationError(f"It does not have just {', '.join(MEMBERS)}, deflated.")
        note = b"".join(_lines(archive, "manifest")).decode()
        title, content, _ = opened(note, verifiers).split("\n")
        manifest, count = json.loads(content), 0
        for name in MEMBERS[1:]:
            digest = hashlib.sha256()
            for line in _lines(archive, name):
                digest.update(line)
                if name == "entries.ndjson":
                    one, count = json.loads(line), count + 1
                    if proven(one["proof"], verifiers)[1] != one["entry"]:
                        raise VerificationError(f"Entry {count} is not shown as it is proven.")
            if title != EVIDENCE or digest.hexdigest() != manifest["sha256"][name]:
                raise VerificationError(f"{name} was altered.")
    return f"{json.dumps(manifest, indent=2)}\nValid: {count} entries"


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    left = LARGEST_MEMBER
    with archive.open(name) as file:
        while line := file.readline(min(left, LONGEST_LINE)):
            left -= len(line)
            if not left or not line.endswith(b"\n"):
                raise VerificationError(f"{name} is too large, or its end is missing.")
            yield line


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a file, print what it proves, and return 0; 1 if it is not valid."""
    parser = argparse.ArgumentParser(description="Checks a proof, a checkpoint or evidence.")
    parser.add_argument("file", type=Path, help="The file.")
    parser.add_argument("--key", action="append", required=True, help="A public key of the log.")
    options = parser.parse_args(arguments)
    try:
        shown = _checked(options.file, [Verifier.read(one) for one in options.key])
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the file is not valid
        sys.stderr.write(f"Not valid: {error}\n")
        return 1
    sys.stdout.write(f"{shown}\n")
    return 0


def _checked(path: Path, verifiers: Sequence[Verifier]) -> str:
    if zipfile.is_zipfile(path):
        return check_evidence(path, verifiers)
    with path.open("rb") as file:
        text = file.read(LONGEST_LINE).decode()
    if text.startswith(PROOF):
        found, entry = proven(text, verifiers)
        text = f"{json.dumps(entry, indent=2)}\nValid: in the log"
    else:
        found, text = Checkpoint.read(opened(text, verifiers)), "Valid: the checkpoint of"
    return f"{text} {found.log_name}, {found.size} entries."


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise VerificationError(f"{text[:80]!r} is not Base64.") from error


if __name__ == "__main__":
    sys.exit(main())
