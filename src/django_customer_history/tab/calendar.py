"""The years, months and days of the log, as ranges of its time-ordered key; nothing is counted."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """Some days in a row, both ends included."""

    start: date
    end: date

    @classmethod
    def of_year(cls, day: date) -> "DateRange":
        """Return the year of a day."""
        return cls(start=day.replace(month=1, day=1), end=day.replace(month=12, day=31))

    @classmethod
    def of_month(cls, day: date) -> "DateRange":
        """Return the month of a day."""
        return cls(
            start=day.replace(day=1), end=day.replace(day=monthrange(day.year, day.month)[1])
        )

    @classmethod
    def of_day(cls, day: date) -> "DateRange":
        """Return one day alone."""
        return cls(start=day, end=day)

    @property
    def name(self) -> str:
        """What people call it: 2026, November 2026, November 23."""
        if self == self.of_year(self.start):
            return str(self.start.year)
        is_month = self == self.of_month(self.start)
        written = "YEAR_MONTH_FORMAT" if is_month else "MONTH_DAY_FORMAT"
        return str(capfirst(formats.date_format(self.start, written)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLink:
    """A link of the calendar."""

    name: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Where the page is in time: the ways back, the range in force, and the parts of it."""

    back: tuple[CalendarLink, ...]
    here: str | None
    parts: tuple[CalendarLink, ...]


def calendar_of(query: TabQuery, entries: EntryQuerySet, *, zone: tzinfo) -> Calendar | None:
    """Return the calendar of a page; None for a log without entries.

    Its bounds are the days of the first and the last key, in the reader's zone.
    """
    oldest, newest = (
        entries.order_by(order).values_list("timestamp", flat=True).first()
        for order in ("id", "-id")
    )
    if oldest is None or newest is None:
        return None
    log = DateRange(start=oldest.astimezone(zone).date(), end=newest.astimezone(zone).date())
    here = _range_in_force(query)
    return Calendar(
        back=tuple(_back(query, here)),
        here=None if here is None else here.name,
        parts=tuple(_step(query, part) for part in _parts(here, log)),
    )


def _range_in_force(query: TabQuery) -> DateRange | None:
    """Return the year, month or day that the filters ask for; None for all else."""
    try:
        start, end = (parse_date(query.value(name) or "") for name in ("from", "to"))
    except ValueError:
        return None
    if start is None or end is None:
        return None
    asked = DateRange(start=start, end=end)
    known = (DateRange.of_year(start), DateRange.of_month(start), DateRange.of_day(start))
    return asked if asked in known else None


def _back(query: TabQuery, here: DateRange | None) -> Iterator[CalendarLink]:
    if here is None:
        return
    yield CalendarLink(name=gettext("All dates"), link=query.link({"from": [], "to": []}))
    for wider in (DateRange.of_year(here.start), DateRange.of_month(here.start)):
        if wider.start <= here.start and here.end <= wider.end and wider != here:
            yield _step(query, wider)


def _parts(here: DateRange | None, log: DateRange) -> list[DateRange]:
    """Return the parts of a range that the log reaches; one alone gives way to its own parts."""
    if here is None:
        parts = list(_years(log))
    elif here == DateRange.of_day(here.start):
        return []
    else:
        both = DateRange(start=max(here.start, log.start), end=min(here.end, log.end))
        parts = list(_days(both) if here == DateRange.of_month(here.start) else _months(both))
    return (_parts(parts[0], log) or parts) if len(parts) == 1 else parts


def _years(span: DateRange) -> Iterator[DateRange]:
    for year in range(span.start.year, span.end.year + 1):
        yield DateRange.of_year(date(year, 1, 1))


def _months(span: DateRange) -> Iterator[DateRange]:
    month = DateRange.of_month(span.start)
    while month.start <= span.end:
        yield month
        month = DateRange.of_month(month.end + timedelta(days=1))


def _days(span: DateRange) -> Iterator[DateRange]:
    for number in range((span.end - span.start).days + 1):
        yield DateRange.of_day(span.start + timedelta(days=number))


def _step(query: TabQuery, part: DateRange) -> CalendarLink:
    wanted = {"from": [part.start.isoformat()], "to": [part.end.isoformat()]}
    return CalendarLink(name=part.name, link=query.link(wanted))
