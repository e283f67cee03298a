"""MariaDB and MySQL: user variables of the session give triggers the context."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.driver_cursors import patch_driver_cursors
from django_customer_history.backends.session import (
    Execute,
    Session,
    count_paused_rows,
    count_paused_statement,
)
from django_customer_history.backends.statements import may_write
from django_customer_history.backends.tables import PREFIX
from django_customer_history.context.current import current
from django_customer_history.context.resolved import ResolvedContext

VARIABLES: Sequence[str] = (
    "user_id",
    "user_label",
    "source",
    "ip_address",
    "request_id",
    "action",
    "context",
    "paused",
)


class MySQLSession(Session):
    """User variables of the session, sent only when they change."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        # None: other code has set the variables.
        self._sent: ResolvedContext | None = ResolvedContext()
        self._is_in_django = False

    def connected(self) -> None:
        """Forget what was sent: variables of a new session are NULL."""
        self._sent = ResolvedContext()
        patch_driver_cursors(
            self._connection.connection, self._calling, before=self._without_django
        )

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Send the variables first if the statement may write and they have changed."""
        self._send_before(sql)
        self._is_in_django = True
        try:
            return count_paused_statement(execute(sql, params, many, state), sql, state)
        finally:
            self._is_in_django = False

    @contextmanager
    def _calling(self, cursor: Any) -> Iterator[None]:
        self._send_if_new(current().resolve())
        yield
        count_paused_rows(cursor)

    def _send_before(self, sql: Any) -> None:
        if may_write(sql):
            self._send_if_new(current().resolve())

    def _without_django(self, sql: Any) -> None:
        # A cursor of the driver runs a statement that Django does not see. The variables last
        # longer than a request, and the connection may serve another user by now. Code that sets
        # them itself wants to keep its own values.
        if self._is_in_django:
            return
        if isinstance(sql, str) and f"@{PREFIX}" in sql:
            self._sent = None
        elif self._sent is not None:
            self._send_before(sql)

    def _send_if_new(self, resolved: ResolvedContext) -> None:
        if resolved is not self._sent and resolved != self._sent:
            self._send(resolved)

    def _send(self, resolved: ResolvedContext) -> None:
        request_id = resolved.request_id
        values = [
            resolved.user_id,
            resolved.user_label,
            resolved.source,
            resolved.ip_address,
            None if request_id is None else request_id.hex,
            resolved.action,
            resolved.detail,
            1 if resolved.paused else None,
        ]
        assignments = ", ".join(f"@{PREFIX}{name} = %s" for name in VARIABLES)
        with self._connection.wrap_database_errors, self._connection.connection.cursor() as cursor:
            cursor.execute(f"SET {assignments}", values)
        self._sent = resolved
