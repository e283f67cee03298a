"""MariaDB and MySQL: user variables of the session give triggers the context."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.driver_cursors import patch_query
from django_customer_history.backends.mysql import templates
from django_customer_history.backends.session import (
    Execute,
    Session,
    count_paused_rows,
)
from django_customer_history.backends.statements import CONTROL, first_word, is_single
from django_customer_history.backends.tables import PREFIX
from django_customer_history.context.current import Context, current
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

_EMPTY = ResolvedContext()

# A SELECT changes rows only by a stored function. What a function declares about itself, such as
# READS SQL DATA, is not checked by the server.
_WRITING_FUNCTIONS = """
SELECT EXISTS (
  SELECT 1 FROM information_schema.ROUTINES
  WHERE ROUTINE_TYPE = 'FUNCTION'
    AND ROUTINE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
)
"""
_VARIABLE = f"@{PREFIX}"
_CLOCK = f"@{PREFIX}clock"
"""A variable of the triggers, which does not belong to the context."""


class MySQLSession(Session):
    """User variables of the session, sent only when they change.

    They last longer than a transaction or a request. So no statement that may write runs before
    they are those of its own context, whichever cursor it comes from.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._sent: ResolvedContext | None = _EMPTY
        """What the session on the server has; None: it is not certain."""
        self._by_hand: Context | None = None
        """The context in force when other code set the variables itself."""
        self._context: Context | None = None
        """The context in force when the variables were sent."""
        self._thread: Any = None

    def connected(self) -> None:
        """Forget what was sent: variables of a new session are NULL."""
        self._sent, self._by_hand = _EMPTY, None
        self._thread = self._connection.connection.thread_id()
        patch_query(self._connection.connection, self)

    def microsecond(self) -> int:
        """Return the time of the server's clock in microseconds since 1970."""
        return int(self._ask(templates.SESSION_MICROSECOND))

    def _has_writing_functions(self) -> bool:
        return bool(self._ask(_WRITING_FUNCTIONS))

    def _is_plain_read(self, sql: Any) -> bool:
        # These, too, change rows only by a function in their WHERE.
        if isinstance(sql, str) and sql.startswith(("SHOW ", "EXPLAIN ")) and is_single(sql):
            return not self._reads_may_write()
        is_plain = super()._is_plain_read(sql)
        if is_plain and self._has_values_of_another_context():
            # Whatever the functions of the database do: it is never the user of another request.
            self._send(_EMPTY)
        return is_plain

    def _has_values_of_another_context(self) -> bool:
        context = current()
        return (
            self._sent != _EMPTY and self._context is not context and self._by_hand is not context
        )

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, cursor: Any) -> Any:
        """Send the variables first if they have changed."""
        word = first_word(sql)
        self._by_hand = None
        names_variables = isinstance(sql, str) and _names_context(sql)
        # A statement that reads the variables, as that of a baseline does, needs them.
        if not (names_variables and word == "SET") and not (is_single(sql) and word in CONTROL):
            self._send_if_new()
        if names_variables:
            self._sent = None
        result = execute(sql, params, many, None)
        self._forget_functions(word)
        count_paused_rows(cursor, word)
        return result

    def before_query(self, sql: Any) -> None:
        """Send the variables before a text that Django does not see, if they have changed."""
        text = _text(sql)
        if _names_context(text):
            if self._by_hand is not current() and first_word(text) != "SET":
                self._send_if_new()
            # Code that sets the variables itself keeps its own values in this context, until
            # Django runs a statement.
            self._sent, self._by_hand = None, current()
        elif self._by_hand is None or self._by_hand is not current():
            self._by_hand = None
            is_control = is_single(text) and first_word(text) in CONTROL
            if not is_control and not self._is_plain_read(text):
                self._send_if_new()

    def after_query(self, sql: Any) -> None:
        """Count the rows of a text that Django does not see, if the history is paused."""
        word = first_word(_text(sql))
        self._forget_functions(word)
        count_paused_rows(_Affected(self._connection.connection), word)

    def _send_if_new(self) -> None:
        # A driver whose connection is closed raises its own error, which Django has to see.
        with self._connection.wrap_database_errors:
            thread = self._connection.connection.thread_id()
        if thread != self._thread:
            # The driver has connected again by itself.
            self._sent, self._thread = _EMPTY, thread
        resolved = current().resolve()
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
        ]
        names = [f"@{PREFIX}{name} = %s" for name in VARIABLES[:-1]]
        # A pause names its session: what else is left in the variable pauses nothing.
        paused = "CONNECTION_ID()" if resolved.paused else "NULL"
        assignments = ", ".join([*names, f"@{PREFIX}{VARIABLES[-1]} = {paused}"])
        self._sent = None
        self._execute(f"SET {assignments}", values)
        self._sent, self._context = resolved, current()

    def _ask(self, sql: str) -> Any:
        return self._execute(sql, None)[0]

    def _execute(self, sql: str, values: Any) -> Any:
        outer, self.is_in_django = self.is_in_django, True
        try:
            with (
                self._connection.wrap_database_errors,
                self._connection.connection.cursor() as cursor,
            ):
                cursor.execute(sql, values)
                return cursor.fetchone()
        finally:
            self.is_in_django = outer


class _Affected:
    """The count of the rows that a connection wrote last, as a cursor has it."""

    def __init__(self, connection: Any) -> None:
        self.rowcount = connection.affected_rows()


def _text(sql: Any) -> str:
    return sql if isinstance(sql, str) else bytes(sql).decode("latin-1")


def _names_context(sql: str) -> bool:
    """Return whether a text of SQL names a variable of the context."""
    return _VARIABLE in sql and _VARIABLE in sql.replace(_CLOCK, "")
