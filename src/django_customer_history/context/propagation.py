"""Propagation of the context to tasks: packed by the sender, restored by the worker."""

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
    use_context,
)
from django_customer_history.context.resolved import (
    NamedUser,
    ResolvedContext,
)
from django_customer_history.keys import time_ordered_uuid

KEY = "customer_history"
"""The name of the header or argument with the packed context."""


def pack_context() -> dict[str, Any] | None:
    """Return the context in force as values for JSON; None if no context is set."""
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
    """Run a task in the context that its sender packed, and in no other.

    Its entries have the sender's user, IP address and request ID. Their source is "task", and
    their context names the task and the source of the sender (`sent_from`).
    """
    return ContextBlock(partial(_restored, given or {}, task))


def continue_context(*, task: str) -> ContextBlock[Context]:
    """Run a task that is called directly by its sender in the sender's context."""
    return acting(source="task", extra={"task": task, "sent_from": _first_source()})


def _resolve() -> ResolvedContext:
    try:
        return current().resolve()
    except SynchronousOnlyOperation:
        # An asynchronous view whose user was not loaded yet: load it in another thread.
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
    return use_context(
        Context(
            user=_named_user(*given.get("user", (None, None))),
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


def _named_user(key: str | None, label: str | None) -> NamedUser | None:
    return None if label is None else NamedUser(id=key, label=label)
