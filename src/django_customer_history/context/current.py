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
    ContextBlock,
)
from django_customer_history.context.ip_addresses import (
    parse_address,
    stored_address,
)
from django_customer_history.context.resolved import (
    NamedUser,
    ResolvedContext,
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


class ContextProvider(Protocol):
    """Someone who knows who acts only when a write happens, such as a request."""

    def user(self) -> NamedUser | None:
        """Return who acts right now."""

    def impersonator(self) -> NamedUser | None:
        """Return who acts as that user, if it is another."""

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

    What is `UNSET` is asked of `provider` when a write happens; without one the user is nobody
    (System) and the source is "system".
    """

    user: NamedUser | Unset | None = UNSET
    impersonator: NamedUser | Unset | None = UNSET
    source: str | Unset = UNSET
    reason: str | Unset | None = UNSET
    ip_address: str | Unset | None = UNSET
    request_id: UUID | None = None
    action: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    provider: ContextProvider | None = None
    pause: Pause | None = None
    _known: dict[object, ResolvedContext] = field(default_factory=dict, compare=False, repr=False)

    def resolve(self) -> ResolvedContext:
        """Return the context with the lazy parts resolved, as it is at this moment."""
        # Without an origin there is nobody to ask: the answer is the same each time.
        asked = None if self.provider is None else self._asked()
        known = self._known.get(asked)
        if known is None:
            known = self._known[asked] = self._attribute(*(asked or self._asked()))
        return known

    def _asked(self) -> tuple[NamedUser | None, NamedUser | None, str, str | None]:
        provider, user, impersonator = self.provider, self.user, self.impersonator
        source, reason = self.source, self.reason
        if user is UNSET:
            user = None if provider is None else provider.user()
        if impersonator is UNSET:
            impersonator = None if provider is None else provider.impersonator()
        if source is UNSET:
            source = "system" if provider is None else provider.source()
        if reason is UNSET:
            reason = None if provider is None else provider.reason()
        return user, impersonator, source, reason

    def _attribute(
        self,
        user: NamedUser | None,
        impersonator: NamedUser | None,
        source: str,
        reason: str | None,
    ) -> ResolvedContext:
        ip_address, detail = self.ip_address, dict(self.extra)
        if ip_address is UNSET:
            ip_address = None if self.provider is None else self.provider.ip_address()
        if reason is not None:
            detail["reason"] = reason
        if impersonator is not None:
            detail["impersonator"] = {"id": impersonator.id, "label": impersonator.label}
        return ResolvedContext(
            user_id=None if user is None else user.id,
            user_label=None if user is None else user.label,
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
    written now would bear, `current().resolve()` tells.
    """
    return _current.get()


def acting(
    *,
    user: Any = UNSET,
    source: str | Unset = UNSET,
    ip_address: str | Unset | None = UNSET,
    request_id: UUID | str | Unset = UNSET,
    reason: str | Unset | None = UNSET,
    impersonator: Any = UNSET,
    extra: Mapping[str, Any] | None = None,
) -> ContextBlock[Context]:
    """Set the context of everything that is written in the block or in the decorated function.

    - `user`: a user of the project, a `NamedUser`, or None for System.
    - `source`: the code of a source, such as "workflow".
    - `ip_address`: text of an IPv4 or IPv6 address, or None. `IP_ADDRESS_STORAGE` decides how
      much of it is kept.
    - `request_id`: a UUID, or its text. The outermost block makes one if none is given.
    - `reason`: why; a blank text is no reason.
    - `impersonator`: the real user behind `user`.
    - `extra`: further values for the entry's `context`, which JSON can represent.

    Blocks nest: the inner value wins, other values are inherited, and the outer context is back
    when the block ends, also after an exception. The block decorates functions and coroutine
    functions.

    Raises `InvalidContextError`, when it is called, for a value that cannot be recorded, and
    `TypeError` for any other argument.
    """
    given = {
        "user": user,
        "source": source,
        "ip_address": ip_address,
        "request_id": request_id,
        "reason": reason,
        "impersonator": impersonator,
    }
    checked = {name: _CHECKS[name](value) for name, value in given.items() if value is not UNSET}
    return ContextBlock(partial(_acting, checked, _checked_extra(extra or {})))


def beginning(*, provider: ContextProvider | None = None) -> ContextBlock[Context]:
    """Let a block begin anew, as a request does: nothing is inherited but a pause."""
    return ContextBlock(partial(_beginning, provider))


def action(name: str) -> ContextBlock[Context]:
    """Let the entries written in the block be called `name`, such as "Invoice Generated".

    Their kind stays what physically happened. It goes before the names that registrations give
    by `events`, and an inner block before an outer one. It decorates functions, too.

    Raises `InvalidContextError` for a name of less than 1 or more than 100 characters.
    """
    if not name or len(name) > LONGEST_ACTION:
        raise InvalidContextError(f"An action needs a name of 1 to {LONGEST_ACTION} characters.")
    return ContextBlock(partial(_named, name))


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


def bind_context(function: AnyFunction) -> AnyFunction:
    """Return the function such that it runs in the context in force now, in whatever thread.

    A thread begins with nobody: a pool's thread outlives the request that started it::

        executor.submit(history.bind_context(work), ...)
    """
    return ContextBlock(partial(in_force, _current.get()))(function)


def as_named_user(user: Any) -> NamedUser | None:
    """Return the key and the name of a user; None for None and for anonymous users.

    A user is an instance of the project's user model, or an object of another library that has
    `is_authenticated` as users do. Raises `InvalidContextError` for anything else, and for a user
    that was never saved.
    """
    if user is None or isinstance(user, NamedUser):
        return user
    if not hasattr(user, "is_authenticated"):
        raise InvalidContextError(
            f"{user!r} is not a user. Give a user, a NamedUser, or None for System."
        )
    if not user.is_authenticated:
        return None
    key = getattr(user, "pk", None)
    if key is None and isinstance(user, models.Model):
        raise InvalidContextError(f"The user {user!r} was never saved. Save it first.")
    return NamedUser(id=None if key is None else str(key), label=name_of(user))


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


def _acting(
    checked: Mapping[str, Any], extra: Mapping[str, Any]
) -> AbstractContextManager[Context]:
    outer = _current.get()
    changed: dict[str, Any] = {"_known": {}, "request_id": outer.request_id, **checked}
    if changed["request_id"] is None:
        changed["request_id"] = time_ordered_uuid()
    if extra:
        changed["extra"] = {**outer.extra, **extra}
    return in_force(replace(outer, **changed))


def _beginning(provider: ContextProvider | None) -> AbstractContextManager[Context]:
    return in_force(
        Context(
            provider=provider,
            request_id=time_ordered_uuid(),
            pause=_current.get().pause,
        )
    )


def _named(name: str) -> AbstractContextManager[Context]:
    return in_force(replace(_current.get(), action=name, _known={}))


def _checked_ip_address(text: str | None) -> str | None:
    if text is None:
        return None
    address = parse_address(text)
    if address is None:
        raise InvalidContextError(f"{text!r} is not an IP address. Give one, or None.")
    return stored_address(address)


def _checked_reason(reason: Any) -> str | None:
    # A blank reason says nothing.
    return None if reason is None else str(reason).strip() or None


def _checked_request_id(request_id: Any) -> UUID:
    if isinstance(request_id, UUID):
        return request_id
    try:
        return UUID(request_id)
    except (TypeError, ValueError, AttributeError):
        raise InvalidContextError(
            f"request_id={request_id!r} is not a UUID. Give one, or leave it out."
        ) from None


def _checked_extra(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise InvalidContextError(
            f"extra={extra!r} is not a dict with text as keys. Give one, such as"
            ' {"ticket": "T-1043"}.'
        )
    if reserved := sorted(_RESERVED.intersection(extra)):
        raise InvalidContextError(
            f"extra has the reserved name {reserved[0]!r}. Use the argument of acting() with that"
            " name."
        )
    try:
        json.dumps(extra)
    except (TypeError, ValueError) as error:
        raise InvalidContextError(
            f"extra={extra!r} cannot be stored as JSON: {error}. Give text, numbers, lists or dicts."
        ) from None
    return dict(extra)


_RESERVED = frozenset({"reason", "impersonator"})
"""Members of an entry's `context` that have an argument of their own."""

_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "user": as_named_user,
    "source": known_source,
    "ip_address": _checked_ip_address,
    "request_id": _checked_request_id,
    "reason": _checked_reason,
    "impersonator": as_named_user,
}
"""Each argument of `acting` to the function that checks it and returns the value to keep."""
