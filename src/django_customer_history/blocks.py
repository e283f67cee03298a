"""Blocks of code: `with`, `async with`, or a decorator of plain and asynchronous functions."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar, cast

from django_customer_history.exceptions import InvalidContextError

Value = TypeVar("Value")
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


class Block(AbstractContextManager[Value]):
    """What is in force inside of a block, begun anew each time it is entered.

    The decorators of `contextlib` end before the body of a coroutine function has begun.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Value]]) -> None:
        self._begin = begin
        self._begun: list[AbstractContextManager[Value]] = []

    def __enter__(self) -> Value:
        manager = self._begin()
        value = manager.__enter__()
        self._begun.append(manager)
        return value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._begun.pop().__exit__(kind, error, traceback)

    async def __aenter__(self) -> Value:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self.__exit__(kind, error, traceback)

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
