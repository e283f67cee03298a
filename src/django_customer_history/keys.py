"""Keys of entries: UUIDs of version 7 (RFC 9562), which sort by time.

The first 48 bits are milliseconds since 1970 in UTC; the 12 bits after the version are the
fraction of the millisecond (RFC 9562, section 6.2, method 3), so that a key has microseconds.
"""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django_customer_history.values.moments import aware

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIGHEST_TAIL = 2**62 - 1
_VARIANT = 0x2 << 62
_STEP_BACK_TOLERATED = 1_000_000
"""Microseconds: a smaller step back of the clock is ignored; after a larger one, keys follow it."""

_lock = threading.Lock()
_last_microsecond = 0


def time_ordered_uuid() -> UUID:
    """Return a new key for the current time, greater than all before in this process.

    Only if the clock is set back by a second or more, keys follow the clock.
    """
    return uuid_at(next_microsecond())


def next_microsecond() -> int:
    """Return the current time in microseconds since 1970, each number once in a process."""
    global _last_microsecond  # noqa: PLW0603 - one clock per process, by design
    now = time.time_ns() // 1000
    with _lock:
        if 0 <= _last_microsecond - now < _STEP_BACK_TOLERATED:
            now = _last_microsecond + 1
        _last_microsecond = now
    return now


def uuid_at(microseconds: int, *, tail: int | None = None) -> UUID:
    """Return a key for a time in microseconds since 1970, UTC.

    The last 62 bits are `tail`, by default random. With 0 it is the lowest key of the
    microsecond.
    """
    return UUID(int=_number_at(microseconds, random.getrandbits(62) if tail is None else tail))


def uuids_at(microseconds: int, *, count: int) -> list[UUID]:
    """Return new keys for one time, in ascending order."""
    tails = sorted(random.getrandbits(62) for _ in range(count))
    return [uuid_at(microseconds, tail=tail) for tail in tails]


def hexadecimal_at(microseconds: int) -> str:
    """Return the 32 hexadecimal digits of a new key for a time in microseconds since 1970."""
    milliseconds, fraction = _parts_of(microseconds)
    # Formatting the parts takes half the time of formatting one number of 128 bits.
    return f"{milliseconds:012x}7{fraction:03x}{_VARIANT | random.getrandbits(62):016x}"


def _number_at(microseconds: int, tail: int) -> int:
    milliseconds, fraction = _parts_of(microseconds)
    return milliseconds << 80 | 0x7 << 76 | fraction << 64 | _VARIANT | tail


def _parts_of(microseconds: int) -> tuple[int, int]:
    milliseconds, rest = divmod(microseconds, 1000)
    return milliseconds, rest * 4096 // 1000


def microseconds_of(moment: datetime) -> int:
    """Return a datetime as microseconds since 1970; a naive one is in `TIME_ZONE`."""
    return (aware(moment) - _EPOCH) // timedelta(microseconds=1)


def microseconds_in(key: UUID) -> int:
    """Return the time in a key, in microseconds since 1970."""
    milliseconds, fraction = key.int >> 80, key.int >> 64 & 0xFFF
    return milliseconds * 1000 + -(-fraction * 1000 // 4096)


def lowest_uuid_at(moment: datetime) -> UUID:
    """Return the lowest key of a datetime's microsecond; a naive one is in `TIME_ZONE`."""
    return uuid_at(microseconds_of(moment), tail=0)


def highest_uuid_at(moment: datetime) -> UUID:
    """Return the highest key of a datetime's microsecond; a naive one is in `TIME_ZONE`."""
    return uuid_at(microseconds_of(moment), tail=_HIGHEST_TAIL)


def datetime_of(microseconds: int) -> datetime:
    """Return microseconds since 1970 as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
