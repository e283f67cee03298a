"""The context on its way to a task: packed where it is sent, taken over where it runs."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from django_customer_history.context.blocks import ContextBlock
from django_customer_history.context.current import (
    Context,
    acting,
    bind_context,
    current,
    in_force,
)
from django_customer_history.context.resolved import (
    NamedUser,
    ResolvedContext,
)
from django_customer_history.keys import time_ordered_uuid

KEY = "customer_history"
"""The name under which the packed context travels."""


def pack_context() -> dict[str, Any] | None:
    """Return the context in force as values that JSON can carry; None where nobody acts."""
    resolved = _resolve()
    if resolved == ResolvedContext():
        return None
    return {
        "user": [resolved.user_id, resolved.user_label],
        "source": resolved.source,
        "ip_address": resolved.ip_address,
        "request_id": None if resolved.request_id is None else str(resolved.request_id),
        "context": resolved.context or {},
    }


def restore_context(given: Mapping[str, Any] | None, *, task: str) -> ContextBlock[Context]:
    """Let a task begin with what its sender packed, and with nothing of what ran before it.

    Its entries have the user, the address and the request of the sender; their source is
    "task", and their context names the task and the source that it was sent from.
    """
    return ContextBlock(partial(_restored, given or {}, task))


def continue_context(*, task: str) -> ContextBlock[Context]:
    """Let a task that runs at once, in the middle of its sender, keep the sender's context."""
    return acting(source="task", extra={"task": task, "sent_from": _first_source()})


def _resolve() -> ResolvedContext:
    try:
        return current().resolve()
    except SynchronousOnlyOperation:
        # In an asynchronous view, and nobody has asked for its user so far.
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(bind_context(_resolve_in_thread)).result()


def _resolve_in_thread() -> ResolvedContext:
    try:
        return current().resolve()
    finally:
        connections.close_all()


def _first_source() -> str:
    context = current()
    return str(context.extra.get("sent_from") or context.resolve().source)


def _restored(given: Mapping[str, Any], task: str) -> AbstractContextManager[Context]:
    extra = dict(given.get("context", {}))
    reason, impersonator = extra.pop("reason", None), extra.pop("impersonator", None)
    if given:
        extra.setdefault("sent_from", given["source"])
    return in_force(
        Context(
            user=_user_value(*given.get("user", (None, None))),
            impersonator=None if impersonator is None else NamedUser(**impersonator),
            source="task",
            reason=reason,
            ip_address=given.get("ip_address"),
            request_id=UUID(given["request_id"])
            if given.get("request_id")
            else time_ordered_uuid(),
            extra={**extra, "task": task},
        )
    )


def _user_value(key: str | None, label: str | None) -> NamedUser | None:
    return None if label is None else NamedUser(id=key, label=label)
