"""Something in a database that keeps the log from being complete or true."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseProblem:
    """One problem of one database, as the system checks and `health.problems()` report it."""

    code: str
    """The number of the system check: "W002"."""
    text: str
    """What is wrong, as the end of a sentence."""
    hint: str
    summary: str = ""
    """The same for a list of problems, if it can be shorter."""
    model: Any = None
    """The model that it concerns, if it is only one."""

    @property
    def is_error(self) -> bool:
        """Whether the check is an error: changes are certainly lost, or the project is wrong."""
        return self.code.startswith("E")

    @property
    def is_advice(self) -> bool:
        """Whether no change is lost: nothing could change, the table is long, or the feed late."""
        return self.code in _ADVICE


_ADVICE = frozenset({"W004", "W006", "W007", "W041"})
