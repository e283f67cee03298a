"""The dates of the filter bar: inputs for a range, and ranges that have a name."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.dateparse import parse_date
from django.utils.translation import gettext

from django_customer_history.tab.query import TabQuery

_ISO_DATE_LENGTH = len("2026-11-23")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A date range with a name, such as "Last 7 days"."""

    name: str
    link: str
    start: str
    end: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DateInput:
    """The start or the end of the date range, as a form input."""

    name: str
    value: str
    is_date: bool
    """Whether the value is a date. A date with a time needs a text input."""


def presets(query: TabQuery, today: date) -> Iterator[Preset]:
    """Yield the date ranges that have a name. `today` is the date of the reader."""
    yesterday = today - timedelta(days=1)
    last_year = today.replace(year=today.year - 1, day=min(today.day, 28))
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    ranges = (
        (gettext("Today"), today, today),
        (gettext("Yesterday"), yesterday, yesterday),
        (gettext("Last 7 days"), today - timedelta(days=6), today),
        (gettext("Last 30 days"), today - timedelta(days=29), today),
        (gettext("This month"), month, today),
        (gettext("Last month"), last_month, month - timedelta(days=1)),
        (gettext("Last 12 months"), last_year, today),
    )
    for name, start, end in ranges:
        changes = {"from": (start.isoformat(),), "to": (end.isoformat(),)}
        yield Preset(
            name=name,
            link=query.link(changes),
            start=start.isoformat(),
            end=end.isoformat(),
            is_current=all(query.parameters.get(key) == value for key, value in changes.items()),
        )


def date_input(query: TabQuery, name: str) -> DateInput:
    """Return the input for `from` or `to`."""
    value = query.value(name) or ""
    return DateInput(name=name, value=value, is_date=_is_date(value))


def _is_date(value: str) -> bool:
    try:
        return not value or (len(value) == _ISO_DATE_LENGTH and parse_date(value) is not None)
    except ValueError:
        return False
