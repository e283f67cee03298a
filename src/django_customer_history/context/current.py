"""The context in force: who acts, from where and why.

One context variable holds one immutable `Context`. It is set and reset, never changed, so it
follows nested blocks, asyncio tasks and the threads of asgiref by itself.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from django_customer_history import conf
from django_customer_history.context.arguments import checked_action, checked_context
from django_customer_history.context.blocks import (
    AnyFunction,
    ContextBlock,
)
from django_customer_history.context.resolved import (
    NamedUser,
    ResolvedContext,
)
from django_customer_history.keys import time_ordered_uuid


class Unset(Enum):
    """The type of `UNSET`: a value that was not given. None is a value: "nobody" or "none"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class _Sources(Mapping[str, str]):
    """The sources of the package and of the settings, read at each access."""

    def __getitem__(self, code: str) -> str:
        return str(conf.sources()[code])

    def __iter__(self) -> Iterator[str]:
        return iter(conf.sources())

    def __len__(self) -> int:
        return len(conf.sources())


SOURCES: Mapping[str, str] = _Sources()
"""All sources: code to name, in the language of the reader."""


class ContextProvider(Protocol):
    """Knows the values of a context only when a write happens, such as a request."""

    def user(self) -> NamedUser | None:
        """Return the user at this moment; None for System."""

    def impersonator(self) -> NamedUser | None:
        """Return the real user behind an impersonated one, or None."""

    def source(self) -> str:
        """Return the code of the source."""

    def reason(self) -> str | None:
        """Return the reason, or None."""

    def ip_address(self) -> str | None:
        """Return the IP address as the log keeps it, or None."""


