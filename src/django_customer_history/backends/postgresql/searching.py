"""PostgreSQL: the settings of queries that search many entries."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# pg_settings has the milliseconds too, but makes all of its 350 rows for that.
_OWN = (
    "SELECT current_setting('jit'), current_setting('statement_timeout'),"
    " (1000 * extract(epoch FROM current_setting('statement_timeout')::interval))::bigint"
)
_SET = "SELECT set_config('jit', %s, true), set_config('statement_timeout', %s, true)"


@contextmanager
def searching(connection: BaseDatabaseWrapper, *, seconds: float | None) -> Iterator[None]:
    """Set what holds for each query of the block: how long it may take, and no compilation.

    PostgreSQL cannot estimate how many keys are in a range of UUIDs. In a log of 50 million entries
    it would compile a query for 0.25 s, to read 2,000 of them in 10 ms.

    The block is a transaction of its own, or behind a savepoint. After an error, both are as before
    it. A lower limit of the project stays.
    """
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(_OWN)
        jit, own_limit, own_milliseconds = cursor.fetchone()
        limit = own_limit
        if seconds is not None:
            milliseconds = max(1, round(seconds * 1000))
            if not 0 < own_milliseconds <= milliseconds:
                limit = str(milliseconds)
        cursor.execute(_SET, ["off", limit])
        yield
        # An outer transaction goes on with the settings that it had.
        cursor.execute(_SET, [jit, own_limit])
