"""Who acts, through what and why, for a stretch of code.

One context variable holds one immutable `Context`; it is set and reset, never altered. So it
follows threads of asgiref, tasks of asyncio and nested blocks without a word from anyone.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

from django.db import models

from django_customer_history import conf
from django_customer_history.context.blocks import (
    AnyFunction,
    Block,
)
from django_customer_history.context.ip_addresses import (
    as_kept,
    parsed,
)
from django_customer_history.context.resolved import (
    Actor,
    Attribution,
)
from django_customer_history.exceptions import InvalidContextError
from django_customer_history.keys import time_ordered_uuid


class Unset(Enum):
    """The type of `UNSET`: a value that was not given, as None means "nobody" or "none"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class _Sources(Mapping[str, str]):
    """The sources of the package and those of the settings, as they are at each access."""

    def __getitem__(self, code: str) -> str:
        return str(conf.sources()[code])

    def __iter__(self) -> Iterator[str]:
        return iter(conf.sources())

    def __len__(self) -> int:
        return len(conf.sources())


SOURCES: Mapping[str, str] = _Sources()
"""The closed list of sources: code to name, in the language of whoever reads it."""


LONGEST_ACTION = 100


class Origin(Protocol):
    """Someone who knows who acts only when a write happens, such as a request."""

    def actor(self) -> Actor | None:
        """Return who acts right now."""

    def impersonator(self) -> Actor | None:
        """Return who acts as that actor, if it is another."""

    def source(self) -> str:
        """Return the code of the source."""

    def reason(self) -> str | None:
        """Return why it is done, where that was said."""

    def ip_address(self) -> str | None:
        """Return from where, as much of it as the log keeps."""


@dataclass(slots=True)
class Pause:
    """A stretch of code whose changes are not logged; it counts the rows they wrote."""

    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What entries written now will bear.

    What is `UNSET` is asked of `origin` when a write happens; without one the actor is nobody
    (System) and the source is "system".
    """

    actor: Actor | Unset | None = UNSET
    impersonator: Actor | Unset | None = UNSET
    source: str | Unset = UNSET
    reason: str | Unset | None = UNSET
    ip_address: str | Unset | None = UNSET
    request_id: UUID | None = None
    action: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None
    pause: Pause | None = None
    _known: dict[object, Attribution] = field(default_factory=dict, compare=False, repr=False)

    def attribution(self) -> Attribution:
        """Return the context with the lazy parts resolved, as it is at this moment."""
        # Without an origin there is nobody to ask: the answer is the same each time.
        asked = None if self.origin is None else self._asked()
        known = self._known.get(asked)
        if known is None:
            known = self._known[asked] = self._attribute(*(asked or self._asked()))
        return known

    def _asked(self) -> tuple[Actor | None, Actor | None, str, str | None]:
        origin, actor, impersonator = self.origin, self.actor, self.impersonator
        source, reason = self.source, self.reason
        if actor is UNSET:
            actor = None if origin is None else origin.actor()
        if impersonator is UNSET:
            impersonator = None if origin is None else origin.impersonator()
        if source is UNSET:
            source = "system" if origin is None else origin.source()
        if reason is UNSET:
            reason = None if origin is None else origin.reason()
        return actor, impersonator, source, reason

    def _attribute(
        self, actor: Actor | None, impersonator: Actor | None, source: str, reason: str | None
    ) -> Attribution:
        ip_address, detail = self.ip_address, dict(self.extra)
        if ip_address is UNSET:
            ip_address = None if self.origin is None else self.origin.ip_address()
        if reason is not None:
            detail["reason"] = reason
        if impersonator is not None:
            detail["impersonator"] = {"id": impersonator.id, "label": impersonator.label}
        return Attribution(
            actor_id=None if actor is None else actor.id,
            actor_label=None if actor is None else actor.label,
            source=source,
            ip_address=ip_address,
            request_id=self.request_id,
            action=self.action,
            detail=json.dumps(detail, sort_keys=True) if detail else None,
            paused=self.pause is not None,
        )


_NOBODY = Context()
_current: ContextVar[Context] = ContextVar("customer_history_context", default=_NOBODY)


def current() -> Context:
    """Return the context in force, which never changes: blocks put others in its place.

    Outside of any block and request nobody acts, and the source is "system". What an entry
    written now would bear, `current().attribution()` tells.
    """
    return _current.get()


def acting(
    *,
    user: Any = UNSET,
    impersonator: Any = UNSET,
    source: str | Unset = UNSET,
    ip: str | Unset | None = UNSET,
    reason: str | Unset | None = UNSET,
    request_id: UUID | Unset = UNSET,
    **extra: Any,
) -> Block[Context]:
    """Let everything written in the block (or in the decorated function) bear these values.

    Blocks nest: inner values win, what is not given is inherited, and the outer context is
    back afterwards, also after an exception. `user` is a user, an `Actor`, or None for the
    system itself; `impersonator` is who really sits there while acting as `user`. What else is
    given goes into the entry's `context`. The outermost block gives its entries a
    `request_id` of their own. It decorates plain and asynchronous functions alike.

    Raises, when the block begins, `InvalidContextError` for an unknown source, a text that is
    no address, or a user that was never saved.
    """
    given = {
        "user": user,
        "impersonator": impersonator,
        "source": source,
        "ip": ip,
        "reason": reason,
        "request_id": request_id,
    }
    return Block(partial(_acting, given, extra))


def beginning(*, origin: Origin | None = None) -> Block[Context]:
    """Let a block begin anew, as a request does: nothing is inherited but a pause."""
    return Block(partial(_beginning, origin))


def action(name: str) -> Block[Context]:
    """Let the entries written in the block be called `name`, such as "Invoice Generated".

    Their kind stays what physically happened. It goes before the names that registrations give
    by `events`, and an inner block before an outer one. It decorates functions, too.

    Raises `InvalidContextError` for a name of less than 1 or more than 100 characters.
    """
    if not name or len(name) > LONGEST_ACTION:
        raise InvalidContextError(f"An action needs a name of 1 to {LONGEST_ACTION} characters.")
    return Block(partial(_named, name))


@contextmanager
def pausing() -> Iterator[Pause]:
    """Let nothing that is written in the block be logged; `recording.paused` says so itself."""
    pause = Pause()
    with in_force(replace(_current.get(), pause=pause, _known={})):
        yield pause


@contextmanager
def in_force(context: Context) -> Iterator[Context]:
    """Put a context in force for a block, such as one that was in force before."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def carried(function: AnyFunction) -> AnyFunction:
    """Return the function such that it runs in the context in force now, in whatever thread.

    A thread begins with nobody: a pool's thread outlives the request that started it::

        executor.submit(history.carried(work), ...)
    """
    return Block(partial(in_force, _current.get()))(function)