@dataclass(slots=True)
class Pause:
    """A block whose changes are not logged; `rows` counts the rows that it wrote."""

    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The values that entries get in a block: user, source, reason and so on.

    A value that is `UNSET` comes from `provider` when a write happens. Without a provider the
    user is None (System) and the source is "system".
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
    is_process: bool = False
    """Whether it is that of a whole command: a block in it has a request ID of its own."""
    pause: Pause | None = None
    _cache: dict[object, ResolvedContext] = field(default_factory=dict, compare=False, repr=False)
    """Resolved contexts by their lazy values."""

    def resolve(self) -> ResolvedContext:
        """Return the context with its lazy values resolved at this moment."""
        # Without a provider the values are the same each time.
        lazy = None if self.provider is None else self._lazy_values()
        resolved = self._cache.get(lazy)
        if resolved is None:
            resolved = self._cache[lazy] = self._resolved(*(lazy or self._lazy_values()))
        return resolved

    def _lazy_values(self) -> tuple[NamedUser | None, NamedUser | None, str, str | None]:
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

    def _resolved(
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


_EMPTY = Context()


class RequestContext:
    """The context of a request before anything asks for it: most requests write nothing."""

    __slots__ = ("_made", "_pause", "_provider")

    def __init__(self, provider: ContextProvider | None) -> None:
        self._provider = provider
        self._pause = current().pause
        self._made: dict[None, Context] = {}

    def get(self) -> Context:
        """Return the context, which is the same in all threads of the request."""
        found = self._made.get(None)
        if found is None:
            made = Context(
                provider=self._provider, request_id=time_ordered_uuid(), pause=self._pause
            )
            found = self._made.setdefault(None, made)
        return found


_current: ContextVar[Context | RequestContext] = ContextVar(
    "customer_history_context", default=_EMPTY
)


def current() -> Context:
    """Return the context in force. It never changes; a block puts another one in its place.

    Outside of blocks and requests the user is None (System) and the source is "system".
    `current().resolve()` returns the values that an entry written now gets.
    """
    found = _current.get()
    return found.get() if isinstance(found, RequestContext) else found


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
    """Set the context of all entries written in the block or in the decorated function.

    - `user`: a user of the project, a `NamedUser`, or None for System.
    - `source`: the code of a source, such as "workflow".
    - `ip_address`: text of an IPv4 or IPv6 address, or None. `IP_ADDRESS_STORAGE` decides how
      much of it is kept.
    - `request_id`: a UUID, or its text. The outermost block makes one if none is given.
    - `reason`: text that says why, of at most 2,000 characters. Blank text counts as None.
    - `impersonator`: the real user behind `user`.
    - `extra`: further values for the entry's `context`, which JSON can represent in at most
      10,000 characters.

    Blocks nest: the inner value wins, and the other values are inherited. When a block ends, also
    by an exception, the outer context is in force again. A block can be a `with` or `async with`
    statement, or the decorator of a function or coroutine function.

    Raises `InvalidContextError` at the call for a value that cannot be recorded, and `TypeError`
    for an unknown argument.
    """
    arguments = {
        "user": user,
        "source": source,
        "ip_address": ip_address,
        "request_id": request_id,
        "reason": reason,
        "impersonator": impersonator,
        "extra": UNSET if extra is None else extra,
    }
    given = {name: value for name, value in arguments.items() if value is not UNSET}
    return ContextBlock(partial(_acting, checked_context(given)))


def new_context(*, provider: ContextProvider | None = None) -> ContextBlock[Context]:
    """Start a block with a new context, as a request does. It inherits only a pause."""
    return ContextBlock(partial(_new_context, provider))


def action(name: str) -> ContextBlock[Context]:
    """Name the action of all entries written in the block, such as "Invoice Generated".

    Their kind stays what physically happened. The name wins over names from `events` in
    registrations, and an inner block wins over an outer one. The block can also decorate a
    function or coroutine function.

    Raises `InvalidContextError` at the call for blank text or more than 100 characters.
    """
    return ContextBlock(partial(_named, checked_action(name)))


@contextmanager
def pausing() -> Iterator[Pause]:
    """Log nothing in the block. `history.paused` also writes entries about the pause itself."""
    pause = Pause()
    with use_context(replace(current(), pause=pause, _cache={})):
        yield pause


_AnyContext = TypeVar("_AnyContext", bound=Context | RequestContext)


class use_context(AbstractContextManager[_AnyContext]):  # noqa: N801 - it reads as a function
    """Put an existing context in force for a block. Each request does it, so it has to be fast."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: _AnyContext) -> None:
        self._context = context

    def __enter__(self) -> _AnyContext:
        self._token = _current.set(self._context)
        return self._context

    def __exit__(self, *_error: object) -> None:
        _current.reset(self._token)


def process_context(
    *, user: NamedUser | None, source: str, extra: Mapping[str, Any], has_request_id: bool
) -> AbstractContextManager[Context]:
    """Put the context of a whole command in force; a block in it has its own request ID.

    Without `has_request_id`, what is written outside of blocks has none, as in a shell, where
    one statement has nothing to do with the next.
    """
    outer = current()
    is_in_block = outer.request_id is not None and not outer.is_process
    request_id = outer.request_id
    if not is_in_block:
        request_id = time_ordered_uuid() if has_request_id else None
    return use_context(
        replace(
            outer,
            user=user,
            source=source,
            extra={**outer.extra, **extra},
            request_id=request_id,
            is_process=not is_in_block,
            _cache={},
        )
    )


def bind_context(function: AnyFunction) -> AnyFunction:
    """Return the function bound to the context in force now; it can run in another thread.

    A thread starts without a context, because a thread of a pool outlives a request::

        executor.submit(history.bind_context(work), ...)
    """
    return ContextBlock(partial(use_context, current()))(function)


def _acting(given: Mapping[str, Any]) -> AbstractContextManager[Context]:
    outer = current()
    inherited = None if outer.is_process else outer.request_id
    changed: dict[str, Any] = {"request_id": inherited, **given}
    changed |= {"is_process": False, "_cache": {}}
    if changed["request_id"] is None:
        changed["request_id"] = time_ordered_uuid()
    if "extra" in given:
        changed["extra"] = {**outer.extra, **given["extra"]}
    return use_context(replace(outer, **changed))


def _new_context(provider: ContextProvider | None) -> AbstractContextManager[Context]:
    return use_context(RequestContext(provider).get())


def _named(name: str) -> AbstractContextManager[Context]:
    return use_context(replace(current(), action=name, _cache={}))
