"""The clock of the story: eighteen months pass while the demo makes its requests.

The package has no way to backdate an entry. On SQLite, the id and the time of an entry come from
functions of this process, which the package registers on the connection, and they ask Python for
the time. So while the demo fills its own SQLite file, `time-machine` sets Python's clock back, for
the server in its thread too. Nothing outside of this process changes. Other databases use the
clock of their server: there the whole story happens today, within a minute.
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
    """The time in the story, which moves from the past to today."""

    def __init__(self, today, *, traveller=None):
        self._today = today
        self._traveller = traveller
        self.now = today

    @property
    def date(self):
        """Return the day of the story, also where the real clock does not change."""
        return self.now.date()

    def turn_to(self, *, days, hour, minute=0):
        """Move to a time of day, a number of days before today, in the demo's time zone."""
        day = self._today - timedelta(days=days)
        self._go(day.replace(hour=hour, minute=minute, second=0, microsecond=0))

    def turn_to_hours_ago(self, hours):
        """Move to a time today."""
        self._go(self._today - timedelta(hours=hours))

    def wait(self, *, minutes):
        """Move on by some minutes."""
        self._go(self.now + timedelta(minutes=minutes))

    def _go(self, moment):
        self.now = moment
        if self._traveller is not None:
            self._traveller.move_to(moment)


@contextmanager
def real_clock() -> Iterator[Clock]:
    """Yield a clock that stays at today, for work that is added to an existing demo."""
    yield Clock(timezone.localtime())


@contextmanager
def story_clock() -> Iterator[Clock]:
    """Yield the clock of the story while the block runs, and restore the real time afterwards."""
    today = timezone.localtime()
    if connection.vendor != "sqlite":
        yield Clock(today)
        return
    with time_machine.travel(today - timedelta(days=DAYS + 5), tick=True) as traveller:
        yield Clock(today, traveller=traveller)
