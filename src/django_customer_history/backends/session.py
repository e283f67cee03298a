"""How the context reaches the database: a connection sends it before a statement that needs it.

Each database has its own way. SQLite calls functions on the connection. PostgreSQL gets a setting
that lasts as long as the transaction. MariaDB and MySQL get user variables. What goes to the
server does not go through Django's query log, so the query counts of a project do not change.

A query that only reads needs no context. A SELECT changes rows only by calling a function of the
database that does so. So the session asks the database whether it has any such function, and
sends the context with each SELECT if it has one.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.errors import translate_error
from django_customer_history.backends.statements import WITHOUT_SCHEMA, is_select
from django_customer_history.context.current import current

Execute = Callable[[Any, Any, bool, Any], Any]

_SECONDS_KNOWN = 10
"""How long it stays known whether a database has functions that may write."""

_have_writing_functions: dict[tuple[str, str], tuple[float, bool]] = {}
"""For each database: when it was asked, and whether it has functions that may write."""


class Session(ABC):
    """An `execute_wrapper` of one connection; it stays when the connection reconnects."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._database = (connection.alias, str(connection.settings_dict["NAME"]))
        self.is_in_django = False
        """Whether Django is running a statement now, and not a cursor of the driver."""

    @abstractmethod
    def connected(self) -> None:
        """Start again: the connection to the server is a new one."""

    @abstractmethod
    def microsecond(self) -> int:
        """Return the time that a trigger would give to an entry now, in microseconds since 1970."""

    def begin_writing(self) -> int | None:
        """Let the settled order wait for the open transaction, and return such a time.

        None: it does not wait for a key that is made before the INSERT.
        """
        return None

    @abstractmethod
    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, cursor: Any) -> Any:
        """Send the context if the statement needs it, and run the statement.

        `cursor` is that of the driver, or one that passes everything on to it.
        """

    def _is_plain_read(self, sql: Any) -> bool:
        """Return whether a statement cannot run a trigger."""
        return is_select(sql) and not self._reads_may_write()

    def _has_writing_functions(self) -> bool:
        """Ask the database whether it has functions that a SELECT may call and that may write."""
        return False

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Run a statement of Django; send the context first if the statement needs it.

        Raises `ReasonRequiredError` if a trigger refuses the write because it has no reason.
        """
        outer, self.is_in_django = self.is_in_django, True
        try:
            if self._is_plain_read(sql):
                return execute(sql, params, many, state)

            def run(sql: Any, params: Any, many: bool, _cursor: Any) -> Any:
                return execute(sql, params, many, state)

            return self._run(run, sql, params, many, state["cursor"].cursor)
        except IntegrityError as error:
            if (translated := translate_error(error)) is error:
                raise
            raise translated from error
        finally:
            self.is_in_django = outer

    def _reads_may_write(self) -> bool:
        """Return whether a SELECT may change rows, by a function of the project that it calls."""
        now, known = time.monotonic(), _have_writing_functions.get(self._database)
        if known is not None and now - known[0] < _SECONDS_KNOWN:
            return known[1]
        found = self._has_writing_functions()
        _have_writing_functions[self._database] = (now, found)
        return found

    def _forget_functions(self, word: str) -> None:
        """Ask again after a statement that may have made a function; `word` is its first."""
        if word not in WITHOUT_SCHEMA:
            _have_writing_functions.pop(self._database, None)


def count_paused_rows(cursor: Any, word: str = "") -> None:
    """Count the rows that a cursor wrote last, if the history is paused.

    `word` is the first word of the statement: a SELECT has rows, too.
    """
    if word != "SELECT" and (pause := current().pause) is not None:
        pause.rows += max(0, cursor.rowcount)
