"""Celery: the entries of a task bear the user, address and request of whoever sent it."""

from collections.abc import MutableMapping
from typing import Any

from celery import Task, signals

from django_customer_history.handover import KEY, going_on, packed, taking_over

_BLOCK = "customer_history_block"


def follow_tasks() -> None:
    """Let every task that is sent carry the context, and every task that runs take it over."""
    for signal, receiver in (
        (signals.before_task_publish, _sent),
        (signals.task_prerun, _began),
        (signals.task_postrun, _ended),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=KEY)


def _sent(*, headers: MutableMapping[str, Any] | None = None, **_kwargs: Any) -> None:
    # A retry, too, is sent from the task that it repeats, so from the same context.
    context = packed()
    if headers is not None and context is not None:
        headers[KEY] = context


def _began(*, task: Task, **_kwargs: Any) -> None:
    request = task.request
    if request.is_eager:
        block = going_on(task=task.name)
    else:
        block = taking_over(request.get(KEY), task=task.name)
    block.__enter__()
    setattr(request, _BLOCK, block)


def _ended(*, task: Task, **_kwargs: Any) -> None:
    # Sent however the task ended, before its request is forgotten.
    block = task.request.__dict__.pop(_BLOCK, None)
    if block is not None:
        block.__exit__(None, None, None)
