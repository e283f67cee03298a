"""PostgreSQL: how long a query may take."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

_OWN = "SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'"
_SET = "SET LOCAL statement_timeout = {}"


@contextmanager
def time_limit(connection: BaseDatabaseWrapper, *, seconds: float) -> Iterator[None]:
    """Limit each query of the block in a transaction of its own, or behind a savepoint.

    After an error, both are as before the block. A lower limit of the project stays.
    """
    milliseconds = max(1, round(seconds * 1000))
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(_OWN)
        (own,) = cursor.fetchone()
        if own and own <= milliseconds:
            yield
            return
        cursor.execute(_SET.format(milliseconds))
        yield
        # An outer transaction goes on with the limit that it had.
        cursor.execute(_SET.format(own))
