"""How commands that go on are stopped: SIGTERM and Ctrl+C end them after the work at hand."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def until_stopped() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether a signal came to stop the command."""
    signals: list[int] = []

    def stop(number: int, _frame: Any) -> None:
        signals.append(number)

    former = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
