"""The context on its way to the connection: handed over just before a write is about to run.

Each database has its own way: SQLite asks functions on the connection, PostgreSQL gets a
setting that lives as long as the transaction, MariaDB and MySQL get user variables. What goes
to the server goes past Django's query log, so a project's query counts stay what they were.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.capture.calls import follow_calls
from django_customer_history.capture.refusals import explained
from django_customer_history.capture.statements import may_write
from django_customer_history.changes import Attribution
from django_customer_history.context import Context, current
from django_customer_history.dialects.postgresql import CONTEXT_SETTING
from django_customer_history.keys import datetime_of, hexadecimal_at, next_microsecond
from django_customer_history.tables import PREFIX

Execute = Callable[[Any, Any, bool, Any], Any]

VARIABLES: Sequence[str] = (
    "actor_id",
    "actor_label",
    "source",
    "ip_address",
    "request_id",
    "action",
    "context",
    "paused",
)


_NOTHING = Attribution()


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
            if (told := explained(error)) is error:
                raise
            raise told from error

    @abstractmethod
    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Put the context in its place and run the statement."""


def attach(connection: BaseDatabaseWrapper) -> None:
    """Let a connection take the context to its database; to be called at each connect."""
    session_class = _SESSIONS.get(connection.vendor)
    if session_class is None:
        return  # Nothing is captured there; a system check says so.
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, session_class):
            wrapper.connected()
            return
    session = session_class(connection)
    session.connected()
    # First in the list: a block that is open now removes the last one when it ends.
    connection.execute_wrappers.insert(0, session)


class SQLiteSession(Session):
    """Functions on the connection that triggers call; no statement is added."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._attribution = Attribution()
        self._resolved: tuple[Context, Attribution] | None = None
        self._microsecond = 0
        self._second = (0, "")
        self._request: tuple[UUID | None, str | None] = (None, None)

    def connected(self) -> None:
        """Register the functions, which are gone with every reconnect."""
        # Without it REPLACE removes the old row past its DELETE trigger.
        self._connection.connection.execute("PRAGMA recursive_triggers = ON")
        functions: dict[str, Callable[[], Any]] = {
            "key": self._key,
            "timestamp": self._timestamp,
            "actor_id": lambda: self._attribution.actor_id,
            "actor_label": lambda: self._attribution.actor_label,
            "source": lambda: self._attribution.source,
            "ip_address": lambda: self._attribution.ip_address,
            "request_id": self._request_id,
            "action": lambda: self._attribution.action,
            "context": lambda: self._attribution.detail,
            "paused": _is_paused,
            "has_reason": lambda: current().attribution().has_reason,
        }
        for name, function in functions.items():
            self._connection.connection.create_function(PREFIX + name, 0, function)
        of_values: dict[str, Callable[..., Any]] = {
            "float": _float_text,
            "json_differs": _json_differs,
            "members": _members_by_key,
        }
        for name, reckon in of_values.items():
            self._connection.connection.create_function(
                PREFIX + name, reckon.__code__.co_argcount, reckon, deterministic=True
            )

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Learn who acts before the statement runs: no query can run inside a trigger."""
        context = current()
        if context.origin is None or not may_write(sql):
            return execute(sql, params, many, state)
        self._resolved = (context, context.attribution())
        try:
            return execute(sql, params, many, state)
        finally:
            self._resolved = None

    def _key(self) -> str:
        # The first function that a trigger calls: the context of now is that of the entry.
        context, resolved = current(), self._resolved
        if resolved is not None and resolved[0] is context:
            self._attribution = resolved[1]
        else:
            self._attribution = context.attribution()
        self._microsecond = next_microsecond()
        return hexadecimal_at(self._microsecond)

    def _request_id(self) -> str | None:
        request = self._attribution.request_id
        if request is not self._request[0]:
            self._request = (request, None if request is None else request.hex)
        return self._request[1]

    def _timestamp(self) -> str:
        # Called for every entry: the text of the second is kept from one to the next.
        second, fraction = divmod(self._microsecond, 1_000_000)
        if second != self._second[0]:
            moment = datetime_of(second * 1_000_000)
            self._second = (second, moment.strftime("%Y-%m-%d %H:%M:%S"))
        return f"{self._second[1]}.{fraction:06}"


