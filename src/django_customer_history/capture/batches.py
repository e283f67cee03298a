"""Batch jobs over many rows: the size of a batch, and the progress."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BATCH = 500
"""Rows in one batch, by default and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of a job: rows read, and entries written for them (or counted by a dry run)."""

    rows: int = 0
    entries: int = 0


class BatchJob(Protocol):
    """A job for one model or table."""

    @property
    def name(self) -> str:
        """The name to show, such as the label of the model."""

    def total(self) -> int:
        """Return the number of rows to read."""

    def run(self, *, is_dry_run: bool = False, size: int = BATCH) -> Iterator[Progress]:
        """Write the entries that are missing, and yield the progress after each batch."""
