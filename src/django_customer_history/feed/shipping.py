"""Ship the log: settled entries into a target, each once if the target allows it."""

from collections.abc import Callable, Iterator
from uuid import UUID

from django_customer_history.exceptions import TargetError
from django_customer_history.feed.following import INTERVAL, follow
from django_customer_history.feed.locks import only_shipper
from django_customer_history.feed.targets.base import Target
from django_customer_history.reading.entries import FeedPage
from django_customer_history.reading.timeline import Timeline


def ship(
    timeline: Timeline,
    target: Target,
    *,
    after: UUID | None = None,
    batch: int | None = None,
    interval: float = INTERVAL,
    until_settled: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[FeedPage]:
    """Write settled entries to a target, oldest first; yield each page that it has.

    - `after`: begin after this entry; only for a target that has no position yet.
    - `batch`: how many entries are written at once at most; by default as it suits the target.
    - `interval`, `until_settled`, `is_stopped`: as for `follow`.

    Raises `TargetError` if the target cannot be reached, or another process ships to it;
    `StateFileError` if its position is damaged; and what `Timeline.feed` raises. The target then
    has all entries up to its position.
    """
    destination = target.destination
    try:
        with only_shipper(destination.alias, destination.name) as check_lock:
            target.is_continued = after is not None
            position = target.position()
            if after is not None and position is not None:
                raise TargetError(
                    f"{destination.name} has a position already, {position}. Leave out --after."
                )
            for page in follow(
                timeline,
                after=position or after,
                batch=batch or target.batch,
                interval=interval,
                until_settled=until_settled,
                is_stopped=is_stopped,
            ):
                check_lock()
                target.write(page)
                yield page
    finally:
        target.close()
