"""The time zone in which one reader reads the history."""

from collections.abc import Callable
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from django_customer_history import conf
from django_customer_history.exceptions import UnknownTimeZoneError


def in_time_zone_of(reader: Any) -> timezone.override:
    """Return a context manager in which days and times are those of a reader.

    Raises what `reader_time_zone` raises.
    """
    return timezone.override(reader_time_zone(reader))


def reader_time_zone(reader: Any) -> tzinfo:
    """Return the time zone for a reader: that of `READER_TIME_ZONE`, else Django's current one.

    Raises `UnknownTimeZoneError` if the setting's function returns a name that this system does
    not know as a time zone.
    """
    resolve: Callable[[Any], tzinfo | str | None] | None = conf.reader_time_zone()
    zone = None if resolve is None else resolve(reader)
    if isinstance(zone, tzinfo):
        return zone
    if not zone:
        return timezone.get_current_timezone()
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownTimeZoneError(
            f"{conf.SETTING}['READER_TIME_ZONE'] returned {zone!r}, which is not a time zone of"
            ' this system. Return a name like "Europe/Berlin", or None for the current time zone.'
        ) from error
