"""PostgreSQL: a setting of the transaction gives triggers the context."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.driver_cursors import patch_cursors
from django_customer_history.backends.postgresql.templates import MICROSECOND_AFTER_ID, NOW
from django_customer_history.backends.session import (
    Execute,
    Session,
    count_paused_rows,
)
from django_customer_history.backends.statements import CONTROL, first_word, is_single
from django_customer_history.context.current import Context, current
from django_customer_history.context.resolved import ResolvedContext

CONTEXT_SETTING = "customer_history.context"
PAUSED = f"""'{{"paused": "' || {NOW} || '"}}'"""
"""SQL of a context that pauses the history in this transaction, and in no other."""

_EMPTY = ResolvedContext()
_IDLE, _IN_ERROR = 0, 3
"""Two of the states of a transaction that libpq knows."""
_MARK = '"paused": true'
"""The pause in the text of a context; the time of the transaction takes the place of `true`."""

_WITHOUT_ROWS = CONTROL | {
    "CHECKPOINT",
    "CLOSE",
    "DEALLOCATE",
    "DISCARD",
    "LISTEN",
    "LOCK",
    "NOTIFY",
    "PREPARE",
    "RESET",
    "SET",
    "SHOW",
    "UNLISTEN",
}
"""Statements that change no row. Some must be the first of their transaction."""
_NOT_BESIDE_OTHERS = frozenset(
    ["ALTER", "ANALYZE", "CLUSTER", "CREATE", "DECLARE", "DROP", "FETCH", "REINDEX", "VACUUM"]
)
"""Some statements that begin so cannot run in one message with another."""
_MAY_COMMIT = frozenset(["CALL", "DO"])
_CANNOT_COMMIT = "2D000"
"""The error of a procedure that ends a transaction in one message with another statement."""

# A SELECT changes rows only by a function that may, and PostgreSQL lets only volatile ones.
# Triggers are not called by a SELECT. The functions that extensions bring in C only compute.
_WRITING_FUNCTIONS = """
SELECT EXISTS (
  SELECT
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE p.oid >= 16384
    AND p.provolatile = 'v'
    AND p.prokind <> 'p'
    AND p.prorettype NOT IN (
      'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype
    )
    AND NOT (
      l.lanname IN ('c', 'internal')
      AND EXISTS (
        SELECT
        FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
          AND d.objid = p.oid AND d.deptype = 'e'
      )
    )
)
"""
_MICROSECOND = """
SELECT pg_catalog.round(
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000000
)::bigint
"""


class PostgreSQLSession(Session):
    """A transaction-local setting, sent in one message with the statement wherever possible.

    It is sent with the first statement of a transaction that may write, and again when the context
    changes or a savepoint is rolled back. Poolers and reconnects cannot lose it, and no
    other transaction can see it.
    """

    # Measured: it takes a third less time than SELECT set_config(..., true), which is planned.
    _SETTING = f"SET LOCAL {CONTEXT_SETTING} = "

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._known: tuple[ResolvedContext, str] = (_EMPTY, _EMPTY.as_json())
        self._sent: tuple[Context, ResolvedContext] | None = None
        """What the open transaction has; None: nothing, or it is not certain."""
        self._by_hand: Context | None = None
        """The context in force when other code set the setting itself."""
        self._binds_on_server = False
        self._pgconn: Any = None

    def connected(self) -> None:
        """Follow the calls of its cursors. The session on the server keeps nothing."""
        features = self._connection.features
        self._sent = self._by_hand = None
        self._binds_on_server = getattr(features, "uses_server_side_binding", False)
        self._pgconn = getattr(self._connection.connection, "pgconn", None)
        patch_cursors(self._connection.connection, self)

    def microsecond(self) -> int:
        """Return the time of the server's clock in microseconds since 1970."""
        return int(self._ask(_MICROSECOND))

    def begin_writing(self) -> int:
        """Let the settled order wait for the open transaction, and return that time."""
        return int(self._ask(MICROSECOND_AFTER_ID))

    def _has_writing_functions(self) -> bool:
        return bool(self._ask(_WRITING_FUNCTIONS))

    def _is_plain_read(self, sql: Any) -> bool:
        # In a transaction that has failed, no statement runs.
        if self._status() == _IN_ERROR or not super()._is_plain_read(sql):
            return False
        if self._sent is None:
            return True
        if CONTEXT_SETTING in sql:
            self._sent = None
        if self._sent is None or self._status() == _IDLE:
            return True
        # Whatever the functions of the database do: it is never the context of another block.
        context = current()
        if self._sent[0] is not context and context.provider is not None:
            # A query of a request must not load its user.
            with self._in_django():
                self._send(_EMPTY)
            self._sent = self._certain(context, _EMPTY)
            return True
        return self._sent[0] is context

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, cursor: Any) -> Any:
        self._by_hand = None
        return self._run_in_context(execute, sql, params, many, cursor)

    def run_in_driver(
        self,
        call: Callable[[Any, Any], Any],
        cursor: Any,
        statement: Any,
        params: Any,
        *,
        many: bool,
    ) -> Any:
        """Run what a cursor of the driver executes without Django."""
        if hasattr(statement, "as_string"):
            statement = statement.as_string(self._connection.connection)
        is_set_by_hand = isinstance(statement, str) and CONTEXT_SETTING in statement
        is_over = self._status() == _IDLE and self._commits_by_itself()
        if is_set_by_hand:
            self._sent, self._by_hand = None, current()
        elif is_over or self._by_hand is not current():
            self._by_hand = None
        # Code that sets the context itself keeps its values in this transaction.
        if self._by_hand is not None or self._is_plain_read(statement):
            return call(statement, params)

        def execute(sql: Any, params: Any, many: bool, _cursor: Any) -> Any:
            return call(sql, params)

        with self._in_django():
            return self._run_in_context(execute, statement, params, many, cursor)

    @contextmanager
    def framed_in_driver(self, cursor: Any) -> Iterator[None]:
        """Send the context before a cursor copies or calls."""
        context = current()
        resolved = context.resolve()
        with self._in_django(), self._in_transaction():
            if self._by_hand is not context:
                self._send(resolved)
                self._sent = self._certain(context, resolved)
            yield
            count_paused_rows(cursor)

    def _run_in_context(
        self, execute: Execute, sql: Any, params: Any, many: bool, cursor: Any
    ) -> Any:
        status, word = self._status(), first_word(sql)
        if status == _IDLE:
            self._sent = None
        is_alone = status == _IDLE and self._commits_by_itself()
        if status == _IN_ERROR or (is_single(sql) and word in _WITHOUT_ROWS):
            if word not in ("SAVEPOINT", "RELEASE"):
                self._sent = None
            return execute(sql, params, many, None)
        try:
            if is_alone and is_single(sql) and word in _NOT_BESIDE_OTHERS:
                return execute(sql, params, many, None)
            return self._run_with_context(execute, sql, params, many, cursor, is_alone=is_alone)
        except Exception:
            self._sent = None
            raise
        finally:
            self._forget_functions(word)

    def _run_with_context(
        self, execute: Execute, sql: Any, params: Any, many: bool, cursor: Any, *, is_alone: bool
    ) -> Any:
        context, word = current(), first_word(sql)
        resolved = context.resolve()
        if self._sent is not None and self._sent[1] == resolved:
            result = execute(sql, params, many, None)
        elif many or not isinstance(sql, str) or not self._takes_several_statements(cursor):
            with self._in_transaction():
                self._send(resolved)
                result = execute(sql, params, many, None)
        else:
            try:
                result = execute(*self._with_setting(resolved, sql, params), many, None)
            except Exception as error:
                if not is_alone or word not in _MAY_COMMIT or not _cannot_commit(error):
                    raise
                # Nothing of it was kept. Alone it can commit, and its rows have no user.
                return execute(sql, params, many, None)
            finally:
                self._hide_setting(cursor)
            if _has_result_sets(cursor):
                # Not Django's cursor: it would wrap this call to translate errors.
                cursor.nextset()
        is_kept = not is_alone and is_single(sql)
        self._sent = self._certain(context, resolved) if is_kept else None
        count_paused_rows(cursor, word)
        return result

    def _certain(
        self, context: Context, resolved: ResolvedContext
    ) -> tuple[Context, ResolvedContext] | None:
        # In a block of psycopg's own, a savepoint may be rolled back unseen.
        is_seen = not getattr(self._connection.connection, "_num_transactions", 0)
        is_open = self._status() != _IDLE
        return (context, resolved) if is_seen and is_open else None

    def _status(self) -> int:
        if self._pgconn is not None:
            return int(self._pgconn.transaction_status)
        return int(self._connection.connection.info.transaction_status)

    def _commits_by_itself(self) -> bool:
        return bool(self._connection.connection.autocommit)

    @contextmanager
    def _in_django(self) -> Iterator[None]:
        outer, self.is_in_django = self.is_in_django, True
        try:
            yield
        finally:
            self.is_in_django = outer

    def _in_transaction(self) -> AbstractContextManager[Any]:
        if self._status() != _IDLE or not self._commits_by_itself():
            return nullcontext()
        return transaction.atomic(using=self._connection.alias)

    def _takes_several_statements(self, cursor: Any) -> bool:
        # The statement of a named cursor comes after a DECLARE.
        is_named = getattr(cursor, "name", None) is not None
        if is_named or self._binds_on_server or not _binds_on_client(cursor):
            return False
        return self._pgconn is None or not self._pgconn.pipeline_status

    def _ask(self, sql: str) -> Any:
        with (
            self._in_django(),
            self._connection.wrap_database_errors,
            self._connection.connection.cursor() as cursor,
        ):
            cursor.execute(sql)
            return cursor.fetchone()[0]

    def _send(self, resolved: ResolvedContext) -> None:
        with self._connection.wrap_database_errors, self._connection.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT set_config('{CONTEXT_SETTING}', {self._literal(resolved)}, true)"
            )

    def _with_setting(self, resolved: ResolvedContext, sql: str, params: Any) -> tuple[str, Any]:
        # A new line: messages of errors quote the line of the error, which has no context then.
        if params and isinstance(params, list | tuple) and not resolved.paused:
            # A parameter: the text stays the same, so the driver finds it in its cache.
            return f"{self._SETTING}%s;\n{sql}", [self._text(resolved), *params]
        if resolved.paused:
            setting = f"SELECT set_config('{CONTEXT_SETTING}', {self._literal(resolved)}, true);\n"
        else:
            setting = f"{self._SETTING}{self._literal(resolved)};\n"
        return (setting if params is None else setting.replace("%", "%%")) + sql, params

    def _hide_setting(self, cursor: Any) -> None:
        # Django's query log asks the cursor of psycopg 3 for its text. The setting is the first
        # line: JSON has none.
        query = getattr(cursor, "_query", None)
        if query is not None and self._connection.queries_logged:
            query.query = query.query.partition(b"\n")[2]

    def _literal(self, resolved: ResolvedContext) -> str:
        """Return the SQL of the context; that of a pause names the transaction."""
        text = self._text(resolved)
        if not resolved.paused:
            return self._quoted(text)
        before, _, after = text.rpartition(_MARK)
        parts = [self._quoted(f'{before}"paused": "'), NOW, self._quoted(f'"{after}')]
        return " || ".join(parts)

    def _quoted(self, text: str) -> str:
        from django.db.backends.postgresql.psycopg_any import sql  # noqa: PLC0415 - optional

        return str(sql.Literal(text).as_string(self._connection.connection))

    def _text(self, resolved: ResolvedContext) -> str:
        known, text = self._known
        if known is not resolved:
            text = resolved.as_json()
            self._known = (resolved, text)
        return text


def _has_result_sets(cursor: Any) -> bool:
    # psycopg 3 shows the result of the first statement, psycopg 2 that of the last one.
    return hasattr(cursor, "pgresult")


def _binds_on_client(cursor: Any) -> bool:
    # psycopg 2 always does.
    return not hasattr(cursor, "pgresult") or hasattr(cursor, "mogrify")


def _cannot_commit(error: BaseException) -> bool:
    reason = error.__cause__ or error
    return getattr(reason, "sqlstate", getattr(reason, "pgcode", None)) == _CANNOT_COMMIT
