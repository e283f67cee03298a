"""Work on very many rows in batches: how many at once, and how far it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BATCH = 500
"""Rows that are worked on at once, by default and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a work is: rows looked at, and entries that were, or would be, written for them."""

    rows: int = 0
    entries: int = 0


class Work(Protocol):
    """What is to be done for one model or table."""

    @property
    def name(self) -> str:
        """What to call it."""

    def total(self) -> int:
        """Return the number of rows."""

    def run(self, *, is_dry_run: bool = False, size: int = BATCH) -> Iterator[Progress]:
        """Do what is missing, and tell after each batch how far it is."""
