"""Cursors: an opaque text that says where a page begins and which question it belongs to.

It is signed with the project's `SECRET_KEY`, so that nobody makes one up.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext

from django_customer_history.exceptions import InvalidCursorError

_KEY_LENGTH = 16
_MARK_LENGTH = 3
_DIGEST_LENGTH = 10
_OLDER, _NEWER = b"o", b"n"
_SALT = "django_customer_history.reading.cursors"
_HIGHEST = 2**128 - 1
_PLACE_LENGTH = 1 + _KEY_LENGTH + _MARK_LENGTH
_NO_MARK = bytes(_MARK_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The entries on one side of a key, the key itself left out."""

    key: UUID
    is_newer: bool = False
    mark: bytes = _NO_MARK
    """Of the request to which the entry with the key belongs, where that is known."""

    @classmethod
    def read(cls, text: str, *, question: str | None) -> "Cursor":
        """Return the cursor of a text; with None for the question, one of whichever question.

        Raises `InvalidCursorError` for one that was made for another question, or never.
        """
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        place, digest = raw[:_PLACE_LENGTH], raw[_PLACE_LENGTH:]
        is_whole = place[:1] in (_OLDER, _NEWER) and len(digest) == _DIGEST_LENGTH
        if not is_whole or not (question is None or _is_signed(place, digest, question)):
            raise InvalidCursorError(
                gettext(
                    "The cursor does not belong to this list and these filters. Start without one."
                )
            )
        key, mark = place[1 : _KEY_LENGTH + 1], place[_KEY_LENGTH + 1 :]
        return cls(key=UUID(bytes=key), is_newer=place[:1] == _NEWER, mark=mark)

    @classmethod
    def beside(cls, key: UUID, *, is_newer: bool = False) -> "Cursor":
        """Return the entries on one side of a key, the key itself among them."""
        number = key.int + (-1 if is_newer else 1)
        return cls(key=UUID(int=min(max(number, 0), _HIGHEST)), is_newer=is_newer)

    def write(self, *, question: str) -> str:
        """Return the text that stands for the cursor under one question."""
        place = (_NEWER if self.is_newer else _OLDER) + self.key.bytes + self.mark
        digest = _digest(place, question, settings.SECRET_KEY)
        return base64.urlsafe_b64encode(place + digest).decode()

    def is_of_request(self, request: UUID | None) -> bool:
        """Return whether the entry with the key belongs to a request, as far as is known."""
        return request is not None and self.mark == mark_of(request)


def mark_of(request: UUID | None) -> bytes:
    """Return what a cursor keeps of a request: enough to know it again next to its entries."""
    if request is None:
        return _NO_MARK
    return hashlib.sha256(request.bytes).digest()[:_MARK_LENGTH]


def _is_signed(place: bytes, digest: bytes, question: str) -> bool:
    return any(
        constant_time_compare(digest, _digest(place, question, secret)) for secret in _secrets()
    )


def _secrets() -> Iterator[str | bytes]:
    yield settings.SECRET_KEY
    yield from settings.SECRET_KEY_FALLBACKS


def _digest(place: bytes, question: str, secret: str | bytes) -> bytes:
    # 1 + 16 + 3 + 10 bytes: a text without padding.
    signed = salted_hmac(_SALT, place + question.encode(), secret=secret, algorithm="sha256")
    return signed.digest()[:_DIGEST_LENGTH]
