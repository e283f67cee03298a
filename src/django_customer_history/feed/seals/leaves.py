"""The leaf of an entry: what a seal states about it, the same on every database.

A leaf is a version byte and the canonical JSON (RFC 8785) of the columns of the entry. Columns
that are NULL are left out, so that a column that is added later changes no leaf. Keys are in the
usual form of a UUID, times in UTC with microseconds.

Each old and new value, and whatever else a mask can hide (the action, the label of the entity, each
member of the context), is a salted hash instead of the value: Base64 of SHA-256 over the salt and
the value in UTF-8. So a leaf can be shown to somebody who may not see all values, and one value is
disclosed with its salt. A salt has 16 bytes and is not stored: it is made with HMAC-SHA256 from
the secret of the seals, the key of the entry, the column or the side, and the field. The secret is
in the key file, and stays the same when the signing key changes. Somebody who knows it can try
values until one fits a hash; nobody can change a value with it.
"""

import base64
import hashlib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from django_customer_history.feed.seals.packages import imported
from django_customer_history.models import Entry
from django_customer_history.values.moments import in_utc
from django_customer_history.verify import LEAF_VERSION, SALT_SIZE, value_hash

_SIDES = ("old", "new")
_LARGEST_INTEGER = 2**53 - 1
"""JSON has only numbers that a float can hold exactly; a larger one is in a leaf as text."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_BEYOND = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")
"""Characters that are two in UTF-16, and the halves of such."""


@dataclass(frozen=True, kw_only=True)
class LeafFormat:
    """Makes the leaves of entries with the secret of the seals."""

    secret: bytes

    def leaf(
        self, entry: Entry, *, key: UUID | None = None, moment: datetime | None = None
    ) -> bytes:
        """Return the content of the leaf of an entry, as if it had this key and this timestamp."""
        key = key or entry.id
        columns: dict[str, Any] = {}
        for name in _COLUMNS:
            value = getattr(entry, name)
            if value is not None:
                columns[name] = _PLAIN[name](value)
        columns["id"] = str(key)
        columns["timestamp"] = _moment(moment or entry.timestamp)
        columns["changes"] = self._hashed(key, entry.changes)
        for name, text in texts_of(entry).items():
            columns[name] = value_hash(self.salt(key, "", name), text)
        if entry.context is not None:
            columns["context"] = {
                plain_text(name): value_hash(self.salt(key, name, "context"), text)
                for name, text in self._context(entry).items()
            }
        return LEAF_VERSION + self._canonical(columns, has_floats=False)

    def salt(self, key: UUID, field: str, side: str) -> bytes:
        """Return the salt of a value of an entry.

        `side` is "old" or "new" for a field, "context" for a member of it, or the name of a column.
        """
        return self._salt(_prefix(key, side) + _bytes(field))

    def _salt(self, content: bytes) -> bytes:
        # This is `hmac.digest()`. Copies of the hashes of the secret take half of its time.
        inner, outer = self._keyed
        inner, outer = inner.copy(), outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        digest: bytes = outer.digest()
        return digest[:SALT_SIZE]

    def disclosed(
        self, entry: Entry, *, fields: Collection[str] = (), columns: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return values, each with its salt, where the leaf has their hashes.

        `fields` are those whose old and new values are disclosed; `columns` are "action",
        "entity_label" and members of the context, such as "context.reason".
        """
        found: dict[str, Any] = {
            name: self._with_salt(entry.id, "", name, text)
            for name, text in texts_of(entry).items()
            if name in columns
        }
        found["changes"] = {
            plain_text(field): [
                None if value is None else self._with_salt(entry.id, field, side, value)
                for side, value in zip(_SIDES, entry.changes[field], strict=True)
            ]
            for field in fields
        }
        if entry.context is not None:
            found["context"] = {
                plain_text(name): self._with_salt(entry.id, name, "context", text)
                for name, text in self._context(entry).items()
                if f"context.{name}" in columns
            }
        return found

    def _with_salt(self, key: UUID, field: str, side: str, value: str) -> list[str]:
        return [base64.b64encode(self.salt(key, field, side)).decode(), value]

    def _context(self, entry: Entry) -> dict[str, str]:
        members = {name: _json(value) for name, value in (entry.context or {}).items()}
        return {
            name: self._canonical(value, has_floats=_has_float(value)).decode()
            for name, value in members.items()
        }

    def _canonical(self, value: Any, *, has_floats: bool) -> bytes:
        """Return the canonical JSON of a value (RFC 8785).

        Python's own encoder takes a tenth of the time. It has another form for floats, and another
        order for keys with characters that are two in UTF-16.
        """
        if not has_floats:
            text = _ENCODER.encode(value)
            if text.isascii() or _BEYOND.search(text) is None:
                return text.encode()
        return self._complete(value)

    @cached_property
    def _complete(self) -> Callable[[Any], bytes]:
        function: Callable[[Any], bytes] = imported("rfc8785").dumps
        return function

    @cached_property
    def _keyed(self) -> tuple[Any, Any]:
        """The hashes of the secret that begin and end an HMAC (RFC 2104)."""
        block = self.secret.ljust(hashlib.sha256().block_size, b"\x00")
        inner, outer = (bytes(one ^ pad for one in block) for pad in (0x36, 0x5C))
        return hashlib.sha256(inner), hashlib.sha256(outer)

    def _hashed(self, key: UUID, changes: Mapping[str, Any]) -> dict[str, list[str | None]]:
        of_old, of_new, hashed = _prefix(key, "old"), _prefix(key, "new"), {}
        for field, (old, new) in changes.items():
            name = _bytes(field)
            hashed[plain_text(field)] = [
                None if old is None else value_hash(self._salt(of_old + name), old),
                None if new is None else value_hash(self._salt(of_new + name), new),
            ]
        return hashed


def _prefix(key: UUID, side: str) -> bytes:
    return b"\x00".join((key.bytes, side.encode(), b""))


def texts_of(entry: Entry) -> dict[str, str]:
    """Return the columns of an entry whose texts are salted, without those that are NULL."""
    texts = {name: getattr(entry, name) for name in ("action", "entity_label")}
    return {name: text for name, text in texts.items() if text is not None}


def _bytes(text: str) -> bytes:
    # Some databases can hold half of a surrogate pair, which UTF-8 has no form for.
    return text.encode("utf-8", "surrogatepass")


def plain_text(text: str) -> str:
    """Return a text as it is in a leaf: half a surrogate pair has no form in UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


@lru_cache(maxsize=1_000)
def _address(text: str) -> str:
    try:
        return ipaddress.ip_address(text).exploded
    except ValueError:
        return text


def _moment(moment: datetime) -> str:
    return f"{in_utc(moment).isoformat(timespec='microseconds').removesuffix('+00:00')}Z"


def _json(value: Any) -> Any:
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, dict):
        return {plain_text(name): _json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    is_large = isinstance(value, int) and abs(value) > _LARGEST_INTEGER
    return str(value) if is_large else value


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    return any(map(_has_float, value)) if isinstance(value, list) else isinstance(value, float)


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "kind": plain_text,
    "subject_model": plain_text,
    "subject_id": plain_text,
    "entity_model": plain_text,
    "entity_id": plain_text,
    "user_id": plain_text,
    "user_label": plain_text,
    "source": plain_text,
    "ip_address": _address,
    "request_id": str,
    "primary_id": str,
}
"""The columns of a leaf that are not salted, without the key and the time, and their forms."""
_COLUMNS = tuple(_PLAIN)
