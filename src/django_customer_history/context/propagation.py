"""The context on its way to a task: packed where it is sent, taken over where it runs."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from django_customer_history.context.blocks import Block
from django_customer_history.context.current import (
    Context,
    acting,
    carried,
    current,
    in_force,
)
from django_customer_history.context.resolved import (
    Actor,
    Attribution,
)
from django_customer_history.keys import time_ordered_uuid

KEY = "customer_history"
"""The name under which the packed context travels."""


def packed() -> dict[str, Any] | None:
    """Return the context in force as values that JSON can carry; None where nobody acts."""
    attribution = _attribution()
    if attribution == Attribution():
        return None
    return {
        "actor": [attribution.actor_id, attribution.actor_label],
        "source": attribution.source,
        "ip_address": attribution.ip_address,
        "request_id": None if attribution.request_id is None else str(attribution.request_id),
        "context": attribution.context or {},
    }


def taking_over(given: Mapping[str, Any] | None, *, task: str) -> Block[Context]:
    """Let a task begin with what its sender packed, and with nothing of what ran before it.

    Its entries have the user, the address and the request of the sender; their source is
    "task", and their context names the task and the source that it was sent from.
    """
    return Block(partial(_taking_over, given or {}, task))


def going_on(*, task: str) -> Block[Context]:
    """Let a task that runs at once, in the middle of its sender, keep the sender's context."""
    return acting(source="task", task=task, sent_from=_first_source())


def _attribution() -> Attribution:
    try:
        return current().attribution()
    except SynchronousOnlyOperation:
        # In an asynchronous view, and nobody has asked for its user so far.
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(carried(_attribution_in_thread)).result()


def _attribution_in_thread() -> Attribution:
    try:
        return current().attribution()
    finally:
        connections.close_all()


def _first_source() -> str:
    context = current()
    return str(context.extra.get("sent_from") or context.attribution().source)


def _taking_over(given: Mapping[str, Any], task: str) -> AbstractContextManager[Context]:
    extra = dict(given.get("context", {}))
    reason, impersonator = extra.pop("reason", None), extra.pop("impersonator", None)
    if given:
        extra.setdefault("sent_from", given["source"])
    return in_force(
        Context(
            actor=_actor(*given.get("actor", (None, None))),
            impersonator=None if impersonator is None else Actor(**impersonator),
            source="task",
            reason=reason,
            ip_address=given.get("ip_address"),
            request_id=UUID(given["request_id"])
            if given.get("request_id")
            else time_ordered_uuid(),
            extra={**extra, "task": task},
        )
    )


def _actor(key: str | None, label: str | None) -> Actor | None:
    return None if label is None else Actor(id=key, label=label)
