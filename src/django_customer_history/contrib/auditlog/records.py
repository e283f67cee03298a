"""Parse the records of auditlog into texts of the log.

auditlog keeps the result of `str()` for most values. If a value cannot be restored from that, the
entry's context names the field; the value is never guessed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from django_customer_history.backends.tables import TrackedTable
from django_customer_history.capture.existing_rows import split
from django_customer_history.contrib.importing import Changes
from django_customer_history.labels import Kind
from django_customer_history.values.encoding import (
    decimal_places_of,
    encode,
    value_type_of,
)
from django_customer_history.values.types import ValueType

Values = dict[str, str | None]
"""Texts of the log by field."""

_NULL = "None"
"""The result of `str()` for None, and for a text with these four letters."""
_FEWEST_STARS = 2

Unresolvable = (ValidationError, ValueError, TypeError, ArithmeticError)
"""The errors of converting a text that is not a value of the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links that were added or removed together; auditlog keeps only names of the linked rows."""

    field: str
    is_removal: bool
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRecord:
    """The content of one record."""

    changes: Changes = field(default_factory=dict)
    """Changes of logged fields; None on both sides if the value cannot be restored."""
    before: Values = field(default_factory=dict)
    after: Values = field(default_factory=dict)
    """The values of all fields before and after, as far as the record has them."""
    links: list[Links] = field(default_factory=list)
    marks: dict[str, list[str]] = field(default_factory=dict)
    """Problems for the entry's `context`: a word to the names of the fields."""

    def mark(self, word: str, name: str) -> None:
        """Note why the values of a field are not the original ones."""
        self.marks.setdefault(word, []).append(name)


@dataclass(frozen=True, kw_only=True)
class RecordParser:
    """Parses the records of one model."""

    model: type[models.Model]
    table: TrackedTable
    relations: frozenset[str]
    """The many-to-many fields that are logged."""
    masked: frozenset[str]
    """Fields that auditlog masks."""

    def read(self, kind: Kind, raw: Mapping[str, Any]) -> ParsedRecord:
        """Return the content of a record in terms of the log."""
        recorded = ParsedRecord()
        pairs = {name: pair for name, pair in raw.items() if not isinstance(pair, dict)}
        # Values have types only if the project makes auditlog store them as JSON.
        is_typed = any(not isinstance(value, str) for pair in pairs.values() for value in pair)
        for name, (old, new) in pairs.items():
            sides = (None if kind == "create" else old, None if kind == "delete" else new)
            self._read_field(recorded, name, sides, is_typed=is_typed)
        for name, members in raw.items():
            if isinstance(members, dict) and name in self.relations:
                is_removal = members.get("operation") == "delete"
                objects = tuple(map(str, members.get("objects", ())))
                recorded.links.append(Links(field=name, is_removal=is_removal, objects=objects))
        return recorded

    def _read_field(
        self, recorded: ParsedRecord, name: str, sides: tuple[Any, Any], *, is_typed: bool
    ) -> None:
        found = self._fields.get(name)
        column = self._columns.get(name)
        if found is None:
            if name not in self._other_names:
                recorded.mark("unknown", name)  # A removed field: it may have been secret.
            return
        if name in self.masked or any(map(_looks_masked, sides)):
            self._leave_open(recorded, "masked", name)
            return
        try:
            old, new = (text_of(found, value, is_typed=is_typed) for value in sides)
        except Unresolvable:
            self._leave_open(recorded, "unresolved", name)
            return
        recorded.before[name], recorded.after[name] = old, new
        if column is None or old == new:
            return
        if not is_typed and found.null and _is_text(found) and _NULL in sides:
            recorded.mark("null_or_text", name)
        recorded.changes.update(_by_key(name, old, new) if column.by_key else {name: [old, new]})

    def _leave_open(self, recorded: ParsedRecord, word: str, name: str) -> None:
        if name in self._columns:
            recorded.mark(word, name)
            recorded.changes[name] = [None, None]

    @cached_property
    def _columns(self) -> Mapping[str, Any]:
        return {column.field: column for column in self.table.columns if not column.secret}

    @cached_property
    def _fields(self) -> Mapping[str, Any]:
        return {one.name: one for one in self.model._meta.fields if not one.primary_key}

    @cached_property
    def _other_names(self) -> set[str]:
        # On creation auditlog also records relations from the other side.
        return {one.name for one in self.model._meta.get_fields()}


def text_of(found: Any, value: Any, *, is_typed: bool = True) -> str | None:
    """Return the text of the log for a value that auditlog recorded.

    Raises one of `Unresolvable` if the value cannot be restored.
    """
    null, stored = found.null, found
    while isinstance(stored, models.ForeignKey):
        stored = stored.target_field
    value_type = value_type_of(stored, use_tz=settings.USE_TZ)
    if value is None:
        return None
    if not is_typed and value == _NULL and (null or value_type is not ValueType.TEXT):
        return None
    if value_type is ValueType.JSON:
        read = json.loads(value) if isinstance(value, str) and not is_typed else value
        return None if read is None else json.dumps(read, ensure_ascii=False)
    if value_type is None or value_type is ValueType.BINARY:
        raise ValueError(f"A value of {found} cannot be restored from text.")
    return encode(stored.get_prep_value(_exact(stored, stored.to_python(value))))


def _exact(stored: Any, value: Any) -> Any:
    if isinstance(value, datetime) and settings.USE_TZ and value.tzinfo is None:
        return value.replace(tzinfo=UTC)  # auditlog records UTC without saying so.
    if isinstance(value, Decimal):
        return value.quantize(Decimal(1).scaleb(-decimal_places_of(stored)))
    return value


def _by_key(name: str, old: str | None, new: str | None) -> Changes:
    before, after = split(name, old), split(name, new)
    pairs: Iterator[tuple[str, list[str | None]]] = (
        (one, [before.get(one, [None, None])[1], after.get(one, [None, None])[1]])
        for one in {**before, **after}
    )
    return {one: pair for one, pair in pairs if pair[0] != pair[1]}


def _is_text(found: Any) -> bool:
    return value_type_of(found, use_tz=settings.USE_TZ) is ValueType.TEXT


def _looks_masked(value: Any) -> bool:
    # auditlog's own mask replaces the first half of a text with stars.
    half = len(value) // 2 if isinstance(value, str) else 0
    return half >= _FEWEST_STARS and value[:half] == "*" * half
