"""Canonical text back to Python values, by the type of the field that it came from."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django_customer_history.values.moments import as_django_has_it
from django_customer_history.values.types import ValueType


def decode(text: str | None, value_type: ValueType | None) -> Any:
    """Return the Python value of a text, or the text itself if it is not a value of that type.

    That happens if the field had another type when the entry was written. Datetimes are as the
    ORM returns them: in UTC, or naive without `USE_TZ`. None is returned for None; nothing is
    raised.
    """
    if text is None:
        return None
    try:
        return _DECODERS.get(value_type, str)(text)
    except (ValueError, ArithmeticError, RecursionError):
        return text


def _decode_boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text]


def _decode_datetime(text: str) -> datetime:
    return as_django_has_it(datetime.fromisoformat(text))


_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}

_DECODERS: Mapping[ValueType | None, Callable[[str], Any]] = {
    ValueType.INTEGER: int,
    ValueType.DECIMAL: Decimal,
    ValueType.FLOAT: float,
    ValueType.BOOLEAN: _decode_boolean,
    ValueType.DATE: date.fromisoformat,
    ValueType.DATETIME: _decode_datetime,
    ValueType.LOCAL_DATETIME: _decode_datetime,
    ValueType.TIME: time.fromisoformat,
    ValueType.DURATION: lambda text: timedelta(microseconds=int(text)),
    ValueType.UUID: UUID,
    ValueType.BINARY: bytes.fromhex,
    ValueType.JSON: json.loads,
}
