"""What a database that can partition the log has to offer."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A part of the log: the entries with start <= time < end."""

    name: str
    start: datetime | None
    """In UTC; None: from the first entry on."""
    end: datetime | None
    """In UTC; None: this is the last partition, which takes all later entries."""
    rows: int
    """An estimate of the database; -1: the database has none yet."""
    size: int
    """In bytes, with indexes."""


class Partitioning(ABC):
    """The SQL of partitions; methods that take a connection read the catalog."""

    @abstractmethod
    def partitions(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[Partition]:
        """Return the partitions of the log, in the order of time; none: it is one table."""

    @abstractmethod
    def partition_names(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        """Return the tables of the partitions, in the order of their names."""

    @abstractmethod
    def detached(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        """Return the tables with the name of a partition of the log that are not part of it."""

    @abstractmethod
    def dependents(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        """Return what belongs to the log's table and would not belong to the new one.

        Each is named as in a sentence: "the view of_last_week".
        """

    @abstractmethod
    def is_empty(self, connection: BaseDatabaseWrapper, table: str) -> bool:
        """Return whether a table has no row."""

    @abstractmethod
    def locks(self, table: str, *, timeout: str) -> Sequence[str]:
        """Return the SQL that locks a table for everybody else, or fails after the timeout."""

    @abstractmethod
    def unlimited(self) -> Sequence[str]:
        """Return the SQL that lets later statements wait for locks as long as before."""

    @abstractmethod
    def bound(self, table: str, start: datetime | None, end: datetime) -> Sequence[str]:
        """Return the SQL that adds a check of the bounds, not validated yet."""

    @abstractmethod
    def validate_bound(self, table: str) -> Sequence[str]:
        """Return the SQL that validates the check while the table can be written and read."""

    @abstractmethod
    def replace_log(
        self, connection: BaseDatabaseWrapper, log: str, first: str, end: datetime
    ) -> Iterator[str]:
        """Yield the SQL that makes the log's table the partition `first` of a new table.

        The new table has the same name, privileges, owner and indexes.
        """

    @abstractmethod
    def detach(self, log: str, partition: str) -> Sequence[str]:
        """Return the SQL that detaches a partition."""

    @abstractmethod
    def attach(
        self, log: str, partition: str, start: datetime | None, end: datetime
    ) -> Sequence[str]:
        """Return the SQL that attaches a partition with bounds that its check proves."""

    @abstractmethod
    def create(self, log: str, start: datetime) -> Sequence[str]:
        """Return the SQL of a new last partition."""
