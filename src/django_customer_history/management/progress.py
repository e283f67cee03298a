"""The progress of a long command: a bar on a terminal, elsewhere a line every ten seconds."""

import time
from typing import Any

_WIDTH = 30
_SECONDS_BETWEEN_LINES = 10.0


class ProgressBar:
    """Shows the progress of one job on a stream.

    `total` is the number of rows. If it is None, there is no bar, only the number of rows done.
    """

    def __init__(self, out: Any, name: str, total: int | None) -> None:
        self._out = out
        self._name = name
        self._total = total
        self._is_terminal = bool(getattr(out, "isatty", lambda: False)())
        self._last_line = time.monotonic()

    def show(self, done: int, text: str = "") -> None:
        """Show how many rows are done; `text` follows the numbers."""
        if not self._is_terminal:
            self._show_line(done, text)
            return
        self._out.write(f"\r{self._name} {self._bar(done)}{self._numbers(done)} {text}", ending="")
        self._out.flush()

    def end(self) -> None:
        """Leave the bar as it is and go to the next line."""
        if self._is_terminal:
            self._out.write("")

    def _show_line(self, done: int, text: str) -> None:
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
