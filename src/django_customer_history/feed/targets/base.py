"""What a target is: where entries are shipped to, and how far they have come there."""

import hashlib
import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl
from uuid import UUID

from django_customer_history.exceptions import TargetError
from django_customer_history.feed.messages import MessageFormat
from django_customer_history.reading.entries import FeedPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where to ship to, and in which form."""

    url: SplitResult
    format: MessageFormat
    question: str
    """The reader, the database and the filters: a position of one says nothing about another."""
    alias: str
    """The database of the log."""
    state: Path | None = None
    """The file for the position, for targets that cannot keep it."""
    secret: str | None = None
    allows_private: bool = False
    """Whether a webhook may go to a private address, or without TLS."""
    reenables: bool = False
    """Whether a webhook that was disabled begins again."""

    @property
    def mark(self) -> str:
        """The question as a short text, for messages that have no room for it."""
        return hashlib.sha256(self.question.encode()).hexdigest()[:16]

    @property
    def path(self) -> Path:
        """The path of a file or a folder. Raise `TargetError` without one."""
        path = f"{self.url.netloc}{self.url.path}"
        if not path:
            raise TargetError(f"Give a path after {self.url.scheme}:, such as /var/log/history.")
        return Path(path)

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters behind the question mark."""
        return dict(parse_qsl(self.url.query))

    @property
    def name(self) -> str:
        """The target without passwords and parameters, for messages and the log."""
        place = self.url.netloc.rpartition("@")[2]
        return f"{self.url.scheme}:{f'//{place}' if place else ''}{self.url.path}"


class Target(ABC):
    """A place that takes entries. Its position and its entries are written together if possible."""

    batch = 500
    """How many entries it takes at once by default."""
    has_state_file = False
    """Whether its position is in a state file."""
    has_columns = False
    """Whether it has columns, so that the formats of messages do not apply."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.is_continued = False
        """Whether somebody said where to begin in a target that has no position."""

    @abstractmethod
    def position(self) -> UUID | None:
        """Return up to where the target has the entries; None: it has none.

        Raises `TargetError` if the target cannot be reached or is not suitable, and
        `StateFileError` if its position is damaged or belongs to another reader or filter.
        """

    @abstractmethod
    def write(self, page: FeedPage) -> None:
        """Store the entries of a page and its position. Raise `TargetError` if it cannot."""

    def close(self) -> None:  # noqa: B027 - most targets keep nothing open
        """Release what is open."""

    def refused(self, problem: object) -> TargetError:
        """Return the error for a server that does not take the entries."""
        return TargetError(
            f"{self.destination.name} did not take the entries: {problem}. Nothing is lost: start"
            " the command again when it does."
        )

    def unusable(self, problem: object) -> TargetError:
        """Return the error for a place that cannot be read or written."""
        return TargetError(f"{self.destination.name} cannot be used: {problem}.")


def imported(module: str, *, extra: str) -> Any:
    """Import a module of an optional package. Raise `TargetError` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise TargetError(
            f"This target needs the module {module.partition('.')[0]!r}, which is not installed."
            f' Run: pip install "django-customer-history[{extra}]"'
        ) from error
