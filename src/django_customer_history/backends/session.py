"""How the context reaches the database: a connection sends it just before a write runs.

Each database has its own way. SQLite calls functions on the connection. PostgreSQL gets a setting
that lasts as long as the transaction. MariaDB and MySQL get user variables. What goes to the
server does not go through Django's query log, so the query counts of a project do not change.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.errors import translate_error
from django_customer_history.backends.statements import may_write
from django_customer_history.context.current import current

Execute = Callable[[Any, Any, bool, Any], Any]


class Session(ABC):
    """An `execute_wrapper` of one connection; it stays when the connection reconnects."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    @abstractmethod
    def connected(self) -> None:
        """Start again: the connection to the server is a new one."""

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Run a statement; before a statement that may write, send the context.

        Raises `ReasonRequiredError` if a trigger refuses the write because it has no reason.
        """
        try:
            return self._run(execute, sql, params, many, state)
        except IntegrityError as error:
            if (translated := translate_error(error)) is error:
                raise
            raise translated from error

    @abstractmethod
    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Send the context if that is necessary, and run the statement."""


def count_paused_statement(result: Any, sql: Any, state: Any) -> Any:
    """Count the rows that a statement wrote while the history is paused; return `result`."""
    if current().pause is not None and may_write(sql):
        count_paused_rows(state["cursor"])
    return result


def count_paused_rows(cursor: Any) -> None:
    """Count the rows that a cursor wrote last, if the history is paused."""
    if (pause := current().pause) is not None:
        pause.rows += max(0, cursor.rowcount)
