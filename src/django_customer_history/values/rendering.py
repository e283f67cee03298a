"""Texts of the log as a person, or a program that speaks JSON, wants to read them."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from django.db import models
from django.utils import formats, timezone
from django.utils.duration import duration_iso_string
from django.utils.translation import gettext

from django_customer_history.tables import Form
from django_customer_history.values.decoding import decode

_TYPES: Mapping[Form | None, str] = {
    Form.TEXT: "text",
    Form.INTEGER: "number",
    Form.DECIMAL: "decimal",
    Form.FLOAT: "number",
    Form.BOOLEAN: "boolean",
    Form.DATE: "date",
    Form.DATETIME: "datetime",
    Form.LOCAL_DATETIME: "datetime",
    Form.TIME: "time",
    Form.DURATION: "duration",
    Form.UUID: "uuid",
    Form.BINARY: "binary",
    Form.JSON: "json",
}


def type_of(field: Any, form: Form | None) -> str:
    """Return the word for a field's type: `text`, `choice`, `relation`, `date` ..."""
    if getattr(field, "is_relation", False):
        return "relation"
    if getattr(field, "choices", None):
        return "choice"
    if isinstance(field, models.FileField):
        return "file"
    return _TYPES.get(form, "text")


def json_value(text: str | None, form: Form | None) -> Any:
    """Return a text as typed JSON: number, boolean, object; all else is a string.

    Decimals stay strings with their own places, moments are ISO 8601 in UTC, durations are
    ISO 8601.
    """
    if text is None:
        return None
    if form in (Form.INTEGER, Form.FLOAT, Form.BOOLEAN, Form.JSON):
        return decode(text, form)
    if form is Form.DURATION and isinstance(value := decode(text, form), timedelta):
        return duration_iso_string(value)
    return text


def utc_text(moment: datetime) -> str:
    """Return a moment in UTC: 2026-11-23T14:02:11.482913Z. A naive one is in UTC already."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def display(text: str | None, field: Any, form: Form | None) -> str | None:
    """Return a text as a reader of the current language and time zone would write it."""
    if text is None:
        return None
    if isinstance(field, models.FileField):
        return PurePosixPath(text).name
    value = decode(text, form)
    for choice, label in getattr(field, "flatchoices", None) or ():
        if choice == value:
            return str(label)
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    return value if form is Form.JSON and isinstance(value, str) else text


def _display_moment(value: datetime) -> str:
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return str(formats.date_format(local, "DATETIME_FORMAT"))


_WRITERS: Mapping[Any, Callable[[Any], str]] = {
    bool: lambda value: gettext("Yes") if value else gettext("No"),
    datetime: _display_moment,
    timedelta: str,
    date | time | int | float | Decimal: lambda value: str(formats.localize(value, use_l10n=True)),
}