def as_actor(user: Any) -> Actor | None:
    """Return the actor that stands for `user`; None for nobody and for anonymous users."""
    if user is None or isinstance(user, Actor):
        return user
    if not getattr(user, "is_authenticated", True):
        return None
    key = getattr(user, "pk", None)
    if key is None and isinstance(user, models.Model):
        raise InvalidContextError(f"{user!r} cannot act: it was never saved. Save it first.")
    return Actor(id=None if key is None else str(key), label=name_of(user))


def name_of(user: Any) -> str:
    """Return what a user is called: its user name, or for other objects their text."""
    username = getattr(user, "get_username", None)
    return str(user if username is None else username())


def known_source(source: str) -> str:
    """Return the code of a source, or raise `InvalidContextError` for an unknown one."""
    if source not in conf.sources():
        raise InvalidContextError(
            f"Unknown source {source!r}. Give one of: {', '.join(SOURCES)}; or add it to"
            f' {conf.SETTING}["SOURCES"].'
        )
    return source


def _acting(given: Mapping[str, Any], extra: Mapping[str, Any]) -> AbstractContextManager[Context]:
    outer = _current.get()
    changed: dict[str, Any] = {"_known": {}, "request_id": outer.request_id}
    for name, value in given.items():
        if value is not UNSET:
            column, checked = _CHECKED[name]
            changed[column] = checked(value)
    if changed["request_id"] is None:
        changed["request_id"] = time_ordered_uuid()
    if extra:
        changed["extra"] = {**outer.extra, **extra}
    return in_force(replace(outer, **changed))


def _beginning(origin: Origin | None) -> AbstractContextManager[Context]:
    return in_force(
        Context(
            origin=origin,
            request_id=time_ordered_uuid(),
            pause=_current.get().pause,
        )
    )


def _named(name: str) -> AbstractContextManager[Context]:
    return in_force(replace(_current.get(), action=name, _known={}))


def _kept_address(ip: str | None) -> str | None:
    if ip is None:
        return None
    address = parsed(ip)
    if address is None:
        raise InvalidContextError(f"{ip!r} is no IP address. Give one, or None.")
    return as_kept(address)


def _reason(reason: Any) -> str | None:
    # A blank one says nothing: it is none.
    return None if reason is None else str(reason).strip() or None


def _as_given(value: Any) -> Any:
    return value


_CHECKED: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "user": ("actor", as_actor),
    "impersonator": ("impersonator", as_actor),
    "source": ("source", known_source),
    "ip": ("ip_address", _kept_address),
    "reason": ("reason", _reason),
    "request_id": ("request_id", _as_given),
}
"""Each value that `acting` takes: where it goes, and what becomes of it."""
