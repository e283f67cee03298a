"""Texts of the log as people read them, and as JSON values."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import inf, isfinite
from pathlib import PurePosixPath
from typing import Any

from django.db import models
from django.utils import formats, timezone
from django.utils.duration import duration_iso_string
from django.utils.translation import gettext, ngettext

from django_customer_history.values.decoding import decode
from django_customer_history.values.types import ValueType

_TYPES: Mapping[ValueType | None, str] = {
    ValueType.TEXT: "text",
    ValueType.INTEGER: "number",
    ValueType.DECIMAL: "decimal",
    ValueType.FLOAT: "number",
    ValueType.BOOLEAN: "boolean",
    ValueType.DATE: "date",
    ValueType.DATETIME: "datetime",
    ValueType.LOCAL_DATETIME: "datetime",
    ValueType.TIME: "time",
    ValueType.DURATION: "duration",
    ValueType.UUID: "uuid",
    ValueType.BINARY: "binary",
    ValueType.JSON: "json",
}


def type_of(field: Any, value_type: ValueType | None) -> str:
    """Return the name of a field's type in the JSON: `text`, `choice`, `relation`, `date` ..."""
    if getattr(field, "is_relation", False):
        return "relation"
    if getattr(field, "choices", None):
        return "choice"
    if isinstance(field, models.FileField):
        return "file"
    return _TYPES.get(value_type, "text")


def json_value(text: str | None, value_type: ValueType | None) -> Any:
    """Return a text as a JSON value: a number, a boolean, an object or array, else a string.

    Decimals stay strings and keep their places; datetimes (in UTC) and durations are ISO 8601.
    Numbers that JSON does not have are the strings "Infinity", "-Infinity" and "NaN".
    """
    if text is None:
        return None
    if value_type in (ValueType.INTEGER, ValueType.FLOAT, ValueType.BOOLEAN, ValueType.JSON):
        try:
            return _sendable(decode(text, value_type))
        except RecursionError:  # Nested too deeply for json.dumps: keep the text.
            return sendable_text(text)
    if value_type is ValueType.DURATION and isinstance(
        value := decode(text, value_type), timedelta
    ):
        return duration_iso_string(value)
    return sendable_text(text)


def sendable_text(text: str) -> str:
    """Return a text without lone surrogates: JSON can hold them, UTF-8 cannot."""
    return _LONE_SURROGATES.sub("\ufffd", text)


def _sendable(value: Any, levels: int = 100) -> Any:
    if not levels:
        raise RecursionError
    if isinstance(value, str):
        return sendable_text(value)
    if isinstance(value, float):
        return value if isfinite(value) else _NON_FINITE.get(value, "NaN")
    if isinstance(value, list):
        return [_sendable(one, levels - 1) for one in value]
    if isinstance(value, dict):
        return {sendable_text(key): _sendable(one, levels - 1) for key, one in value.items()}
    return value


def utc_text(moment: datetime) -> str:
    """Return a datetime as ISO 8601 in UTC, `2026-11-23T14:02:11.482913Z`; naive is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def display(
    text: str | None,
    field: Any,
    value_type: ValueType | None,
    *,
    own: Callable[[Any], Any] | None = None,
) -> str | None:
    """Return a text formatted for people, in the current language and time zone.

    `own` is the project's own function for such values (`display` of a registration). Decimals
    and floats have thousands separators. Integers may be codes or years: they have them only
    with `USE_THOUSAND_SEPARATOR`. Keys are never formatted.
    """
    return None if text is None else sendable_text(_display(text, field, value_type, own))


def _display(
    text: str, field: Any, value_type: ValueType | None, own: Callable[[Any], Any] | None
) -> str:
    value = decode(text, value_type)
    if own is not None and value is not None and _has_type(value, value_type):
        return str(own(value)) + ""  # A plain string, so that HTML marked as safe is escaped.
    if getattr(field, "primary_key", False):
        return text
    return _formatted(text, value, field)


def _formatted(text: str, value: Any, field: Any) -> str:
    if isinstance(field, models.FileField):
        return PurePosixPath(text).name
    for choice, label in getattr(field, "flatchoices", None) or ():
        if choice == value:
            return str(label)
    for kind, format_value in _FORMATTERS.items():
        if isinstance(value, kind):
            return format_value(value)
    return value if isinstance(value, str) else text


def _has_type(value: Any, value_type: ValueType | None) -> bool:
    # `decode` returns the text if the field had another type when the entry was written.
    return not isinstance(value, str) or value_type in (None, ValueType.TEXT, ValueType.JSON)


_LONE_SURROGATES = re.compile("[\ud800-\udfff]")

_NON_FINITE: Mapping[float, str] = {inf: "Infinity", -inf: "-Infinity"}


def _display_amount(value: float | Decimal) -> str:
    # "Infinity" has no digits to group.
    return str(formats.number_format(value, use_l10n=True, force_grouping=isfinite(value)))


def _display_datetime(value: datetime) -> str:
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return str(formats.date_format(local, "DATETIME_FORMAT"))


def _display_duration(value: timedelta) -> str:
    """Return days, hours, minutes and seconds, with one sign for the whole duration."""
    sign, length = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(length.seconds, 60)
    clock = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if length.microseconds:
        fraction = f"{length.microseconds:06}".rstrip("0")
        clock += f"{formats.get_format('DECIMAL_SEPARATOR')}{fraction}"
    if not length.days:
        return sign + clock
    words = ngettext("%(count)d day, %(clock)s", "%(count)d days, %(clock)s", length.days)
    return sign + words % {"count": length.days, "clock": clock}


_FORMATTERS: Mapping[Any, Callable[[Any], str]] = {
    bool: lambda value: gettext("Yes") if value else gettext("No"),
    datetime: _display_datetime,
    timedelta: _display_duration,
    date | time | int: lambda value: str(formats.localize(value, use_l10n=True)),
    float | Decimal: _display_amount,
}
