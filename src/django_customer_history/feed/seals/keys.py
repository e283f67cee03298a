"""The key of the seals: it signs, and it makes the salts of values.

It is in a file or in an environment variable, as JSON on one line, and never in the database:

- `signer`: the private key Ed25519, as the tools of Go's `sumdb/note` write it;
- `secret`: 32 bytes in Base64, from which the salts of values are made;
- `verifiers`: the public keys, this one and those before it. A seal that an earlier key has
  signed stays valid.

A new key takes over the name, the secret and the public keys of the one before.
"""

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from django_customer_history import conf
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals.packages import imported
from django_customer_history.verify import VerificationError, Verifier

ENVIRONMENT = "env:"
"""What the setting begins with if it names a variable instead of a file."""

_PRIVATE = "PRIVATE+KEY+"
_ED25519 = b"\x01"
_SIZE = 32


class PublicKey(Verifier):
    """A public key, which can be written as text."""

    __slots__ = ()

    def __str__(self) -> str:
        encoded = base64.b64encode(self.algorithm + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealKey:
    """The key that signs the seals of a project."""

    name: str
    """The name of the log, such as "example.com/history". It is in each checkpoint."""
    private_key: bytes
    secret: bytes
    verifiers: tuple[PublicKey, ...]

    @classmethod
    def new(cls, name: str) -> Self:
        """Return a new key for a log that has none yet. Raise `SealError` for a bad name."""
        if not name or "+" in name or any(one.isspace() for one in name):
            raise SealError(f'{name!r} is not a name. Give one like "example.com/history".')
        private = secrets.token_bytes(_SIZE)
        return cls(
            name=name,
            private_key=private,
            secret=secrets.token_bytes(_SIZE),
            verifiers=(PublicKey(name=name, public_key=_public(private)),),
        )

    def renewed(self, *, name: str | None = None) -> Self:
        """Return a new key, for the same log or a new name. What this one signed stays valid."""
        fresh = type(self).new(self.name if name is None else name)
        return type(self)(
            name=fresh.name,
            private_key=fresh.private_key,
            secret=self.secret,
            verifiers=(*fresh.verifiers, *self.verifiers),
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the key of a text. Raise `SealError` if it is not one."""
        try:
            content = json.loads(text)
            verifiers = tuple(PublicKey.read(one) for one in content["verifiers"])
            private = str(content["signer"]).removeprefix(_PRIVATE).split("+", 2)
            name, key_id, encoded = private
            key = cls(
                name=name,
                private_key=base64.b64decode(encoded, validate=True)[1:],
                secret=base64.b64decode(content["secret"], validate=True),
                verifiers=verifiers,
            )
            is_right = key.verifier.key_id.hex() == key_id and key.verifier in verifiers
        except (ValueError, KeyError, TypeError, VerificationError):
            is_right = False
        if not is_right or len(key.secret) != _SIZE:
            raise SealError(
                "The key of the seals is damaged. Restore it from a backup: it was made with"
                " history_seal --new-key."
            )
        return key

    def text(self) -> str:
        """Return the key as text, for `read`."""
        encoded = base64.b64encode(_ED25519 + self.private_key).decode()
        content = {
            "signer": f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded}",
            "secret": base64.b64encode(self.secret).decode(),
            "verifiers": [str(one) for one in self.verifiers],
        }
        return json.dumps(content) + "\n"

    def write(self, path: Path) -> None:
        """Write the key to a new file that only its owner may read.

        Raises `SealError` if there is such a file, or it cannot be written.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(self.text())
        except FileExistsError as error:
            raise SealError(f"{path} exists already. A key is never written over.") from error
        except OSError as error:
            raise SealError(f"The key cannot be written: {error}.") from error

    @property
    def verifier(self) -> PublicKey:
        """The public key to this one."""
        return PublicKey(name=self.name, public_key=_public(self.private_key))

    def signed(self, text: str) -> str:
        """Return a text, which ends in a new line, as a signed note."""
        signature = _private(self.private_key).sign(text.encode())
        encoded = base64.b64encode(self.verifier.key_id + signature).decode()
        return f"{text}\n— {self.name} {encoded}\n"


def key_of_settings() -> SealKey:
    """Return the key that the setting SEAL_KEY names.

    Raises `SealError` if there is none, or if it cannot be read.
    """
    place = conf.seal_key()
    if place is None:
        raise SealError(
            "There is no key for the seals. Make one with history_seal --new-key FILE --log-name"
            " NAME, and name the file in the setting SEAL_KEY."
        )
    return SealKey.read(_text(place))


def has_key() -> bool:
    """Return whether the setting SEAL_KEY names a key."""
    return conf.seal_key() is not None


def is_first_key(path: Path) -> bool:
    """Return whether a key in a new file is the first one: SEAL_KEY is empty or names the file."""
    place = conf.seal_key()
    return place is None or (Path(place) == path and not path.exists())


def _text(place: str) -> str:
    if place.startswith(ENVIRONMENT):
        name = place.removeprefix(ENVIRONMENT)
        if name not in os.environ:
            raise SealError(f"The variable {name!r}, which SEAL_KEY names, is not set.")
        return os.environ[name]
    try:
        return Path(place).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SealError(
            f"There is no file {place}, which SEAL_KEY names. For a first key run history_seal"
            f" --new-key {place} --log-name NAME."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"The key of the seals cannot be read: {error}.") from error


def _private(content: bytes) -> Any:
    ed25519 = imported("cryptography.hazmat.primitives.asymmetric.ed25519")
    return ed25519.Ed25519PrivateKey.from_private_bytes(content)


def _public(content: bytes) -> bytes:
    public: bytes = _private(content).public_key().public_bytes_raw()
    return public
