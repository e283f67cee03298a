"""Parsers of filter values: moments, records, addresses and so on.

A malformed value raises Django's `ValidationError`, whose text says what to give.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date, datetime, time
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext

from django_customer_history.registration.registry import registry
from django_customer_history.values.encoding import encode
from django_customer_history.values.moments import aware

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?",
    re.IGNORECASE,
)
"""A date, or a moment as in RFC 3339."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No entry is older: the keys of entries count from here."""
_LATEST = datetime.max.replace(tzinfo=UTC)


def text_of(value: str) -> str:
    """Return a text as it is."""
    return value


def choice_of(known: Collection[str]) -> Callable[[str], str]:
    """Return a parser that accepts the texts in `known` and no others."""

    def parse(value: str) -> str:
        if value not in known:  # Evaluated each time: sources depend on the settings.
            choices = gettext("Give one of: %(values)s.") % {"values": ", ".join(known)}
            raise ValidationError(f"{guess(value, known)}{choices}")
        return value

    return parse


def record_of(value: str) -> tuple[str, str | None]:
    """Return the model and the key of `crm.customer:42`; the key of `crm.customer` is None."""
    model, _, key = value.partition(":")
    app_label, dot, name = model.lower().partition(".")
    if not (app_label and dot and name) or (":" in value and not key):
        raise ValidationError(
            gettext('Give a model, like "crm.customer", or a record: "crm.customer:42".')
        )
    return f"{app_label}.{name}", key or None


def field_name_of(value: str) -> tuple[str | None, str]:
    """Return the model and the name of `crm.customer:phone`; the model of `phone` is None.

    Only the label of a registered model counts as one: a key of a JSON field can have a colon.
    """
    model, colon, name = value.partition(":")
    if colon and name and registry.find(model.lower()) is not None:
        return model.lower(), name
    return None, value


def ip_address_of(value: str) -> str:
    """Return an IP address as the log writes it."""
    try:
        address = ip_address(value)
    except ValueError:
        address = None
    if address is None or "%" in value:  # The log stores addresses without a zone.
        raise ValidationError(gettext("Give an IP address, like 203.0.113.9 or 2001:db8::7."))
    return str(address)


def request_id_of(value: str) -> UUID:
    """Return the id of a request."""
    if not _UUID.fullmatch(value):
        raise ValidationError(gettext("Give the id of a request, a UUID."))
    return UUID(value)


def start_of(value: str) -> datetime:
    """Return a moment in UTC; for a date, the first moment of the day in the current time zone."""
    return _moment(value, end_of_day=False)


def end_of(value: str) -> datetime:
    """Return a moment in UTC; for a date, the last moment of the day in the current time zone."""
    return _moment(value, end_of_day=True)


def _moment(value: str, *, end_of_day: bool) -> datetime:
    day = moment = None
    if _MOMENT.fullmatch(value):
        try:
            day, moment = parse_date(value), parse_datetime(value.upper())
        except ValueError:
            day = moment = None  # The 30th of February.
    if day is not None:
        moment = datetime.combine(day, time.max if end_of_day else time.min)
    if moment is None:
        raise ValidationError(
            gettext("Give a date, like 2026-11-23, or a moment, like 2026-11-23T14:02:11Z.")
        )
    if timezone.is_naive(moment):
        moment = moment.replace(tzinfo=timezone.get_current_timezone())
    try:
        return max(moment.astimezone(UTC), _EARLIEST)
    except OverflowError:  # In UTC it is in the year 0, or in 10,000.
        return _EARLIEST if moment.year == 1 else _LATEST


def guess(name: str, known: Iterable[str]) -> str:
    """Return "Did you mean ...?" if a known name is similar, else an empty text."""
    close = difflib.get_close_matches(name, list(known), n=1)
    if not close:
        return ""
    return gettext("Did you mean '%(name)s'?") % {"name": close[0]} + " "


def text_of_python(value: Any, *, is_user: bool) -> str:
    """Return a value from Python as the text of a filter; a user is given by the key alone."""
    if isinstance(value, type) and issubclass(value, models.Model):
        return value._meta.label_lower
    if isinstance(value, models.Model):
        return str(value.pk) if is_user else f"{value._meta.label_lower}:{encode(value)}"
    if isinstance(value, datetime):
        # In UTC: an ISO text has no seconds in its offset, and early time zones had.
        value = _in_utc(aware(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # In UTC it is in the year 0, or in 10,000.
        return moment.replace(tzinfo=UTC)
