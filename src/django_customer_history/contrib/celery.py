"""Celery: the entries of a task bear the user, address and request of whoever sent it."""

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
"""The context of the task that is being sent."""


@functools.cache
def follow_tasks() -> None:
    """Let every task that is sent carry the context, and every task that runs take it over."""
    # Celery logs what a receiver of its signals raises and sends the task as if nothing were
    # wrong. What is wrong with a context is to be told to whoever sends; so it is packed before.
    send = Celery.send_task

    @functools.wraps(send)
    def framed(app: Any, *args: Any, **kwargs: Any) -> Any:
        token = _packed.set(pack_context())
        try:
            return send(app, *args, **kwargs)
        finally:
            _packed.reset(token)

    Celery.send_task = framed
    for signal, receiver in (
        (signals.before_task_publish, _sent),
        (signals.task_prerun, _began),
        (signals.task_postrun, _ended),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=KEY)


def _sent(*, headers: MutableMapping[str, Any] | None = None, **_kwargs: Any) -> None:
    # A retry, too, is sent from the task that it repeats, so from the same context.
    context = _packed.get()
    if headers is not None and context is not None:
        headers[KEY] = context


def _began(*, task: Task, **_kwargs: Any) -> None:
    request = task.request
    if request.is_eager:
        block = continue_context(task=task.name)
    else:
        block = restore_context(request.get(KEY), task=task.name)
    block.__enter__()
    setattr(request, _BLOCK, block)


def _ended(*, task: Task, **_kwargs: Any) -> None:
    # Sent however the task ended, before its request is forgotten.
    block = task.request.__dict__.pop(_BLOCK, None)
    if block is not None:
        block.__exit__(None, None, None)
