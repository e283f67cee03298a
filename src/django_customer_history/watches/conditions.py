"""Conditions of watches on the old and the new value of a field.

`= text` is the exact value as REST has it, `> 100` and `< 100` compare numbers, `=` alone is an
empty value. A value that the owner sees masked never matches, so that a watch reveals nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from django_customer_history.models import Watch
from django_customer_history.reading.entries import TimelineChange, TimelineEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A sign and the value that it compares with."""

    sign: str
    operand: str

    @classmethod
    def read(cls, text: str) -> "Condition":
        """Return the condition of a text. Raise `ValidationError` if it is not valid."""
        sign, operand = text[:1], text[1:].strip()
        is_number = sign in _COMPARISONS and _number(operand) is not None
        if sign != "=" and not is_number:
            raise ValidationError(gettext("Write “= text”, “> 100” or “< 100”."))
        return cls(sign=sign, operand=operand)

    def matches(self, value: Any) -> bool:
        """Return whether a value of REST matches."""
        if self.sign == "=":
            return _text(value) == self.operand
        number, limit = _number(_text(value)), _number(self.operand)
        return number is not None and limit is not None and _COMPARISONS[self.sign](number, limit)


def check_condition(text: str) -> None:
    """Raise `ValidationError` if a condition is not valid; an empty one is."""
    if text:
        Condition.read(text)


def fits(watch: Watch, entry: TimelineEntry) -> bool:
    """Return whether an entry has a change that meets the conditions of a watch."""
    if not watch.field:
        return True
    return any(_meets(watch, change) for change in entry.changes if change.field == watch.field)


def _meets(watch: Watch, change: TimelineChange) -> bool:
    pairs = ((watch.old_condition, change.old), (watch.new_condition, change.new))
    given = [(Condition.read(text), value) for text, value in pairs if text]
    if change.masked:
        return not given
    return all(condition.matches(value) for condition, value in given)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    ">": lambda number, limit: number > limit,
    "<": lambda number, limit: number < limit,
}
