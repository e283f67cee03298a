"""Keys of entries: UUIDs of version 7 (RFC 9562) whose order is the order of time.

The first 48 bits are milliseconds since 1970 in UTC; the 12 bits after the version are the
fraction of the millisecond (RFC 9562, section 6.2, method 3), so a key holds its microsecond.
"""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIGHEST_TAIL = 2**62 - 1
_VARIANT = 0x2 << 62
_STEP_BACK_TOLERATED = 1_000_000
"""Microseconds: so far the clock may seem to stand or run back before it is believed."""

_lock = threading.Lock()
_last_microsecond = 0


def time_ordered_uuid() -> UUID:
    """Return a new key for this moment, greater than each made before in this process."""
    return uuid_at(next_microsecond())


def next_microsecond() -> int:
    """Return the microseconds since 1970 now, never the same number twice in a process."""
    global _last_microsecond  # noqa: PLW0603 - one clock per process is the point
    now = time.time_ns() // 1000
    with _lock:
        if 0 <= _last_microsecond - now < _STEP_BACK_TOLERATED:
            now = _last_microsecond + 1
        _last_microsecond = now
    return now


def uuid_at(microseconds: int, *, tail: int | None = None) -> UUID:
    """Return a key for a moment, in microseconds since 1970; its last 62 bits are random.

    With `tail` 0 it is the smallest key of that microsecond: a bound for a range of time.
    """
    return UUID(int=_number_at(microseconds, random.getrandbits(62) if tail is None else tail))


def hexadecimal_at(microseconds: int) -> str:
    """Return the 32 digits of a new key for a moment, in microseconds since 1970."""
    milliseconds, fraction = _parts_of(microseconds)
    # By parts it takes half as long as by one number of 128 bits.
    return f"{milliseconds:012x}7{fraction:03x}{_VARIANT | random.getrandbits(62):016x}"


def _number_at(microseconds: int, tail: int) -> int:
    milliseconds, fraction = _parts_of(microseconds)
    return milliseconds << 80 | 0x7 << 76 | fraction << 64 | _VARIANT | tail


def _parts_of(microseconds: int) -> tuple[int, int]:
    milliseconds, rest = divmod(microseconds, 1000)
    return milliseconds, rest * 4096 // 1000


def microseconds_of(moment: datetime) -> int:
    """Return a moment as microseconds since 1970; a naive one is in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def lowest_uuid_at(moment: datetime) -> UUID:
    """Return the lower bound of all keys made at or after `moment` (with a time zone)."""
    return uuid_at(microseconds_of(moment), tail=0)


def highest_uuid_at(moment: datetime) -> UUID:
    """Return the upper bound of all keys made at or before `moment` (with a time zone)."""
    return uuid_at(microseconds_of(moment), tail=_HIGHEST_TAIL)


def datetime_of(microseconds: int) -> datetime:
    """Return microseconds since 1970 as a moment in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
