"""Canonical text back to the values that the ORM returns for a field of a model."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.utils.dateparse import parse_duration

from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import AnyField, stored_field, value_type_of
from django_customer_history.values.types import ValueType

_BOUND = re.compile(r'"((?:[^"\\]|\\.|"")*)"|([^,"]*)')
_RANGE = re.compile(rf"([\[(])(?:{_BOUND.pattern}),(?:{_BOUND.pattern})([\])])", re.DOTALL)
"""The text of a range in PostgreSQL: each bound may be in quotes, or missing."""


def python_value(field: AnyField, text: str | None) -> Any:
    """Return the value of a text as the ORM returns it for a field; None for None.

    Ranges, lists, dicts, geometries and classes of a project's own fields included. A text that
    is not a value of the field any more is returned as it is; nothing is raised.
    """
    if text is None:
        return None
    field = stored_field(field)
    try:
        return _PARSERS.get(_family(field), _plain)(field, text)
    except Exception:  # noqa: BLE001 - a project's own field may raise anything.
        return text


def python_key(model: type[models.Model], text: str) -> Any:
    """Return a primary key from the text that the log has for it."""
    meta = model._meta
    if len(meta.pk_fields) == 1:
        return python_value(meta.pk_fields[0], text)
    try:
        parts = json.loads(text)
        return tuple(map(python_value, meta.pk_fields, parts))
    except (ValueError, TypeError):
        return text


def _family(field: Any) -> str:
    if hasattr(field, "range_type"):
        return "range"
    if hasattr(field, "geom_type"):
        return "geometry"
    name = str(field.get_internal_type())
    return name if name in _PARSERS else ""


def _plain(field: Any, text: str) -> Any:
    value_type = value_type_of(field, use_tz=settings.USE_TZ)
    # Django gives JSON to a field as text.
    value = text if value_type is ValueType.JSON else decode(text, value_type)
    if hasattr(field, "from_db_value"):
        return field.from_db_value(value, None, connections[DEFAULT_DB_ALIAS])
    return value


def _array(field: Any, text: str) -> Any:
    return _members(field, json.loads(text, parse_float=Decimal))


def _members(field: Any, values: Any) -> Any:
    base = field.base_field
    if not isinstance(values, list):
        return values
    if base.get_internal_type() == "ArrayField":
        return [_members(base, one) for one in values]
    return [python_value(base, _member_text(base, one)) for one in values]


def _member_text(base: AnyField, value: Any) -> str | None:
    """Return the canonical text of a member, which PostgreSQL has as a value of its JSON."""
    if value is None:
        return None
    value_type = value_type_of(base, use_tz=settings.USE_TZ)
    if value_type is ValueType.JSON or isinstance(value, dict):  # An hstore is a dict too.
        return json.dumps(value, default=float)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value_type is ValueType.BINARY:
        return str(value).removeprefix("\\x")
    if value_type is ValueType.DURATION and (duration := parse_duration(value)) is not None:
        return str(duration // timedelta(microseconds=1))
    return str(value)


def _range(field: Any, text: str) -> Any:
    if text == "empty":
        return field.range_type(empty=True)
    if (found := _RANGE.fullmatch(text)) is None:
        return text
    start, *bounds, end = found.groups()
    lower, upper = (python_value(field.base_field, _bound(*bounds[at : at + 2])) for at in (0, 2))
    return field.range_type(lower, upper, start + end)


def _bound(in_quotes: str | None, plain: str | None) -> str | None:
    if in_quotes is not None:
        return re.sub(r'\\(.)|"(")', r"\1\2", in_quotes)
    return plain or None


def _geometry(field: Any, text: str) -> Any:
    from django.contrib.gis.geos import GEOSGeometry  # noqa: PLC0415 - needs a library

    geometry = GEOSGeometry(text)
    if not geometry.srid and field.srid > 0:
        geometry.srid = field.srid  # MariaDB and MySQL store none, and the ORM adds it.
    return geometry


_PARSERS: Mapping[str, Callable[[Any, str], Any]] = {
    "ArrayField": _array,
    "HStoreField": lambda _field, text: json.loads(text),
    "range": _range,
    "geometry": _geometry,
}
"""By family of fields; the empty name is that of all other fields."""
