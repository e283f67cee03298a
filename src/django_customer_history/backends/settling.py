"""Which entries are settled: older than anything that can still appear in the log.

The key of an entry begins with the time of the change, but transactions commit later and in
another order. So somebody who reads "all entries after the last one I have" skips those that were
written before it and committed after it. Each database has its own way to know a key below which
nothing new can appear.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.exceptions import NotSettledError
from django_customer_history.keys import microseconds_in

LOWEST_KEY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How far the log is settled."""

    before: UUID
    """Entries below this key are settled."""
    is_limited: bool = False
    """Whether more may be settled, which this call did not look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """A transaction that holds back the settled order."""

    seconds: float
    """How long it is open."""
    session: str
    """What the database calls its session, such as a process number."""
    user: str
    state: str
    """What the session does, such as "idle in transaction"."""


class Settling(ABC):
    """Finds the settled entries of one database. One object serves all threads of a process."""

    @abstractmethod
    def settled(
        self,
        connection: BaseDatabaseWrapper,
        *,
        log: str,
        after: UUID,
        limit: int,
        patience: float = 0.0,
    ) -> Settled:
        """Return how far the log is settled, for a reader of at most `limit` entries after `after`.

        `patience` is how many seconds it may wait for open transactions. The entries have to be
        read by a statement that begins after this call has returned. Raises
        `NotSettledError` on a server that cannot know, such as a replica.
        """

    def open_transactions(self, connection: BaseDatabaseWrapper) -> list[OpenTransaction]:
        """Return the transactions that hold back the order, as far as the role may see them."""
        return []


class Clock:
    """Watches that the clock of a server only goes forward."""

    def __init__(self) -> None:
        self._latest = 0

    def check(self, alias: str, microsecond: int, *, after: UUID) -> None:
        """Raise `NotSettledError` if the clock was set back behind what has been read."""
        latest = max(self._latest, microseconds_in(after))
        if microsecond < latest:
            raise NotSettledError(
                f"The clock of database {alias!r} was set back by"
                f" {(latest - microsecond) / 1_000_000:.3f} seconds. New entries would get keys"
                " that were read already. Set the clock right, or wait until it has caught up."
            )
        self._latest = microsecond


@contextmanager
def outside_of_transactions(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """Yield a cursor whose statements are transactions of their own.

    It belongs to the connection, or to another one if a transaction is open.
    """
    if not connection.in_atomic_block and connection.get_autocommit():
        with connection.cursor() as cursor:
            yield cursor
        return
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            yield cursor
    finally:
        other.close()
