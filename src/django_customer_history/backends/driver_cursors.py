"""What a cursor of the driver runs past Django's `execute_wrappers`: calls, copies, statements.

Drivers let their connections make cursors of another class; so the class follows them.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from django_customer_history.backends.statements import may_write

Frame = Callable[[Any], AbstractContextManager[None]]
"""What a call of a cursor is to run in."""

_CLASS_OF_CURSORS = ("cursor_factory", "cursorclass")
"""Where psycopg, and where the drivers of MariaDB and MySQL, keep it on a connection."""

Framing = Callable[[Callable[..., Any]], Callable[..., Any]]
"""What makes of a cursor's method one that is followed."""

Telling = Callable[[Any], None]
"""What is to be told of each statement before a cursor runs it."""

_frames: WeakKeyDictionary[Any, Frame] = WeakKeyDictionary()
_told: WeakKeyDictionary[Any, Telling] = WeakKeyDictionary()


def patch_driver_cursors(connection: Any, frame: Frame, *, before: Telling | None = None) -> None:
    """Let what a driver's connection calls and copies run inside of `frame`.

    `before` is told of everything else that its cursors run, be it through Django or not.
    """
    _frames[connection] = frame
    if before is not None:
        _told[connection] = before
    framed = _FRAMED if before is None else {**_FRAMED, "execute": _executing}
    for name in _CLASS_OF_CURSORS:
        if (cursor_class := getattr(connection, name, None)) is not None:
            setattr(connection, name, _following(cursor_class, tuple(framed.items())))


class _Following:
    """A cursor whose calls are followed."""


@functools.cache
def _following(cursor_class: type, framed: tuple[tuple[str, Framing], ...]) -> type:
    if issubclass(cursor_class, _Following):
        return cursor_class
    methods = {
        name: framing(getattr(cursor_class, name))
        for name, framing in framed
        if hasattr(cursor_class, name)
    }
    return type(cursor_class.__name__, (_Following, cursor_class), methods)


def _executing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def framed(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
        _told[cursor.connection](statement)
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


_FRAMED: dict[str, Framing] = {
    "callproc": _calling,
    "copy": _copying,
    "copy_expert": _calling,
    "copy_from": _calling,
}
"""Methods of cursors that may write: those of all drivers, of psycopg 3 and of psycopg 2."""
