"""Texts of the log as people read them, and as JSON values."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, partial
from math import isfinite
from pathlib import PurePosixPath
from typing import Any

from django.db import models
from django.utils import formats, numberformat, timezone
from django.utils.duration import duration_iso_string
from django.utils.translation import get_language, gettext, ngettext

from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import float_text
from django_customer_history.values.geometries import geometry_text
from django_customer_history.values.moments import in_utc
from django_customer_history.values.types import ValueType

_logger = logging.getLogger("django_customer_history")

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


_OTHER_THAN_TEXT = frozenset(
    [
        ValueType.INTEGER,
        ValueType.FLOAT,
        ValueType.BOOLEAN,
        ValueType.JSON,
        ValueType.DURATION,
    ]
)
"""Types whose JSON values can differ from the texts in the log."""


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
    return json_function(value_type)(text)


def json_function(value_type: ValueType | None) -> Callable[[str | None], Any]:
    """Return the function that makes JSON values of the texts of a type, as `json_value` does."""
    if value_type not in _OTHER_THAN_TEXT:
        return _sendable_or_none
    return partial(_json_value, value_type=value_type)


def _sendable_or_none(text: str | None) -> str | None:
    return None if text is None else sendable_text(text)


def _json_value(text: str | None, value_type: ValueType | None) -> Any:
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
    return text if text.isascii() else _LONE_SURROGATES.sub("\ufffd", text)


def _sendable(value: Any, levels: int = 100) -> Any:
    if not levels:
        raise RecursionError
    if isinstance(value, str):
        return sendable_text(value)
    if isinstance(value, float):
        return value if isfinite(value) else float_text(value)
    if isinstance(value, list):
        return [_sendable(one, levels - 1) for one in value]
    if isinstance(value, dict):
        return {sendable_text(key): _sendable(one, levels - 1) for key, one in value.items()}
    return value


def utc_text(moment: datetime) -> str:
    """Return a datetime as ISO 8601 in UTC, `2026-11-23T14:02:11.482913Z`.

    A naive one is in the zone of the setting `TIME_ZONE`.
    """
    return in_utc(moment).isoformat(timespec="microseconds").replace("+00:00", "Z")


def display_function(
    field: Any, value_type: ValueType | None, *, own: Callable[[Any], Any] | None = None
) -> Callable[[str], str]:
    """Return the function that formats the texts of a field for people.

    It is for the current language and time zone. `own` is the project's own function for such
    values (`display` of a registration). Decimals and floats have thousands separators. Integers
    may be codes or years: they have them only with `USE_THOUSAND_SEPARATOR`. Keys are never
    formatted.
    """
    format_value = _format_function(field)
    is_key = getattr(field, "primary_key", False)

    def formatted(text: str) -> str:
        value = decode(text, value_type)
        if own is not None and value is not None and _has_type(value, value_type):
            try:
                # A plain string, so that HTML marked as safe is escaped.
                return str(own(value)) + ""
            except Exception:  # The project's function may not know such a value.
                _logger.exception("The function in `display` for %r failed.", str(field))
        if is_key:
            return text
        try:
            return format_value(text, value)
        except (ValueError, ArithmeticError, TypeError, IndexError, RecursionError):
            return text  # No format of the language fits such a value.

    return lambda text: sendable_text(formatted(text))


def _format_function(field: Any) -> Callable[[str, Any], str]:
    """Return the function that formats a text and its value as a field shows it."""
    if isinstance(field, models.FileField):
        return lambda text, _value: PurePosixPath(text).name
    if getattr(field, "choices", None):
        # Not before the first value: a function of the project may make them, and fail.
        choices = cache(lambda: list(field.flatchoices))
        format_other = _format_of(field)

        def chosen(text: str, value: Any) -> str:
            for choice, label in choices():
                if choice == value:
                    return str(label)
            return format_other(text, value)

        return chosen
    return _format_of(field)


def _format_of(field: Any) -> Callable[[str, Any], str]:
    """Return the function that formats a text and its value by the type of the value."""
    if hasattr(field, "geom_type"):
        srid = getattr(field, "srid", None)
        return lambda text, _value: geometry_text(text, srid=srid)
    # Of this field alone: a formatter is for one language.
    formatter_of: Callable[[type], Callable[[Any], str] | None] = cache(_formatter_of)

    def formatted(text: str, value: Any) -> str:
        formatter = formatter_of(type(value))
        return text if formatter is None else formatter(value)

    return formatted


def _formatter_of(kind: type) -> Callable[[Any], str] | None:
    """Return the function that formats values of a type, for the language of this moment."""
    if issubclass(kind, float | Decimal):
        return _amount_function()
    return next((one for base, one in _FORMATTERS.items() if issubclass(kind, base)), None)


def _amount_function() -> Callable[[float | Decimal], str]:
    """Return the function that formats amounts.

    Django's `formats.number_format` asks for the language and its separators with each number,
    which takes longer than the rest.
    """
    language = get_language()
    point, grouping, separator = (
        formats.get_format(name, language, use_l10n=True)
        for name in ("DECIMAL_SEPARATOR", "NUMBER_GROUPING", "THOUSAND_SEPARATOR")
    )

    def formatted(value: float | Decimal) -> str:
        if not isfinite(value):
            return float_text(float(value))
        return str(
            numberformat.format(
                value,
                point,
                grouping=grouping,
                thousand_sep=separator,
                force_grouping=True,
                use_l10n=True,
            )
        )

    return formatted


def _has_type(value: Any, value_type: ValueType | None) -> bool:
    # `decode` returns the text if the field had another type when the entry was written.
    return not isinstance(value, str) or value_type in (None, ValueType.TEXT, ValueType.JSON)


_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def _display_datetime(value: datetime) -> str:
    local, needs_zone = _local(value)
    text = str(formats.date_format(local, _exact_format("DATETIME_FORMAT", value)))
    return f"{text} {local:%Z}" if needs_zone else text


def _local(value: datetime) -> tuple[datetime, bool]:
    """Return a moment in the current time zone, and whether its zone must be named."""
    if value.tzinfo is None:
        return value, False
    try:
        local = timezone.localtime(value)
    except OverflowError:
        return value, True  # In UTC: the calendar of this time zone does not have the moment.
    first, second = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
    return local, first != second  # The clock shows such a time twice.


def _exact_format(name: str, value: datetime | time) -> str:
    """Return a format of the language that shows all digits the time has.

    Most formats have no seconds, so two different times would look the same.
    """
    pattern = str(formats.get_format(name))
    if not (value.second or value.microsecond):
        return pattern
    pattern = _CLOCK.sub("g:i:s a", pattern)
    if not _SECONDS.search(pattern):
        pattern, found = _MINUTES.subn(lambda i: f"{i[0]}{i[1] or ':'}s", pattern)
        pattern = pattern if found else f"{pattern} H:i:s"
    if value.microsecond and not _MICROSECONDS.search(pattern):
        pattern = _SECONDS.sub("s.u", pattern, count=1)
    return pattern


_CLOCK = re.compile(r"(?<!\\)[Pf]")
_MINUTES = re.compile(r"(?<!\\)([:.]?)i")
_SECONDS, _MICROSECONDS = re.compile(r"(?<!\\)s"), re.compile(r"(?<!\\)u")
"""Codes of a format that are not characters after a backslash."""


def _display_time(value: time) -> str:
    return str(formats.time_format(value, _exact_format("TIME_FORMAT", value)))


def display_timedelta(value: timedelta) -> str:
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
    str: str,
    bool: lambda value: gettext("Yes") if value else gettext("No"),
    datetime: _display_datetime,
    timedelta: display_timedelta,
    time: _display_time,
    date | int: lambda value: str(formats.localize(value, use_l10n=True)),
}
