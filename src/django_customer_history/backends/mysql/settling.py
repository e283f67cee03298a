"""MariaDB and MySQL: what is open is what one sees uncommitted and does not see committed.

The rule: read the keys at READ UNCOMMITTED, then the same range at READ COMMITTED. A key that is
missing the second time is open, or it was rolled back: the settled entries end before it. A key is
made a moment before its row is in the log, so keys of the last half second wait. The
start of a transaction in `INNODB_TRX` cannot replace the rule: it lost entries when it was tried.
"""

import time
from typing import Any
from uuid import UUID

from django.db import DatabaseError, models
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.mysql.templates import MICROSECOND
from django_customer_history.backends.settling import (
    Clock,
    OpenTransaction,
    Settled,
    Settling,
    outside_of_transactions,
)
from django_customer_history.keys import microseconds_in, uuid_at

_IN_THE_MAKING = 500_000
"""In microseconds: between the clock of a key and its row in the log.

Normally a fraction of a millisecond, but the server may wait for a processor there. With 16 writers
on two busy cores, 50 milliseconds were too few: one entry was skipped.
"""
_FIELD = models.UUIDField()
"""Servers take keys in different forms."""
_STEP = 0.02
"""In seconds: between two looks at the open transactions."""
_CLOCK = f"SELECT {MICROSECOND}"
_KEYS = "SELECT id FROM {log} WHERE id > %s ORDER BY id LIMIT {limit}"
_KEYS_UP_TO = "SELECT id FROM {log} WHERE id > %s AND id <= %s ORDER BY id"
# For the next statement alone.
_LEVEL = "SET TRANSACTION ISOLATION LEVEL READ {}"
_OPEN = """
SELECT
  TIMESTAMPDIFF(MICROSECOND, trx_started, NOW(6)) / 1000000, trx_mysql_thread_id, trx_state
FROM information_schema.INNODB_TRX
JOIN information_schema.PROCESSLIST AS session ON session.ID = trx_mysql_thread_id
WHERE trx_rows_modified > 0
  AND trx_mysql_thread_id <> CONNECTION_ID()
  AND session.DB = DATABASE()
ORDER BY 1 DESC
LIMIT 10
"""


class MySQLSettling(Settling):
    """Compares two reads of the same range of keys. It takes no lock and needs no privilege."""

    def __init__(self) -> None:
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
        name = connection.ops.quote_name(log)
        deadline = time.monotonic() + patience
        with outside_of_transactions(connection) as cursor:
            keys = _KeyReader(connection, cursor, log=name, after=after)
            start = self._latest(connection, cursor, after)
            latest = start
            while True:
                found = _settled(keys, limit=limit, now=latest)
                is_done = found.is_limited or microseconds_in(found.before) >= start
                if is_done or time.monotonic() >= deadline:
                    return found
                time.sleep(_STEP)
                latest = self._latest(connection, cursor, after)

    def _latest(self, connection: BaseDatabaseWrapper, cursor: Any, after: UUID) -> int:
        cursor.execute(_CLOCK)
        microsecond = int(cursor.fetchone()[0])
        self._clock.check(connection.alias, microsecond, after=after)
        return microsecond

    def open_transactions(self, connection: BaseDatabaseWrapper) -> list[OpenTransaction]:
        try:
            with outside_of_transactions(connection) as cursor:
                cursor.execute(_OPEN)
                rows = cursor.fetchall()
        except DatabaseError:
            return []  # It takes the privilege PROCESS.
        return [
            OpenTransaction(seconds=float(seconds), session=str(thread), user="", state=state)
            for seconds, thread, state in rows
        ]


class _KeyReader:
    """Reads the keys of the log after a position, at an isolation level."""

    def __init__(
        self, connection: BaseDatabaseWrapper, cursor: Any, *, log: str, after: UUID
    ) -> None:
        self._connection = connection
        self._cursor = cursor
        self._log = log
        self._after = after

    def uncommitted(self, limit: int) -> list[UUID]:
        return self._read("UNCOMMITTED", _KEYS.format(log=self._log, limit=limit))

    def committed(self, last: UUID) -> list[UUID]:
        return self._read("COMMITTED", _KEYS_UP_TO.format(log=self._log), last)

    def _read(self, level: str, sql: str, *keys: UUID) -> list[UUID]:
        self._cursor.execute(_LEVEL.format(level))
        values = [_FIELD.get_db_prep_value(key, self._connection) for key in (self._after, *keys)]
        self._cursor.execute(sql, values)
        return [_uuid(row[0]) for row in self._cursor.fetchall()]


def _settled(keys: _KeyReader, *, limit: int, now: int) -> Settled:
    latest = uuid_at(now - _IN_THE_MAKING, tail=0)
    seen = keys.uncommitted(limit)
    if not seen:
        return Settled(before=latest)
    committed = set(keys.committed(seen[-1]))
    end = next((key for key in seen if key not in committed), None)
    is_limited = end is None and len(seen) == limit
    if is_limited:
        end = UUID(int=seen[-1].int + 1)
    return Settled(before=min(latest, end or latest), is_limited=is_limited)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
