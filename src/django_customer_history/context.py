"""Who acts, through what and why, for a stretch of code.

One context variable holds one immutable `Context`; it is set and reset, never altered. So it
follows threads of asgiref, tasks of asyncio and nested blocks without a word from anyone.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, Protocol
from uuid import UUID

from django_customer_history.changes import Actor, Attribution
from django_customer_history.exceptions import InvalidContextError
from django_customer_history.keys import time_ordered_uuid


class Unset(Enum):
    """The type of `UNSET`: a value that was not given, as None means "nobody" or "none"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET

SOURCES: Mapping[str, str] = {
    "web": "Web",
    "api": "API",
    "admin": "Admin",
    "workflow": "Workflow",
    "integration": "Integration",
    "import": "Import",
    "command": "Command",
    "task": "Task",
    "system": "System",
}
"""The closed list of sources: code to name."""


LONGEST_ACTION = 100


class Origin(Protocol):
    """Someone who knows actor and source only when a write happens, such as a request."""

    def actor(self) -> Actor | None:
        """Return who acts right now."""

    def source(self) -> str:
        """Return the code of the source."""


@dataclass(slots=True)
class Pause:
    """A stretch of code whose changes are not logged; it counts the rows they wrote."""

    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What entries written now will bear.

    `actor` and `source` that are `UNSET` are asked of `origin` when a write happens; without
    one the actor is nobody (System) and the source is "system".
    """

    actor: Actor | Unset | None = UNSET
    source: str | Unset = UNSET
    ip_address: str | None = None
    request_id: UUID | None = None
    action: str | None = None
    reason: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    origin: Origin | None = None
    pause: Pause | None = None
    _known: dict[tuple[Actor | None, str], Attribution] = field(
        default_factory=dict, compare=False, repr=False
    )

    def attribution(self) -> Attribution:
        """Return the context with the lazy parts resolved, as it is at this moment."""
        origin = self.origin
        actor, source = self.actor, self.source
        if actor is UNSET:
            actor = None if origin is None else origin.actor()
        if source is UNSET:
            source = "system" if origin is None else origin.source()
        known = self._known.get((actor, source))
        if known is None:
            known = self._known[actor, source] = self._attribute(actor, source)
        return known

    def _attribute(self, actor: Actor | None, source: str) -> Attribution:
        detail = dict(self.extra)
        if self.reason is not None:
            detail["reason"] = self.reason
        return Attribution(
            actor_id=None if actor is None else actor.id,
            actor_label=None if actor is None else actor.label,
            source=source,
            ip_address=self.ip_address,
            request_id=self.request_id,
            action=self.action,
            detail=json.dumps(detail, sort_keys=True) if detail else None,
            paused=self.pause is not None,
        )


_NOBODY = Context()
_current: ContextVar[Context] = ContextVar("customer_history_context", default=_NOBODY)


def current() -> Context:
    """Return the context in force."""
    return _current.get()


@contextmanager
def acting(
    *,
    user: Any = UNSET,
    source: str | Unset = UNSET,
    ip: str | Unset | None = UNSET,
    reason: str | Unset | None = UNSET,
    request_id: UUID | Unset = UNSET,
    origin: Origin | None = None,
    **extra: str,
) -> Iterator[Context]:
    """Let everything written in the block (or in the decorated function) bear these values.

    Blocks nest: inner values win, what is not given is inherited, and the outer context is
    back afterwards, also after an exception. `user` is a user, an `Actor`, or None for the
    system itself. The outermost block gives its entries a `request_id` of their own.

    Raises `InvalidContextError` for an unknown source or a user that was never saved.
    """
    outer = _current.get()
    if request_id is UNSET:
        request_id = outer.request_id or time_ordered_uuid()
    given: dict[str, Any] = {"request_id": request_id, "_known": {}}
    if origin is not None:
        given |= {"origin": origin, "actor": UNSET, "source": UNSET}
    if user is not UNSET:
        given["actor"] = as_actor(user)
    if source is not UNSET:
        given["source"] = _known_source(source)
    if ip is not UNSET:
        given["ip_address"] = ip
    if reason is not UNSET:
        given["reason"] = reason
    if extra:
        given["extra"] = {**outer.extra, **extra}
    with _in_force(replace(outer, **given)) as context:
        yield context


@contextmanager
def action(name: str) -> Iterator[Context]:
    """Let the entries written in the block be called `name`, such as "Invoice Generated"."""
    if not name or len(name) > LONGEST_ACTION:
        raise InvalidContextError(f"An action needs a name of 1 to {LONGEST_ACTION} characters.")
    with _in_force(replace(_current.get(), action=name, _known={})) as context:
        yield context


@contextmanager
def pausing() -> Iterator[Pause]:
    """Let nothing that is written in the block be logged; `recording.paused` says so itself."""
    pause = Pause()
    with _in_force(replace(_current.get(), pause=pause, _known={})):
        yield pause


def as_actor(user: Any) -> Actor | None:
    """Return the actor that stands for `user`; None for nobody and for anonymous users."""
    if user is None or isinstance(user, Actor):
        return user
    if not getattr(user, "is_authenticated", True):
        return None
    if user.pk is None:
        raise InvalidContextError(f"{user!r} cannot act: it was never saved. Save it first.")
    return Actor(id=str(user.pk), label=str(user.get_username()))


@contextmanager
def _in_force(context: Context) -> Iterator[Context]:
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def _known_source(source: str) -> str:
    if source not in SOURCES:
        raise InvalidContextError(f"Unknown source {source!r}. Give one of: {', '.join(SOURCES)}.")
    return source
