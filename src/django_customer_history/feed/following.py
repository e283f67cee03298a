"""Follow the log: every settled entry once, in the settled order, now and from now on."""

import time
from collections.abc import Callable, Iterator
from uuid import UUID

from django_customer_history.reading.entries import FeedPage
from django_customer_history.reading.timeline import Timeline

BATCH = 500
"""Entries that are read at once."""
INTERVAL = 1.0
"""In seconds: between two looks when there is nothing new."""


def follow(
    timeline: Timeline,
    *,
    after: UUID | None = None,
    batch: int = BATCH,
    interval: float = INTERVAL,
    until_settled: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[FeedPage]:
    """Yield pages of settled entries, oldest first, and wait for more at the end.

    - `after`: the position of the last page that was dealt with; None begins with the oldest entry.
      Keep `page.position` together with what you did with `page.entries`.
    - `batch`: how many entries a page has at most.
    - `interval`: how many seconds to wait when there is nothing new.
    - `until_settled`: stop when everything that is settled now was yielded.
    - `is_stopped`: is asked between pages, and while waiting.

    A page can be empty: its position moves on nevertheless. Raises what `Timeline.feed` raises.
    """
    position = after
    while not is_stopped():
        page = timeline.feed(after=position, limit=batch, patience=interval)
        if page.position != position:
            yield page
        position = page.position
        if page.has_more:
            continue
        if until_settled:
            return
        _wait(interval, is_stopped)


def _wait(seconds: float, is_stopped: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not is_stopped() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
