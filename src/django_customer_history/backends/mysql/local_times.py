"""MariaDB and MySQL: local times to UTC, without the server's tables of time zones.

With `TIME_ZONE` in `DATABASES`, Django stores local times of that zone. Most servers do not have
the tables that CONVERT_TZ() needs, so the offsets are in the SQL.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_FIRST, _LAST = datetime(1970, 1, 1), datetime(2038, 1, 1)  # noqa: DTZ001 - local times
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


@lru_cache
def utc_text(zone: tzinfo | None) -> str:
    """Return the pattern of the canonical text of a local time, in which `{0}` is the column.

    The offsets from 1970 to 2037 are known. Other times stay local and have no `Z`: reading takes
    them for times of the database's zone.
    """
    changes = list(_offsets(zone or UTC))
    whens = "".join(f" WHEN {{0}} < '{until}' THEN {offset}" for until, offset in changes[:-1])
    seconds = f"CASE{whens} ELSE {changes[-1][1]} END" if whens else str(changes[-1][1])
    return (
        f"IF({{0}} >= '{_FIRST}' AND {{0}} < '{_LAST}',"
        f" DATE_FORMAT({{0}} - INTERVAL {seconds} SECOND, '%Y-%m-%dT%H:%i:%s.%fZ'),"
        " DATE_FORMAT({0}, '%Y-%m-%dT%H:%i:%s.%f'))"
    )


def _offsets(zone: tzinfo) -> Iterator[tuple[datetime, int]]:
    """Yield the offsets of local times from UTC in seconds, each with the time of its end."""
    day, offset = _FIRST, _offset(_FIRST, zone)
    while day < _LAST:
        following = day + _DAY
        if (changed := _offset(following, zone)) != offset:
            yield _end_of(offset, day, following, zone), offset
            offset = changed
        day = following
    yield _LAST, offset


def _end_of(offset: int, start: datetime, end: datetime, zone: tzinfo) -> datetime:
    while end - start > _SECOND:
        middle = start + (end - start) // 2
        middle = middle.replace(microsecond=0)
        if _offset(middle, zone) == offset:
            start = middle
        else:
            end = middle
    return end


def _offset(local: datetime, zone: tzinfo) -> int:
    offset = local.replace(tzinfo=zone).utcoffset() or timedelta()
    return offset // _SECOND
