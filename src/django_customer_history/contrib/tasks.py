"""Tasks of Django: their entries name the task, and bear who enqueued it.

A backend takes nothing along to its worker but a task's arguments. So the context travels as
one of them, where `PROPAGATE_CONTEXT_TO_TASKS` allows it, and is taken out before the task is called.
Works for `django.tasks` and for its backport `django_tasks`.
"""

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django_customer_history import conf
from django_customer_history.context.blocks import ContextBlock
from django_customer_history.context.current import Context
from django_customer_history.context.propagation import (
    KEY,
    continue_context,
    pack_context,
    restore_context,
)

_PACKAGES = ("django.tasks", "django_tasks")

_is_starting: ContextVar[bool] = ContextVar("customer_history_task_is_starting", default=False)
"""Whether a worker is about to call a task, and not somebody to whom its context belongs."""


@functools.cache
def follow_tasks() -> None:
    """Let every task take its context along and over; once in a process."""
    for package in _PACKAGES:
        if find_spec(package) is not None:
            _follow(package)


def _follow(package: str) -> None:
    # No type checker of Django 5.2 knows `django.tasks`.
    task_class: Any = import_module(f"{package}.base").Task
    at_once = (
        import_module(f"{package}.backends.immediate").ImmediateBackend,
        import_module(f"{package}.backends.dummy").DummyBackend,
    )
    starts = functools.partial(_starts, at_once=at_once)
    import_module(f"{package}.signals").task_started.connect(starts, weak=False, dispatch_uid=KEY)
    task_class.enqueue = _enqueuing(task_class.enqueue, at_once)
    task_class.aenqueue = _enqueuing_async(task_class.aenqueue, at_once)
    task_class.call = _calling(task_class.call)
    task_class.acall = _calling_async(task_class.acall)


def _starts(sender: Any, *, at_once: tuple[type, ...], **_kwargs: Any) -> None:
    # Some backends send themselves, others their class.
    backend = sender if isinstance(sender, type) else type(sender)
    _is_starting.set(not issubclass(backend, at_once))


def _enqueuing(enqueue: Callable[..., Any], at_once: tuple[type, ...]) -> Callable[..., Any]:
    @functools.wraps(enqueue)
    def framed(task: Any, *args: Any, **kwargs: Any) -> Any:
        return enqueue(task, *args, **kwargs, **_carried_to(task, at_once))

    return framed


def _enqueuing_async(enqueue: Callable[..., Any], at_once: tuple[type, ...]) -> Callable[..., Any]:
    @functools.wraps(enqueue)
    async def framed(task: Any, *args: Any, **kwargs: Any) -> Any:
        return await enqueue(task, *args, **kwargs, **_carried_to(task, at_once))

    return framed


def _carried_to(task: Any, at_once: tuple[type, ...]) -> Mapping[str, Any]:
    if not conf.propagate_context_to_tasks() or isinstance(task.get_backend(), at_once):
        return {}
    context = pack_context()
    return {} if context is None else {KEY: context}


def _calling(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def framed(task: Any, *args: Any, **kwargs: Any) -> Any:
        with _context_of(task, kwargs.pop(KEY, None)):
            return call(task, *args, **kwargs)

    return framed


def _calling_async(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    async def framed(task: Any, *args: Any, **kwargs: Any) -> Any:
        with _context_of(task, kwargs.pop(KEY, None)):
            return await call(task, *args, **kwargs)

    return framed


def _context_of(task: Any, given: Mapping[str, Any] | None) -> ContextBlock[Context]:
    is_starting = _is_starting.get()
    _is_starting.set(False)
    if given is None and not is_starting:
        return continue_context(task=task.module_path)
    return restore_context(given, task=task.module_path)
