"""SQLite: keys are made under the lock of the one writer, so they appear in their order."""

from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.settling import LOWEST_KEY, Settled, Settling


class SQLiteSettling(Settling):
    """Everything that is committed is settled."""

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
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT max(id) FROM {name}")
            (newest,) = cursor.fetchone()
        before = LOWEST_KEY if newest is None else UUID(int=UUID(newest).int + 1)
        return Settled(before=before)
