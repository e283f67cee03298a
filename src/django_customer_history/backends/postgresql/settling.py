"""PostgreSQL: the locks of transaction ids say which transactions are open.

The rule: read the clock, then look who holds the lock of a transaction id. Each entry with a key
below that time belongs to a transaction that had its id before: the row that changes takes it
before the trigger makes the key. When all of these transactions are over, all of these entries
are visible. The lock is released after the transaction is visible to others.

`pg_snapshot_xip` cannot replace the rule: it leaves out transactions that get their id after the
snapshot. `pg_snapshot_xmin` would do, but it also waits for the other databases of the server.
"""

import threading
import time
from collections import deque
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.settling import (
    LOWEST_KEY,
    Clock,
    OpenTransaction,
    Settled,
    Settling,
    outside_of_transactions,
)
from django_customer_history.exceptions import NotSettledError
from django_customer_history.keys import uuid_at

_IS_REPLICA = "SELECT pg_is_in_recovery()"
_CLOCK = "SELECT round(date_part('epoch', clock_timestamp()) * 1000000)::bigint"
# Everybody may see these locks, and the database of each session.
_WITH_LOCKS = """
FROM pg_locks AS held
LEFT JOIN pg_stat_activity AS session ON session.pid = held.pid
LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = held.transactionid
WHERE held.locktype = 'transactionid'
  AND held.mode = 'ExclusiveLock'
  AND held.granted
  AND held.pid IS DISTINCT FROM pg_backend_pid()
  AND COALESCE(session.datname, prepared.database, current_database()) = current_database()
"""
_OPEN = f"SELECT held.transactionid::text {_WITH_LOCKS}"
_OPEN_SESSIONS = f"""
SELECT
  COALESCE(
    date_part('epoch', clock_timestamp() - COALESCE(session.xact_start, prepared.prepared)), 0
  ),
  COALESCE(session.pid::text, prepared.gid, ''),
  COALESCE(session.usename, prepared.owner, ''),
  COALESCE(session.state, CASE WHEN prepared.gid IS NULL THEN '' ELSE 'prepared' END)
{_WITH_LOCKS}
ORDER BY 1 DESC
LIMIT 10
"""

_STEP = 0.005
_LONGEST_STEP = 0.1
"""In seconds: between two looks at the open transactions."""
_MOST_MARKS = 1_000


class PostgreSQLSettling(Settling):
    """Remembers marks, a time and the transactions open then, until these are over.

    With overlapping transactions there is always one open. So a call can confirm the marks of
    earlier calls, even if it cannot confirm its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: deque[tuple[int, frozenset[str]]] = deque(maxlen=_MOST_MARKS)
        self._confirmed = 0
        self._clock = Clock()

    def settled(
        self,
        connection: BaseDatabaseWrapper,
        *,
        log: str,
        after: UUID,
        limit: int,
        patience: float = 0.0,
    ) -> Settled:
        with outside_of_transactions(connection) as cursor:
            if _ask(cursor, _IS_REPLICA):
                raise NotSettledError(
                    f"Database {connection.alias!r} is a replica, which does not know the open"
                    " transactions. Read the feed from the primary."
                )
            # In this order: a transaction that is not among the open ones makes its keys later.
            microsecond = int(_ask(cursor, _CLOCK))
            with self._lock:
                self._clock.check(connection.alias, microsecond, after=after)
                self._marks.append((microsecond, _open(cursor)))
            deadline, step = time.monotonic() + patience, _STEP
            while self._confirm(_open(cursor)) < microsecond and time.monotonic() < deadline:
                time.sleep(step)
                step = min(step * 2, _LONGEST_STEP)
        before = uuid_at(self._confirmed, tail=0) if self._confirmed else LOWEST_KEY
        return Settled(before=before)

    def _confirm(self, open_now: frozenset[str]) -> int:
        """Take note of the marks whose transactions are over; return the latest time of all."""
        with self._lock:
            over = [mark for mark in self._marks if mark[1].isdisjoint(open_now)]
            if over:
                self._confirmed = max(self._confirmed, *(moment for moment, _ in over))
            waiting = [mark for mark in self._marks if mark[0] > self._confirmed]
            self._marks = deque(waiting, maxlen=_MOST_MARKS)
            return self._confirmed

    def open_transactions(self, connection: BaseDatabaseWrapper) -> list[OpenTransaction]:
        with outside_of_transactions(connection) as cursor:
            cursor.execute(_OPEN_SESSIONS)
            return [
                OpenTransaction(seconds=float(seconds), session=session, user=user, state=state)
                for seconds, session, user, state in cursor.fetchall()
            ]


def _ask(cursor: Any, sql: str) -> Any:
    cursor.execute(sql)
    return cursor.fetchone()[0]


def _open(cursor: Any) -> frozenset[str]:
    cursor.execute(_OPEN)
    return frozenset(transaction for (transaction,) in cursor.fetchall())