class PostgreSQLSession(Session):
    """A transaction-local setting, sent in one message with the write wherever possible.

    As it is sent with every write it survives savepoints, poolers and reconnects, and no other
    transaction can ever see it.
    """

    # Measured: a third less than SELECT set_config(..., true), which is planned.
    _SETTING = f"SET LOCAL {CONTEXT_SETTING} = "

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._known: tuple[Attribution, str] = (Attribution(), Attribution().as_json())
        self._binds_on_server = False
        self._pgconn: Any = None

    def connected(self) -> None:
        """Follow its calls; nothing is kept in the session on the server."""
        features = self._connection.features
        self._binds_on_server = getattr(features, "uses_server_side_binding", False)
        self._pgconn = getattr(self._connection.connection, "pgconn", None)
        follow_calls(self._connection.connection, self._calling)

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Set the context in front of the statement, or before it where that cannot be."""
        if not may_write(sql):
            return execute(sql, params, many, state)
        attribution = current().attribution()
        if self._says_nothing(attribution):
            return execute(sql, params, many, state)
        cursor = state["cursor"].cursor
        if many or not isinstance(sql, str) or not self._takes_several_statements(cursor):
            with self._in_transaction():
                self._send(attribution)
                return _counted(execute(sql, params, many, state), sql, state)
        result = execute(*self._with_setting(attribution, sql, params), many, state)
        if _has_result_sets(cursor):
            cursor.nextset()  # Not by Django's cursor, which wraps each call for its errors.
        return _counted(result, sql, state)

    @contextmanager
    def _calling(self, cursor: Any) -> Iterator[None]:
        attribution = current().attribution()
        if self._says_nothing(attribution):
            yield
            return
        with self._in_transaction():
            self._send(attribution)
            yield
            _count(cursor)

    def _says_nothing(self, attribution: Attribution) -> bool:
        # Outside of a transaction no older context can be in force.
        return not self._is_in_transaction() and attribution == _NOTHING

    def _is_in_transaction(self) -> bool:
        return self._connection.in_atomic_block or not self._connection.get_autocommit()

    def _in_transaction(self) -> AbstractContextManager[Any]:
        if self._is_in_transaction():
            return nullcontext()
        return transaction.atomic(using=self._connection.alias)

    def _takes_several_statements(self, cursor: Any) -> bool:
        is_named = getattr(cursor, "name", None) is not None  # Its statement gets a DECLARE.
        if is_named or self._binds_on_server:
            return False
        return self._pgconn is None or not self._pgconn.pipeline_status

    def _send(self, attribution: Attribution) -> None:
        with self._connection.wrap_database_errors, self._connection.connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config(%s, %s, true)", [CONTEXT_SETTING, self._text(attribution)]
            )

    def _with_setting(self, attribution: Attribution, sql: str, params: Any) -> tuple[str, Any]:
        text = self._text(attribution)
        if params and isinstance(params, list | tuple):
            # The driver has read this text before: only the value differs between requests.
            return f"{self._SETTING}%s; {sql}", [text, *params]
        setting = self._SETTING + _quoted(text, self._connection.connection) + "; "
        return (setting if params is None else setting.replace("%", "%%")) + sql, params

    def _text(self, attribution: Attribution) -> str:
        known, text = self._known
        if known is not attribution:
            text = attribution.as_json()
            self._known = (attribution, text)
        return text


class MySQLSession(Session):
    """User variables of the session, set anew only when they change."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        # None: somebody else has set the variables.
        self._sent: Attribution | None = Attribution()
        self._is_in_django = False

    def connected(self) -> None:
        """Forget what was sent: variables of a new session are NULL."""
        self._sent = Attribution()
        follow_calls(self._connection.connection, self._calling, before=self._past_django)

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Set the variables first, if the statement may write and they are not right yet."""
        self._hand_over(sql)
        self._is_in_django = True
        try:
            return _counted(execute(sql, params, many, state), sql, state)
        finally:
            self._is_in_django = False

    @contextmanager
    def _calling(self, cursor: Any) -> Iterator[None]:
        self._send_if_new(current().attribution())
        yield
        _count(cursor)

    def _hand_over(self, sql: Any) -> None:
        if may_write(sql):
            self._send_if_new(current().attribution())

    def _past_django(self, sql: Any) -> None:
        # What a cursor of the driver runs by itself: the variables outlive who acted, and the
        # connection may serve somebody else by now. Who sets them there wants his own.
        if self._is_in_django:
            return
        if isinstance(sql, str) and f"@{PREFIX}" in sql:
            self._sent = None
        elif self._sent is not None:
            self._hand_over(sql)

    def _send_if_new(self, attribution: Attribution) -> None:
        if attribution is not self._sent and attribution != self._sent:
            self._send(attribution)

    def _send(self, attribution: Attribution) -> None:
        request_id = attribution.request_id
        values = [
            attribution.actor_id,
            attribution.actor_label,
            attribution.source,
            attribution.ip_address,
            None if request_id is None else str(request_id),
            attribution.action,
            attribution.detail,
            1 if attribution.paused else None,
        ]
        assignments = ", ".join(f"@{PREFIX}{name} = %s" for name in VARIABLES)
        with self._connection.wrap_database_errors, self._connection.connection.cursor() as cursor:
            cursor.execute(f"SET {assignments}", values)
        self._sent = attribution


def _counted(result: Any, sql: Any, state: Any) -> Any:
    """Count the rows that were written while the history is paused."""
    if current().pause is not None and may_write(sql):
        _count(state["cursor"])
    return result


def _count(cursor: Any) -> None:
    if (pause := current().pause) is not None:
        pause.rows += max(0, cursor.rowcount)


def _is_paused() -> bool:
    # Called once for each row of a tracked table; SQLite tells of rows no earlier.
    if (pause := current().pause) is None:
        return False
    pause.rows += 1
    return True


def _float_text(value: float | None) -> str | None:
    return None if value is None else repr(value)


def _json_differs(one: str | None, other: str | None) -> bool:
    return (
        one is None
        or other is None
        or _sorted_json(json.loads(one)) != _sorted_json(json.loads(other))
    )


def _sorted_json(value: Any) -> str:
    # Not the values themselves: in Python 1, 1.0 and True are equal.
    return json.dumps(value, sort_keys=True)


def _members_by_key(field: str, old: str | None, new: str | None) -> str:
    """Return `"field.key":[old, new]` for each key that differs, as JSON without braces."""
    objects = [{} if text is None else json.loads(text) for text in (old, new)]
    if not all(isinstance(one, dict) for one in objects):
        return f"{json.dumps(field)}:{json.dumps([old, new])}"
    before, after = objects
    pairs = {
        f"{field}.{key}": [_json_text(one, key) for one in objects]
        for key in {**before, **after}
        if key not in before
        or key not in after
        or _sorted_json(before[key]) != _sorted_json(after[key])
    }
    return json.dumps(pairs)[1:-1]


def _json_text(values: dict[str, Any], key: str) -> str | None:
    return json.dumps(values[key], ensure_ascii=False) if key in values else None


def _has_result_sets(cursor: Any) -> bool:
    # psycopg 3 stands at the first statement's result, psycopg 2 at the last one's.
    return hasattr(cursor, "pgresult")


def _quoted(text: str, connection: Any) -> str:
    from django.db.backends.postgresql.psycopg_any import sql  # noqa: PLC0415 - optional

    return str(sql.Literal(text).as_string(connection))


_SESSIONS: dict[str, type[Session]] = {
    "sqlite": SQLiteSession,
    "postgresql": PostgreSQLSession,
    "mysql": MySQLSession,
}
