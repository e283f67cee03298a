"""Tasks of Django: entries of a task get its name, and the user who enqueued it.

A task backend passes only the arguments of a task to its worker. So the context travels as one of
them if `PROPAGATE_CONTEXT_TO_TASKS` is set, and is removed before the task is called. It works for
`django.tasks` and for its backport `django_tasks`.
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
"""Whether a worker is about to call a task; False if other code calls it directly."""


@functools.cache
def patch_tasks() -> None:
    """Pass the context to every task, and restore it where the task runs; once in a process."""
    for package in _PACKAGES:
        if find_spec(package) is not None:
            _patch(package)


def _patch(package: str) -> None:
    # Django 5.2, with which types are checked, has no `django.tasks`.
    task_class: Any = import_module(f"{package}.base").Task
    immediate = (
        import_module(f"{package}.backends.immediate").ImmediateBackend,
        import_module(f"{package}.backends.dummy").DummyBackend,
    )
    start = functools.partial(_start, immediate=immediate)
    import_module(f"{package}.signals").task_started.connect(start, weak=False, dispatch_uid=KEY)
    task_class.enqueue = _enqueue_with_context(task_class.enqueue, immediate)
    task_class.aenqueue = _async_enqueue_with_context(task_class.aenqueue, immediate)
    task_class.call = _call_with_context(task_class.call)
    task_class.acall = _async_call_with_context(task_class.acall)


def _start(sender: Any, *, immediate: tuple[type, ...], **_kwargs: Any) -> None:
    # Some backends send the signal as an instance, others as the class.
    backend = sender if isinstance(sender, type) else type(sender)
    _is_starting.set(not issubclass(backend, immediate))


def _enqueue_with_context(
    enqueue: Callable[..., Any], immediate: tuple[type, ...]
) -> Callable[..., Any]:
    @functools.wraps(enqueue)
    def patched(task: Any, *args: Any, **kwargs: Any) -> Any:
        return enqueue(task, *args, **kwargs, **_context_argument(task, immediate))

    return patched


def _async_enqueue_with_context(
    enqueue: Callable[..., Any], immediate: tuple[type, ...]
) -> Callable[..., Any]:
    @functools.wraps(enqueue)
    async def patched(task: Any, *args: Any, **kwargs: Any) -> Any:
        return await enqueue(task, *args, **kwargs, **_context_argument(task, immediate))

    return patched


def _context_argument(task: Any, immediate: tuple[type, ...]) -> Mapping[str, Any]:
    if not conf.propagate_context_to_tasks() or isinstance(task.get_backend(), immediate):
        return {}
    context = pack_context()
    return {} if context is None else {KEY: context}


def _call_with_context(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def patched(task: Any, *args: Any, **kwargs: Any) -> Any:
        with _context_of(task, kwargs.pop(KEY, None)):
            return call(task, *args, **kwargs)

    return patched


def _async_call_with_context(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    async def patched(task: Any, *args: Any, **kwargs: Any) -> Any:
        with _context_of(task, kwargs.pop(KEY, None)):
            return await call(task, *args, **kwargs)

    return patched


def _context_of(task: Any, given: Mapping[str, Any] | None) -> ContextBlock[Context]:
    is_starting = _is_starting.get()
    _is_starting.set(False)
    if given is None and not is_starting:
        return continue_context(task=task.module_path)
    return restore_context(given, task=task.module_path)
