"""A step chart of one field: its values over time, as points of an SVG image.

It is made of the entries of the page, so it needs no statement of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import pairwise

from django.utils import formats
from django.utils.translation import gettext

from django_customer_history.reading.entries import TimelineChange, TimelineEntry

_WIDTH, _HEIGHT, _MARGIN = 600.0, 90.0, 6.0
_TYPES = ("number", "decimal", "date", "datetime")
_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChart:
    """The values of one field of one record, from the oldest to the newest."""

    label: str
    points: str
    """The points of the line, in a box of 600 by 90 units."""
    text: str
    """What the chart shows, in words."""
    lowest: str
    highest: str
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True)
class _Value:
    moment: datetime
    number: float
    text: str


def build_chart(entries: Sequence[TimelineEntry], field: str, *, zone: tzinfo) -> StepChart | None:
    """Return the chart of a field, given by its name, in entries that are newest first.

    None if the entries are about several records, or have fewer than two values that are numbers
    or dates and that the reader may see.
    """
    if len({(one.entity.model, one.entity.id) for one in entries}) != 1:
        return None
    changes = [
        (entry, change)
        for entry in reversed(entries)
        for change in entry.changes
        if change.field == field and change.type in _TYPES
    ]
    if any(change.masked or change.is_truncated for _entry, change in changes):
        return None
    values = [
        _Value(entry.timestamp.astimezone(zone), number, change.new_display or "")
        for entry, change in changes
        if (number := _number(change)) is not None
    ]
    if len(values) < _FEWEST:
        return None
    return _chart(changes[0][1].label, values)


def _number(change: TimelineChange) -> float | None:
    try:
        if change.type == "date":
            return float(date.fromisoformat(change.new).toordinal())
        if change.type == "datetime":
            return datetime.fromisoformat(change.new).timestamp()
        return float(change.new)
    except (TypeError, ValueError, OverflowError):
        return None


def _chart(label: str, values: Sequence[_Value]) -> StepChart:
    lowest = min(values, key=lambda one: one.number)
    highest = max(values, key=lambda one: one.number)
    first, last = values[0], values[-1]
    names = {
        "label": label,
        "count": len(values),
        "first": first.text,
        "first_day": _day(first),
        "last": last.text,
        "last_day": _day(last),
        "lowest": lowest.text,
        "highest": highest.text,
    }
    return StepChart(
        label=label,
        points=_points(values),
        text=gettext(
            "%(label)s, %(count)d values: %(first)s on %(first_day)s, %(last)s on %(last_day)s."
            " Lowest %(lowest)s, highest %(highest)s."
        )
        % names,
        lowest=lowest.text,
        highest=highest.text,
        first_day=_day(first),
        last_day=_day(last),
    )


def _day(value: _Value) -> str:
    return str(formats.date_format(value.moment, "DATE_FORMAT"))


def _points(values: Sequence[_Value]) -> str:
    start, low = values[0].moment.timestamp(), min(one.number for one in values)
    # The last value holds: its step gets a tenth of the width.
    length = (values[-1].moment.timestamp() - start) * 1.1 or 1.0
    height = max(one.number for one in values) - low or 1.0
    places = [
        (
            _WIDTH * (one.moment.timestamp() - start) / length,
            _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (one.number - low) / height,
        )
        for one in values
    ]
    steps = [places[0]]
    for (_x, y), (next_x, next_y) in pairwise(places):
        steps += [(next_x, y), (next_x, next_y)]
    steps.append((_WIDTH, places[-1][1]))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in steps)
