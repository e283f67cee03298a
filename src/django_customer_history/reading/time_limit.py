"""How long one request may search the log: the statements that search, together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from time import monotonic
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connections

from django_customer_history import conf
from django_customer_history.backends import backend_of
from django_customer_history.exceptions import TimeLimitError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_deadline: ContextVar[float | None] = ContextVar("customer_history_deadline", default=None)


def with_time_limit(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let all searches of one call take at most `READING_TIME_LIMIT` seconds together.

    The function raises `TimeLimitError` then. A call within another has no limit of its own.
    """

    @wraps(function)
    def limited(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        seconds = conf.reading_time_limit()
        if not seconds or _deadline.get() is not None:
            return function(*args, **kwargs)
        token = _deadline.set(monotonic() + seconds)
        try:
            return function(*args, **kwargs)
        finally:
            _deadline.reset(token)

    return limited


@contextmanager
def searching(alias: str) -> Iterator[None]:
    """Run statements that search many entries, within the time that the request has left.

    Only statements of this package belong into the block: it changes how a database runs them.
    Raises `TimeLimitError`.
    """
    deadline = _deadline.get()
    left = None if deadline is None else deadline - monotonic()
    if left is not None and left <= 0:
        raise TimeLimitError(_MESSAGE)
    connection = connections[alias]
    backend = backend_of(connection)
    try:
        with backend.searching(connection, seconds=left):
            yield
    except OperationalError as error:
        if not backend.is_time_limit_error(error):
            raise
        raise TimeLimitError(_MESSAGE) from error


_MESSAGE = "The search takes too long. Narrow the filters: give a time, a user or a record."
