"""Celery: entries of a task get the user, IP address and request ID of its sender."""

import functools
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from celery import Celery, Task, signals

from django_customer_history.context.propagation import (
    KEY,
    continue_context,
    pack_context,
    restore_context,
)

_BLOCK = "customer_history_block"

_packed: ContextVar[Mapping[str, Any] | None] = ContextVar("customer_history_packed", default=None)
"""The packed context of the task that is being sent."""


@functools.cache
def patch_celery() -> None:
    """Send the context with every task, and restore it where the task runs; once in a process."""
    # Celery logs errors of signal receivers and sends the task all the same. The sender must see
    # an error in its context, so the context is packed before the signal.
    send = Celery.send_task

    @functools.wraps(send)
    def send_with_context(app: Any, *args: Any, **kwargs: Any) -> Any:
        token = _packed.set(pack_context())
        try:
            return send(app, *args, **kwargs)
        finally:
            _packed.reset(token)

    Celery.send_task = send_with_context
    for signal, receiver in (
        (signals.before_task_publish, _publish),
        (signals.task_prerun, _start),
        (signals.task_postrun, _end),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=KEY)


def _publish(*, headers: MutableMapping[str, Any] | None = None, **_kwargs: Any) -> None:
    # A retry is sent by the task that it repeats, so it has the same context.
    context = _packed.get()
    if headers is not None and context is not None:
        headers[KEY] = context


def _start(*, task: Task, **_kwargs: Any) -> None:
    request = task.request
    if request.is_eager:
        block = continue_context(task=task.name)
    else:
        block = restore_context(request.get(KEY), task=task.name)
    block.__enter__()
    setattr(request, _BLOCK, block)


def _end(*, task: Task, **_kwargs: Any) -> None:
    # Celery sends this signal however the task ended, before it discards the request.
    block = task.request.__dict__.pop(_BLOCK, None)
    if block is not None:
        block.__exit__(None, None, None)
