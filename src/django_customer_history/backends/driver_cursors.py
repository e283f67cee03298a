"""Follow what a cursor of the driver runs without Django: procedures, COPY, statements.

Django's `execute_wrappers` do not see these calls. Drivers let a connection choose the class of
its cursors, so a subclass of that class sees them.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from django_customer_history.backends.statements import may_write

Frame = Callable[[Any], AbstractContextManager[None]]
"""Returns the context manager in which a call of a cursor runs."""
Listener = Callable[[Any], None]
"""Gets each statement before a cursor runs it."""

_CURSOR_CLASS_ATTRIBUTES = ("cursor_factory", "cursorclass")
"""Where psycopg, and where the drivers of MariaDB and MySQL, keep the class of the cursors."""

_Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Wraps a method of a cursor."""

_frames: WeakKeyDictionary[Any, Frame] = WeakKeyDictionary()
_listeners: WeakKeyDictionary[Any, Listener] = WeakKeyDictionary()


def patch_driver_cursors(connection: Any, frame: Frame, *, before: Listener | None = None) -> None:
    """Run what the cursors of a driver's connection call and copy inside of `frame`.

    `before` gets everything else that its cursors run, through Django or not.
    """
    _frames[connection] = frame
    if before is not None:
        _listeners[connection] = before
    wrappers = _WRAPPERS if before is None else {**_WRAPPERS, "execute": _executing}
    for name in _CURSOR_CLASS_ATTRIBUTES:
        if (cursor_class := getattr(connection, name, None)) is not None:
            setattr(connection, name, _following(cursor_class, tuple(wrappers.items())))


class _Following:
    """A cursor whose calls run in a frame."""


@functools.cache
def _following(cursor_class: type, wrappers: tuple[tuple[str, _Wrapper], ...]) -> type:
    if issubclass(cursor_class, _Following):
        return cursor_class
    methods = {
        name: wrapper(getattr(cursor_class, name))
        for name, wrapper in wrappers
        if hasattr(cursor_class, name)
    }
    return type(cursor_class.__name__, (_Following, cursor_class), methods)


def _executing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def framed(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
        _listeners[cursor.connection](statement)
        return method(cursor, statement, *args, **kwargs)

    return framed


def _calling(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def framed(cursor: Any, *args: Any, **kwargs: Any) -> Any:
        with _frames[cursor.connection](cursor):
            return method(cursor, *args, **kwargs)

    return framed


def _copying(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    @contextmanager
    def framed(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        if not may_write(statement):
            with method(cursor, statement, *args, **kwargs) as copy:
                yield copy
            return
        with _frames[cursor.connection](cursor), method(cursor, statement, *args, **kwargs) as copy:
            yield copy

    return framed


_WRAPPERS: dict[str, _Wrapper] = {
    "callproc": _calling,
    "copy": _copying,
    "copy_expert": _calling,
    "copy_from": _calling,
}
"""Methods of cursors that may write: of all drivers, of psycopg 3 and of psycopg 2."""
