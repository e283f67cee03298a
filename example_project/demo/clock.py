"""The clock of the story: eighteen months pass in the time that the requests take.

The package offers no way to date an entry back, and none is used here. On SQLite the key and the
time of an entry come from functions of this very process (`capture.session` registers them on the
connection), which ask Python for the time. So while the demo seeds its own SQLite file, this
process, and nothing else, lives in the past: `time-machine` replaces Python's clock, for the
server in its thread as for all. Other databases have a clock of their own that nobody here can
turn back: there the same story happens in a minute, today.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import time_machine
from django.db import connection
from django.utils import timezone

MONTHS = 18
DAYS = MONTHS * 30


class Clock:
    """Where the story stands: so many days before today."""

    def __init__(self, today, *, traveller=None):
        self._today = today
        self._traveller = traveller
        self.now = today

    @property
    def date(self):
        """Return the day of the story, also where the clock stays what it is."""
        return self.now.date()

    def turn_to(self, *, days, hour, minute=0):
        """Go on to a time of day, so many days before today, in the demo's time zone."""
        day = self._today - timedelta(days=days)
        self._go(day.replace(hour=hour, minute=minute, second=0, microsecond=0))

    def turn_to_hours_ago(self, hours):
        """Go on to a time today."""
        self._go(self._today - timedelta(hours=hours))

    def wait(self, *, minutes):
        """Go on by some minutes, as people take for what they do."""
        self._go(self.now + timedelta(minutes=minutes))

    def _go(self, moment):
        self.now = moment
        if self._traveller is not None:
            self._traveller.move_to(moment)


@contextmanager
def real_clock() -> Iterator[Clock]:
    """Give a clock that moves nothing: what is added to a demo that is there is of today."""
    yield Clock(timezone.localtime())


@contextmanager
def story_clock() -> Iterator[Clock]:
    """Give the clock of the story while the block runs; time is as it was afterwards."""
    today = timezone.localtime()
    if connection.vendor != "sqlite":
        yield Clock(today)
        return
    with time_machine.travel(today - timedelta(days=DAYS + 5), tick=True) as traveller:
        yield Clock(today, traveller=traveller)
