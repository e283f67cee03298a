"""The context on its way to the connection: handed over just before a write is about to run.

Each database has its own way: SQLite asks functions on the connection, PostgreSQL gets a
setting that lives as long as the transaction, MariaDB and MySQL get user variables. What goes
to the server goes past Django's query log, so a project's query counts stay what they were.
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
    """An `execute_wrapper` of a connection that knows the connection's life."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    @abstractmethod
    def connected(self) -> None:
        """Begin anew: the connection to the server is a new one."""

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Run a statement, with the context in its place if the statement may write.

        Raises `ReasonRequiredError` where a trigger refuses it for want of a reason.
        """
        try:
            return self._run(execute, sql, params, many, state)
        except IntegrityError as error:
            if (told := translate_error(error)) is error:
                raise
            raise told from error

    @abstractmethod
    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Put the context in its place and run the statement."""


def count_paused_statement(result: Any, sql: Any, state: Any) -> Any:
    """Count the rows that were written while the history is paused."""
    if current().pause is not None and may_write(sql):
        count_paused_rows(state["cursor"])
    return result


def count_paused_rows(cursor: Any) -> None:
    if (pause := current().pause) is not None:
        pause.rows += max(0, cursor.rowcount)
