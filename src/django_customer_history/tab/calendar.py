"""Links to the years, months and days of the log.

They are ranges between the first and the last key, which is ordered by time. Nothing is counted,
so the cost does not depend on the size of the log.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from django.utils import formats
from django.utils.dateparse import parse_date
from django.utils.text import capfirst
from django.utils.translation import gettext

from django_customer_history.models import EntryQuerySet
from django_customer_history.tab.query import TabQuery
from django_customer_history.values.moments import in_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """Consecutive days, from `start` to `end` inclusive."""

    start: date
    end: date

    @classmethod
    def of_year(cls, day: date) -> "DateRange":
        """Return the year that a day is in."""
        return cls(start=day.replace(month=1, day=1), end=day.replace(month=12, day=31))

    @classmethod
    def of_month(cls, day: date) -> "DateRange":
        """Return the month that a day is in."""
        return cls(
            start=day.replace(day=1), end=day.replace(day=monthrange(day.year, day.month)[1])
        )

    @classmethod
    def of_day(cls, day: date) -> "DateRange":
        """Return a range of one day."""
        return cls(start=day, end=day)

    @property
    def name(self) -> str:
        """Its name in the active language, such as "2026", "November 2026" or "November 23"."""
        if self == self.of_year(self.start):
            return str(self.start.year)
        is_month = self == self.of_month(self.start)
        date_format = "YEAR_MONTH_FORMAT" if is_month else "MONTH_DAY_FORMAT"
        return str(capfirst(formats.date_format(self.start, date_format)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLink:
    """A link to a date range."""

    name: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The date range of the page, with links to wider and narrower ranges."""

    wider: tuple[CalendarLink, ...]
    current: str | None
    """The name of the year, month or day that is shown; None if it is all dates."""
    narrower: tuple[CalendarLink, ...]


def build_calendar(query: TabQuery, entries: EntryQuerySet, *, zone: tzinfo) -> Calendar | None:
    """Return the calendar of a page, or None if the log has no entries.

    It reaches from the day of the oldest entry to the day of the newest one, in the reader's
    time zone.
    """
    oldest, newest = (
        entries.order_by(order).values_list("timestamp", flat=True).first()
        for order in ("id", "-id")
    )
    if oldest is None or newest is None:
        return None
    log = DateRange(
        start=in_utc(oldest).astimezone(zone).date(), end=in_utc(newest).astimezone(zone).date()
    )
    current = _current_range(query)
    return Calendar(
        wider=tuple(_wider_links(query, current)),
        current=None if current is None else current.name,
        narrower=tuple(_link(query, part) for part in _parts(current, log)),
    )


def _current_range(query: TabQuery) -> DateRange | None:
    """Return the year, month or day that the filters ask for, or None for any other range."""
    try:
        start, end = (parse_date(query.value(name) or "") for name in ("from", "to"))
    except ValueError:
        return None
    if start is None or end is None:
        return None
    current = DateRange(start=start, end=end)
    known = (DateRange.of_year(start), DateRange.of_month(start), DateRange.of_day(start))
    return current if current in known else None


def _wider_links(query: TabQuery, current: DateRange | None) -> Iterator[CalendarLink]:
    if current is None:
        return
    yield CalendarLink(name=gettext("All dates"), link=query.link({"from": [], "to": []}))
    for wider in (DateRange.of_year(current.start), DateRange.of_month(current.start)):
        if wider.start <= current.start and current.end <= wider.end and wider != current:
            yield _link(query, wider)


def _parts(current: DateRange | None, log: DateRange) -> list[DateRange]:
    """Return the parts of a range that are within the log.

    A single part would be a menu of one: its own parts are returned instead.
    """
    if current is None:
        parts = list(_years(log))
    elif current == DateRange.of_day(current.start):
        return []
    else:
        shared = DateRange(start=max(current.start, log.start), end=min(current.end, log.end))
        is_month = current == DateRange.of_month(current.start)
        parts = list(_days(shared) if is_month else _months(shared))
    return (_parts(parts[0], log) or parts) if len(parts) == 1 else parts


def _years(dates: DateRange) -> Iterator[DateRange]:
    for year in range(dates.start.year, dates.end.year + 1):
        yield DateRange.of_year(date(year, 1, 1))


def _months(dates: DateRange) -> Iterator[DateRange]:
    month = DateRange.of_month(dates.start)
    while month.start <= dates.end:
        yield month
        month = DateRange.of_month(month.end + timedelta(days=1))


def _days(dates: DateRange) -> Iterator[DateRange]:
    for number in range((dates.end - dates.start).days + 1):
        yield DateRange.of_day(dates.start + timedelta(days=number))


def _link(query: TabQuery, part: DateRange) -> CalendarLink:
    changes = {"from": [part.start.isoformat()], "to": [part.end.isoformat()]}
    return CalendarLink(name=part.name, link=query.link(changes))
