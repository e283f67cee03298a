"""Follow what a cursor of the driver runs without Django: statements, procedures, COPY.

Django's `execute_wrappers` do not see these calls. The driver of PostgreSQL lets a connection
choose the class of its cursors, and those of MariaDB and MySQL send everything by the method
`query` of the connection. Subclasses of these classes see the calls.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakKeyDictionary

_CURSOR_CLASS_ATTRIBUTES = ("cursor_factory", "server_cursor_factory")
"""Where psycopg keeps the classes of its cursors."""


class DriverSession(Protocol):
    """A session that also gets what runs without Django."""

    is_in_django: bool

    def run_in_driver(
        self,
        call: Callable[[Any, Any], Any],
        cursor: Any,
        statement: Any,
        params: Any,
        *,
        many: bool,
    ) -> Any:
        """Run a statement of a cursor of the driver."""

    def framed_in_driver(self, cursor: Any) -> Any:
        """Return the context manager in which a cursor copies or calls."""


class QuerySession(Protocol):
    """A session that gets each text that goes to the server without Django."""

    is_in_django: bool

    def before_query(self, sql: Any) -> None:
        """Prepare for a text that is sent to the server next."""

    def after_query(self, sql: Any) -> None:
        """Take note of a text that the server has run."""


_cursor_sessions: WeakKeyDictionary[Any, DriverSession] = WeakKeyDictionary()
_query_sessions: WeakKeyDictionary[Any, QuerySession] = WeakKeyDictionary()


def patch_cursors(connection: Any, session: DriverSession) -> None:
    """Let a session run what the cursors of a driver's connection run without Django."""
    _cursor_sessions[connection] = session
    for name in _CURSOR_CLASS_ATTRIBUTES:
        if (cursor_class := getattr(connection, name, None)) is not None:
            setattr(connection, name, _following(cursor_class))


def patch_query(connection: Any, session: QuerySession) -> None:
    """Let a session see each text that a driver's connection sends without Django."""
    _query_sessions[connection] = session
    connection_class: Any = type(connection)
    connection.__class__ = _watching(connection_class)


class _Following:
    """A cursor whose calls run in its session."""


class _Watching:
    """A connection whose session sees each text."""


@functools.cache
def _following(cursor_class: type) -> type:
    if issubclass(cursor_class, _Following):
        return cursor_class
    methods = {
        name: wrapper(getattr(cursor_class, name))
        for name, wrapper in _WRAPPERS.items()
        if hasattr(cursor_class, name)
    }
    return type(cursor_class.__name__, (_Following, cursor_class), methods)


@functools.cache
def _watching(connection_class: type) -> type:
    if issubclass(connection_class, _Watching):
        return connection_class
    send = connection_class.query  # type: ignore[attr-defined]

    @functools.wraps(send)
    def query(connection: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
        session = _query_sessions.get(connection)
        if session is None or session.is_in_django:
            return send(connection, sql, *args, **kwargs)
        session.before_query(sql)
        result = send(connection, sql, *args, **kwargs)
        session.after_query(sql)
        return result

    return type(connection_class.__name__, (_Watching, connection_class), {"query": query})


def _executing(method: Callable[..., Any], *, many: bool = False) -> Callable[..., Any]:
    @functools.wraps(method)
    def executed(cursor: Any, statement: Any, params: Any = None, **options: Any) -> Any:
        session = _cursor_sessions.get(cursor.connection)
        if session is None or session.is_in_django:
            return method(cursor, statement, params, **options)

        def call(statement: Any, params: Any) -> Any:
            return method(cursor, statement, params, **options)

        return session.run_in_driver(call, cursor, statement, params, many=many)

    return executed


def _calling(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def framed(cursor: Any, *args: Any, **kwargs: Any) -> Any:
        with _cursor_sessions[cursor.connection].framed_in_driver(cursor):
            return method(cursor, *args, **kwargs)

    return framed


def _copying(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    @contextmanager
    def framed(cursor: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        session = _cursor_sessions[cursor.connection]
        with session.framed_in_driver(cursor), method(cursor, *args, **kwargs) as copy:
            yield copy

    return framed


def _streaming(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def framed(cursor: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        with _cursor_sessions[cursor.connection].framed_in_driver(cursor):
            yield from method(cursor, *args, **kwargs)

    return framed


_WRAPPERS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "execute": _executing,
    "executemany": functools.partial(_executing, many=True),
    "stream": _streaming,
    "callproc": _calling,
    "copy": _copying,
    "copy_expert": _calling,
    "copy_from": _calling,
}
"""Methods of cursors that may write, of psycopg 3 and of psycopg 2."""
