"""Blocks: `with`, `async with`, or a decorator of functions and coroutine functions."""

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
"""The blocks that this thread or task is in, with the context manager that each one opened."""


class ContextBlock(AbstractContextManager[Value]):
    """A context manager that opens a new one from a factory each time it is entered.

    Several threads and tasks can be in one block at once; each closes what it opened. Decorators
    of `contextlib` would not do: they end before the body of a coroutine function starts.
    """

    def __init__(self, factory: Callable[[], AbstractContextManager[Value]]) -> None:
        self._factory = factory

    def __enter__(self) -> Value:
        manager = self._factory()
        value = manager.__enter__()
        _entered.set((*_entered.get(), (self, manager)))
        return value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._pop().__exit__(kind, error, traceback)

    async def __aenter__(self) -> Value:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self.__exit__(kind, error, traceback)

    def _pop(self) -> AbstractContextManager[Value]:
        """Return what this block opened last in this thread or task; blocks end in any order."""
        entered = _entered.get()
        for place in reversed(range(len(entered))):
            block, manager = entered[place]
            if block is self:
                _entered.set((*entered[:place], *entered[place + 1 :]))
                return manager
        raise InvalidContextError("A block must end in the thread or task in which it began.")

    def __call__(self, function: AnyFunction) -> AnyFunction:
        """Decorate a function: each call is a block of its own.

        Raises `InvalidContextError` for a generator function: its body runs step by step, after
        the call has returned.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidContextError(
                f"{function.__qualname__} is a generator function, which a block cannot decorate."
                " Use a with statement inside it."
            )
        if inspect.iscoroutinefunction(function):
            return cast("AnyFunction", self._asynchronous(function))

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._factory():
                return function(*args, **kwargs)

        return cast("AnyFunction", run)

    def _asynchronous(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            with self._factory():
                return await function(*args, **kwargs)

        return run
