"""Blocks of code: `with`, `async with`, or a decorator of plain and asynchronous functions."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar, cast

from django_customer_history.exceptions import InvalidContextError

Value = TypeVar("Value")
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


_Entered = tuple[tuple[object, AbstractContextManager[Any]], ...]

_entered: ContextVar[_Entered] = ContextVar("customer_history_blocks", default=())
"""The blocks that this thread or task is inside of, and what each of them began there."""


class ContextBlock(AbstractContextManager[Value]):
    """What is in force inside of a block, begun anew each time it is entered.

    One block may be entered by several threads and tasks at once: each ends what it began. The
    decorators of `contextlib` end before the body of a coroutine function has begun.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Value]]) -> None:
        self._begin = begin

    def __enter__(self) -> Value:
        manager = self._begin()
        value = manager.__enter__()
        _entered.set((*_entered.get(), (self, manager)))
        return value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._taken_out().__exit__(kind, error, traceback)

    async def __aenter__(self) -> Value:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self.__exit__(kind, error, traceback)

    def _taken_out(self) -> AbstractContextManager[Value]:
        """Return what this block began last, here; blocks may end in any order."""
        entered = _entered.get()
        for place in reversed(range(len(entered))):
            block, manager = entered[place]
            if block is self:
                _entered.set((*entered[:place], *entered[place + 1 :]))
                return manager
        raise InvalidContextError("A block has to end in the thread or task that it began in.")

    def __call__(self, function: AnyFunction) -> AnyFunction:
        """Decorate a function: each call is a block of its own.

        Raises `InvalidContextError` for a generator function, whose body runs bit by bit and
        outside of any block around the call.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidContextError(
                f"{function.__qualname__} is a generator: write the block inside of it, around"
                " what it writes."
            )
        if inspect.iscoroutinefunction(function):
            return cast("AnyFunction", self._asynchronous(function))

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._begin():
                return function(*args, **kwargs)

        return cast("AnyFunction", run)

    def _asynchronous(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            with self._begin():
                return await function(*args, **kwargs)

        return run
