"""Cursors: an opaque text that says where a page begins, bound to a timeline and its filters.

It is signed with the project's `SECRET_KEY`, so that a client cannot make one.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext

from django_customer_history.exceptions import InvalidCursorError
from django_customer_history.models import Entry

_KEY_LENGTH = 16
_MARK_LENGTH = 3
_DIGEST_LENGTH = 10
_OLDER, _NEWER = b"o", b"n"
_SALT = "django_customer_history.reading.cursors"
_HIGHEST = 2**128 - 1
_POSITION_LENGTH = 1 + _KEY_LENGTH + _MARK_LENGTH
_NO_MARK = bytes(_MARK_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The entries on one side of a key, without the entry that has the key."""

    key: UUID
    is_newer: bool = False
    mark: bytes = _NO_MARK
    """Identifies the request of the entry that has the key; zero bytes if it is unknown."""

    @classmethod
    def read(cls, text: str, *, question: str | None) -> "Cursor":
        """Return the cursor of a text.

        `question` names the timeline with its filters; None accepts the cursor of any. Raises
        `InvalidCursorError` for a cursor of another timeline, and for a text that is not a cursor.
        """
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        position, digest = raw[:_POSITION_LENGTH], raw[_POSITION_LENGTH:]
        is_whole = position[:1] in (_OLDER, _NEWER) and len(digest) == _DIGEST_LENGTH
        if not is_whole or not (question is None or _is_signed(position, digest, question)):
            raise InvalidCursorError(
                gettext(
                    "The cursor does not belong to this list and these filters. Start without one."
                )
            )
        key, mark = position[1 : _KEY_LENGTH + 1], position[_KEY_LENGTH + 1 :]
        return cls(key=UUID(bytes=key), is_newer=position[:1] == _NEWER, mark=mark)

    @classmethod
    def beside(cls, key: UUID, *, is_newer: bool = False) -> "Cursor":
        """Return the cursor of the entries on one side of a key, with the entry of the key."""
        number = key.int + (-1 if is_newer else 1)
        return cls(key=UUID(int=min(max(number, 0), _HIGHEST)), is_newer=is_newer)

    def write(self, *, question: str) -> str:
        """Return the cursor as a text, signed for one timeline with its filters."""
        position = (_NEWER if self.is_newer else _OLDER) + self.key.bytes + self.mark
        digest = _digest(position, question, settings.SECRET_KEY)
        return base64.urlsafe_b64encode(position + digest).decode()

    def is_of_request(self, request: UUID | None) -> bool:
        """Return whether the entry that has the key belongs to a request, as far as is known."""
        return request is not None and self.mark == mark_of(request)


def mark_of(request: UUID | None) -> bytes:
    """Return the short hash by which a cursor recognizes a request in neighboring entries."""
    if request is None:
        return _NO_MARK
    return hashlib.sha256(request.bytes).digest()[:_MARK_LENGTH]


def _is_signed(position: bytes, digest: bytes, question: str) -> bool:
    return any(
        constant_time_compare(digest, _digest(position, question, secret)) for secret in _secrets()
    )


def _secrets() -> Iterator[str | bytes]:
    yield settings.SECRET_KEY
    yield from settings.SECRET_KEY_FALLBACKS


def _digest(position: bytes, question: str, secret: str | bytes) -> bytes:
    # With 1 + 16 + 3 + 10 bytes the base64 text needs no padding.
    signed = salted_hmac(_SALT, position + question.encode(), secret=secret, algorithm="sha256")
    return signed.digest()[:_DIGEST_LENGTH]


def continues_request(
    first: Sequence[Entry], start: Cursor | None, *, beyond: Sequence[Entry]
) -> bool:
    """Return whether the first entry of a page has the request of the entry above it."""
    if not first or start is None:
        return False
    if start.is_newer:
        request_id = first[0].request_id
        return request_id is not None and any(one.request_id == request_id for one in beyond)
    return start.is_of_request(first[0].request_id)
