"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

import time
from typing import Any

_WIDTH = 30
_SECONDS_BETWEEN_LINES = 10.0


class ProgressBar:
    """The progress of one piece of work over so many rows, written to a stream.

    Without a total it tells how many rows are done, and draws no bar.
    """

    def __init__(self, out: Any, name: str, total: int | None) -> None:
        self._out = out
        self._name = name
        self._total = total
        self._is_terminal = bool(getattr(out, "isatty", lambda: False)())
        self._last_line = time.monotonic()

    def show(self, done: int, text: str = "") -> None:
        """Show that so many rows are done; `text` stands behind the numbers."""
        if not self._is_terminal:
            self._show_now_and_then(done, text)
            return
        self._out.write(f"\r{self._name} {self._bar(done)}{self._numbers(done)} {text}", ending="")
        self._out.flush()

    def end(self) -> None:
        """Leave the bar where it is and go to the next line."""
        if self._is_terminal:
            self._out.write("")

    def _show_now_and_then(self, done: int, text: str) -> None:
        now = time.monotonic()
        if now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            self._out.write(f"{self._name} {self._numbers(done)} {text}".rstrip())

    def _bar(self, done: int) -> str:
        if self._total is None:
            return ""
        filled = _WIDTH * min(done, self._total) // max(self._total, 1)
        return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] "

    def _numbers(self, done: int) -> str:
        return str(done) if self._total is None else f"{done}/{self._total}"
