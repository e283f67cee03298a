"""Canonical text back to Python values, by the form of the field that it came from."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django_customer_history.tables import Form


def decode(text: str | None, form: Form | None) -> Any:
    """Return the Python value of a text; the text itself where it does not fit the form.

    It may not fit where the field had another type when the entry was written.
    """
    if text is None:
        return None
    try:
        return _DECODERS.get(form, str)(text)
    except (ValueError, ArithmeticError, RecursionError):
        return text


def _decode_boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text]


_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}

_DECODERS: Mapping[Form | None, Callable[[str], Any]] = {
    Form.INTEGER: int,
    Form.DECIMAL: Decimal,
    Form.FLOAT: float,
    Form.BOOLEAN: _decode_boolean,
    Form.DATE: date.fromisoformat,
    Form.DATETIME: datetime.fromisoformat,
    Form.LOCAL_DATETIME: datetime.fromisoformat,
    Form.TIME: time.fromisoformat,
    Form.DURATION: lambda text: timedelta(microseconds=int(text)),
    Form.UUID: UUID,
    Form.BINARY: bytes.fromhex,
    Form.JSON: json.loads,
}
