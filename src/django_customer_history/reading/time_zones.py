"""The time zone in which one reader reads the log."""

from collections.abc import Callable
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from django_customer_history import conf
from django_customer_history.exceptions import UnknownTimeZoneError


def reader_time_zone(reader: Any) -> tzinfo:
    """Return the zone that the project names for a reader, else Django's current one.

    Raises `UnknownTimeZoneError` for a name that is no time zone.
    """
    find: Callable[[Any], tzinfo | str | None] | None = conf.reader_time_zone()
    given = None if find is None else find(reader)
    if isinstance(given, tzinfo):
        return given
    if not given:
        return timezone.get_current_timezone()
    try:
        return ZoneInfo(given)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownTimeZoneError(
            f"{conf.SETTING}['READER_TIME_ZONE'] gave {given!r}, which is no time zone of this system."
            ' Let it return a name like "Europe/Berlin", or None for the zone of the settings.'
        ) from error
