"""Calls and copies: what a cursor of the driver runs past Django's `execute_wrappers`.

Drivers let their connections make cursors of another class; so the class follows them.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from django_customer_history.capture.statements import may_write

Frame = Callable[[Any], AbstractContextManager[None]]
"""What a call of a cursor is to run in."""

_CLASS_OF_CURSORS = ("cursor_factory", "cursorclass")
"""Where psycopg, and where the drivers of MariaDB and MySQL, keep it on a connection."""

_frames: WeakKeyDictionary[Any, Frame] = WeakKeyDictionary()


def follow_calls(connection: Any, frame: Frame) -> None:
    """Let what a driver's connection calls and copies run inside of `frame`."""
    _frames[connection] = frame
    for name in _CLASS_OF_CURSORS:
        if (cursor_class := getattr(connection, name, None)) is not None:
            setattr(connection, name, _following(cursor_class))


class _Following:
    """A cursor whose calls are followed."""


@functools.cache
def _following(cursor_class: type) -> type:
    if issubclass(cursor_class, _Following):
        return cursor_class
    methods = {
        name: framed(getattr(cursor_class, name))
        for name, framed in _FRAMED.items()
        if hasattr(cursor_class, name)
    }
    return type(cursor_class.__name__, (_Following, cursor_class), methods)


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


_FRAMED: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "callproc": _calling,
    "copy": _copying,
    "copy_expert": _calling,
    "copy_from": _calling,
}
"""Methods of cursors that may write: those of all drivers, of psycopg 3 and of psycopg 2."""
