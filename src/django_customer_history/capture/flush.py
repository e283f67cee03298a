"""The guards of the log and `flush`: what Django empties on purpose, it may empty."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import (
    SUPPORTED_VENDORS,
    backend_of,
)
from django_customer_history.capture.triggers import (
    append_only_triggers,
    log_table,
)
from django_customer_history.context.current import acting


def patch_flush(connection: BaseDatabaseWrapper) -> None:
    """Let `manage.py flush` and `TransactionTestCase` empty the log with the other tables.

    The guards are lifted for the very statements of `flush`, and stand again after them.
    """
    operations: Any = connection.ops
    if connection.vendor not in SUPPORTED_VENDORS or hasattr(operations, "_flush_before_guards"):
        return
    operations._flush_before_guards = operations.sql_flush
    # Rows whose removal needs a reason have one.
    operations.execute_sql_flush = acting(reason="flush")(operations.execute_sql_flush)

    def sql_flush(style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        statements = operations._flush_before_guards(style, tables, **options)
        log = log_table()
        if log not in tables:
            return list(statements)
        backend = backend_of(connection)
        existing_rows_source = {(one.table, one.name) for one in backend.installed(connection)}
        lifted = [
            one
            for one in append_only_triggers(connection)
            if (one.table, one.name) in existing_rows_source
        ]
        return backend.flush(statements, log=log, append_only_triggers=lifted)

    operations.sql_flush = sql_flush
