"""Let Django empty the log: `manage.py flush` and `TransactionTestCase` do it on purpose."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import (
    SUPPORTED_VENDORS,
    backend_of,
)
from django_customer_history.capture.triggers import (
    APPEND_ONLY_TABLES,
    append_only_triggers,
    log_table,
)
from django_customer_history.context.current import acting, pausing


def patch_flush(connection: BaseDatabaseWrapper) -> None:
    """Let `manage.py flush` and `TransactionTestCase` empty the log with the other tables.

    The append-only triggers are off for the statements of `flush` only.
    """
    operations: Any = connection.ops
    if connection.vendor not in SUPPORTED_VENDORS or hasattr(operations, "_unpatched_sql_flush"):
        return
    operations._unpatched_sql_flush = operations.sql_flush
    execute = operations.execute_sql_flush

    def execute_sql_flush(statements: Sequence[str], **options: Any) -> Any:
        log = operations.quote_name(log_table())
        # What is emptied with the log is not logged; what is emptied without it is.
        pause = pausing() if any(log in one for one in statements) else nullcontext()
        # Some rows need a reason to be deleted.
        with acting(reason="flush"), pause:
            return execute(statements, **options)

    operations.execute_sql_flush = execute_sql_flush

    def sql_flush(style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        statements = operations._unpatched_sql_flush(style, tables, **options)
        logs = [table for table in APPEND_ONLY_TABLES if table in tables]
        if not logs:
            return list(statements)
        backend = backend_of(connection)
        wanted = append_only_triggers(connection)
        found = backend.installed(connection, {one.table for one in wanted})
        installed = {(one.table, one.name) for one in found}
        to_disable = [one for one in wanted if (one.table, one.name) in installed]
        return backend.flush(statements, logs=logs, append_only_triggers=to_disable)

    operations.sql_flush = sql_flush
