"""A picture of activity: how many changes there were in each month or day, as links.

It is made of the entries that the menus of the filter bar read, so it needs no statement.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from django_customer_history.tab.calendar import DateRange
from django_customer_history.tab.query import TabQuery

_MOST_BARS = 36
_LONGEST_IN_DAYS = 45
"""A history of more days has a bar for each month."""
_STEP, _WIDTH, _HEIGHT = 20, 16, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The changes of a month or a day."""

    name: str
    count: int
    link: str
    """The link that filters by these days."""
    x: int
    y: int
    height: int
    width: int = _WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The bars of a picture, from the oldest to the newest."""

    bars: tuple[Bar, ...]
    width: int
    height: int = _HEIGHT


def build_activity(
    query: TabQuery, moments: Sequence[datetime], *, zone: tzinfo
) -> Activity | None:
    """Return the picture of the moments of entries; None if they are all of one month or day.

    At most 36 bars are shown, those of the newest months or days.
    """
    days = sorted(one.astimezone(zone).date() for one in moments)
    if not days:
        return None
    is_long = (days[-1] - days[0]).days > _LONGEST_IN_DAYS
    range_of = DateRange.of_month if is_long else DateRange.of_day
    counts = Counter(range_of(day) for day in days)
    ranges = _ranges(days[0], days[-1], range_of)[-_MOST_BARS:]
    if len(ranges) == 1:
        return None
    highest = max(counts[one] for one in ranges) or 1
    return Activity(
        bars=tuple(
            _bar(query, one, counts[one], number * _STEP, highest)
            for number, one in enumerate(ranges)
        ),
        width=len(ranges) * _STEP,
    )


def _ranges(first: date, last: date, range_of: Callable[[date], DateRange]) -> list[DateRange]:
    ranges = [range_of(first)]
    while ranges[-1].end < last:
        ranges.append(range_of(ranges[-1].end + timedelta(days=1)))
    return ranges


def _bar(query: TabQuery, days: DateRange, count: int, x: int, highest: int) -> Bar:
    # One change in a busy year must still be seen.
    height = max(2, round(_HEIGHT * count / highest)) if count else 0
    changes = {"from": [days.start.isoformat()], "to": [days.end.isoformat()]}
    return Bar(
        name=days.name,
        count=count,
        link=query.link(changes),
        x=x,
        y=_HEIGHT - height,
        height=height,
    )
