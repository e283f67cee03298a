"""Cursors: an opaque text that says where a page begins and which question it belongs to."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from uuid import UUID

from django_customer_history.exceptions import InvalidCursorError

_KEY_LENGTH = 16
_OLDER, _NEWER = b"o", b"n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The entries on one side of a key, the key itself left out."""

    key: UUID
    is_newer: bool = False

    @classmethod
    def read(cls, text: str, *, question: str) -> "Cursor":
        """Return the cursor of a text.

        Raises `InvalidCursorError` for one that was made for another question, or never.
        """
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        direction, key, digest = raw[:1], raw[1 : _KEY_LENGTH + 1], raw[_KEY_LENGTH + 1 :]
        if digest != _digest(question) or direction not in (_OLDER, _NEWER):
            raise InvalidCursorError(
                "The cursor does not belong to this list and these filters. Start without one."
            )
        return cls(key=UUID(bytes=key), is_newer=direction == _NEWER)

    def write(self, *, question: str) -> str:
        """Return the text that stands for the cursor under one question."""
        direction = _NEWER if self.is_newer else _OLDER
        return base64.urlsafe_b64encode(direction + self.key.bytes + _digest(question)).decode()


def _digest(question: str) -> bytes:
    # 1 + 16 + 10 bytes: a text without padding.
    return hashlib.sha256(question.encode()).digest()[:10]
