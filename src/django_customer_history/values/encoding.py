"""Python values to the canonical text of the log, which is the same on every database.

Datetimes are ISO 8601 in UTC with six digits and a `Z`; decimals keep their places; durations
are whole microseconds; binary values are hexadecimal; dicts and lists are JSON.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import inf, isfinite
from typing import Any, TypeAlias, cast
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.functional import Promise

from django_customer_history.values.moments import as_stored, aware
from django_customer_history.values.types import ValueType

_VALUE_TYPES: Mapping[str, ValueType] = {
    "AutoField": ValueType.INTEGER,
    "BigAutoField": ValueType.INTEGER,
    "SmallAutoField": ValueType.INTEGER,
    "IntegerField": ValueType.INTEGER,
    "BigIntegerField": ValueType.INTEGER,
    "SmallIntegerField": ValueType.INTEGER,
    "PositiveIntegerField": ValueType.INTEGER,
    "PositiveBigIntegerField": ValueType.INTEGER,
    "PositiveSmallIntegerField": ValueType.INTEGER,
    "BinaryField": ValueType.BINARY,
    "BooleanField": ValueType.BOOLEAN,
    "CharField": ValueType.TEXT,
    "TextField": ValueType.TEXT,
    "SlugField": ValueType.TEXT,
    "FileField": ValueType.TEXT,
    "FilePathField": ValueType.TEXT,
    "GenericIPAddressField": ValueType.TEXT,
    "DateField": ValueType.DATE,
    "DecimalField": ValueType.DECIMAL,
    "DurationField": ValueType.DURATION,
    "FloatField": ValueType.FLOAT,
    "JSONField": ValueType.JSON,
    "TimeField": ValueType.TIME,
    "UUIDField": ValueType.UUID,
}

LONGEST_KEY = 255
"""Characters of the columns of the log that hold keys."""

AnyField: TypeAlias = "models.Field[Any, Any]"


def value_type_of(field: AnyField, *, use_tz: bool) -> ValueType | None:
    """Return the type of a model field's values, or None if only the database knows it.

    A foreign key has the type of the field that it refers to, a generated field that of its
    output. `use_tz` is the setting `USE_TZ`: without it the datetimes of the log are naive,
    unless the database stores time zones.
    """
    field = stored_field(field)
    internal_type = field.get_internal_type()
    if internal_type == "DateTimeField":
        return ValueType.DATETIME if use_tz else ValueType.LOCAL_DATETIME
    return _VALUE_TYPES.get(internal_type)


def decimal_places_of(field: AnyField) -> int:
    """Return the number of digits after the decimal point of a decimal field, 0 for others."""
    return int(getattr(stored_field(field), "decimal_places", None) or 0)


def stored_field(field: AnyField) -> AnyField:
    """Return the field whose values a column has: a foreign key refers to it."""
    while True:
        if isinstance(field, models.ForeignKey):
            field = field.target_field
        elif isinstance(field, models.GeneratedField):
            field = cast("AnyField", field.output_field)
        else:
            return field


def encode(value: Any) -> str | None:
    """Return the canonical text of a Python value, None for None.

    A datetime is converted to UTC; a naive one is in the zone of the setting `TIME_ZONE`, and
    without `USE_TZ` it stays naive if the database stores no time zones. A model instance becomes
    the text of its key. Raises `TypeError` for a value of any other type than those below.
    """
    if value is None:
        return None
    for kind, encoder in _ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value)
    raise TypeError(f"The history cannot store a {type(value).__name__}. Pass a string instead.")


def key_text(key: Any, *, model: type[models.Model] | None = None) -> str:
    """Return the key of a row as the log writes it, in `entity_id` and `subject_id`.

    `key` is a primary key or a model instance. A composite key is a JSON list of texts. A row
    that is not saved yet has the empty text. A key of a class of the project's own is written as
    the field of the `model` prepares it for the database. Raises `TypeError` as `encode` does.
    """
    if isinstance(key, models.Model):
        key = _prepared_key(key.__class__, key.pk, is_known=False)
    elif model is not None:
        key = _prepared_key(model, key, is_known=True)
    if isinstance(key, tuple | list):
        texts = [encode(part) for part in key]
        return json.dumps(texts, separators=(",", ":"), ensure_ascii=False)
    return encode(key) or ""


def key_if_saved(record: models.Model) -> str | None:
    """Return the key of a record as text, or None if the record is not saved."""
    parts = record.pk if isinstance(record.pk, tuple) else (record.pk,)
    return None if None in parts else key_text(record)


def field_text(field: AnyField, value: Any) -> str | None:
    """Return the canonical text of the value that a record has in a field."""
    return encode(_prepared(field, value, is_known=False))


def _prepared_key(model: type[models.Model], key: Any, *, is_known: bool) -> Any:
    fields = model._meta.pk_fields
    if isinstance(key, tuple | list):
        pairs = zip(fields, key, strict=False)
        return [_prepared(field, part, is_known=is_known) for field, part in pairs]
    return _prepared(fields[0], key, is_known=is_known)


def _prepared(field: AnyField, value: Any, *, is_known: bool) -> Any:
    """Return a value as its field gives it to the database.

    With `is_known`, text and other values of known classes stay as they are: they may be the text
    that the log has.
    """
    if value is None or isinstance(value, models.Model):
        return value
    if is_known and type(value) in _ENCODERS:
        return value
    return stored_field(field).get_prep_value(value)


def _encode_datetime(value: datetime) -> str:
    if value.tzinfo is None and not settings.USE_TZ:
        value = as_stored(value)
        if value.tzinfo is None:
            return value.isoformat(timespec="microseconds")
    try:
        value = aware(value).astimezone(UTC)
    except OverflowError:  # In UTC it is in the year 0, or in 10,000.
        return value.isoformat(timespec="microseconds")
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def float_text(value: float) -> str:
    """Return the shortest text of a number that gives the same number again."""
    return repr(value) if isfinite(value) else _NON_FINITE.get(value, "NaN")


_NON_FINITE: Mapping[float, str] = {inf: "Infinity", -inf: "-Infinity"}


def _encode_json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


# The order matters: bool is an int, datetime is a date.
_ENCODERS: Mapping[type, Callable[[Any], str | None]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    Decimal: lambda value: format(value, "f"),
    float: float_text,
    datetime: _encode_datetime,
    date: date.isoformat,
    time: lambda value: value.isoformat(timespec="microseconds"),
    timedelta: lambda value: str(value // timedelta(microseconds=1)),
    UUID: str,
    bytes: bytes.hex,
    dict: _encode_json,
    list: _encode_json,
    tuple: _encode_json,
    models.Model: lambda value: key_text(value) or None,
    Promise: str,
}
