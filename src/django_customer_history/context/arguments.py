"""The values that `acting`, `action` and `record` accept: each is checked at the call.

Without these checks a wrong value would fail only in the next write, or be recorded as it is.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.functional import Promise

from django_customer_history import conf
from django_customer_history.context.ip_addresses import (
    parse_address,
    stored_address,
)
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import InvalidContextError, did_you_mean
from django_customer_history.labels import LONGEST_ACTION

LONGEST_REASON = 2_000
"""In characters. Each entry of a block has a copy of the reason."""
LONGEST_EXTRA = 10_000
"""In characters of JSON. Each entry of a block has a copy of it."""
RESERVED_NAMES = frozenset({"reason", "impersonator"})
"""Members of an entry's `context` that have an argument of their own."""


def as_named_user(user: Any) -> NamedUser | None:
    """Return the key and the name of a user; None for None and for anonymous users.

    A user is an instance of the project's user model, or an object of another library that has
    `is_authenticated` as users do. Raises `InvalidContextError` for anything else, and for a
    user that is not saved.
    """
    if user is None or isinstance(user, NamedUser):
        return _checked_named_user(user)
    if not hasattr(user, "is_authenticated") or isinstance(user, type):
        raise InvalidContextError(
            f"{user!r} is not a user. Give a user, a NamedUser, or None for System."
        )
    if not user.is_authenticated:
        return None
    key = getattr(user, "pk", None)
    if key is None and isinstance(user, models.Model):
        raise InvalidContextError(f"User {user!r} is not saved, so it has no key. Save it first.")
    return NamedUser(id=None if key is None else str(key), label=user_label(user))


def is_user(candidate: Any) -> bool:
    """Return whether an object is a user who is authenticated, or a `NamedUser`."""
    if isinstance(candidate, NamedUser):
        return True
    return not isinstance(candidate, type) and bool(getattr(candidate, "is_authenticated", False))


def user_label(user: Any) -> str:
    """Return the user name of a user; for an object without one, its text."""
    username = getattr(user, "get_username", None)
    return str(user if username is None else username())


def checked_source(source: Any) -> str:
    """Return the code of a source. Raises `InvalidContextError` for an unknown one."""
    if not isinstance(source, str) or source not in conf.sources():
        raise InvalidContextError(
            f"Source {source!r} does not exist.{did_you_mean(str(source), conf.sources())}"
            f" The sources are: {', '.join(conf.sources())}. Add your own to"
            f' {conf.SETTING}["SOURCES"].'
        )
    return source


def checked_action(name: Any) -> str:
    """Return the name of an action. Raises `InvalidContextError` unless it fits into the log."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_ACTION:
        raise InvalidContextError(
            f"Action {name!r} is not valid. Give text of 1 to {LONGEST_ACTION} characters, such as"
            ' "Invoice Generated".'
        )
    return name


def checked_context(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a context keeps for arguments of `acting`.

    Raises `InvalidContextError` for a value that cannot be recorded.
    """
    return {name: _CHECKS[name](value) for name, value in arguments.items()}


def _checked_named_user(user: NamedUser | None) -> NamedUser | None:
    if user is None:
        return None
    is_key = user.id is None or isinstance(user.id, str)
    if not is_key or not isinstance(user.label, str) or not user.label:
        raise InvalidContextError(
            f"{user!r} is not valid. Give the id as text or None, and the label as text."
        )
    return user


def _checked_ip_address(text: Any) -> str | None:
    if text is None:
        return None
    address = parse_address(text) if isinstance(text, str) else None
    if address is None:
        raise InvalidContextError(
            f"ip_address={text!r} is not an IP address. Give text such as '203.0.113.9', or None."
        )
    return stored_address(address)


def _checked_reason(reason: Any) -> str | None:
    if reason is not None and not isinstance(reason, str | Promise):
        raise InvalidContextError(f"reason={reason!r} is not text. Give text, or None.")
    # A blank reason says nothing.
    text = None if reason is None else str(reason).strip() or None
    if text is not None and len(text) > LONGEST_REASON:
        raise InvalidContextError(
            f"The reason has {len(text)} characters. Give at most {LONGEST_REASON}."
        )
    return text


def _checked_request_id(request_id: Any) -> UUID:
    if isinstance(request_id, UUID):
        return request_id
    try:
        return UUID(request_id)
    except (TypeError, ValueError, AttributeError):
        raise InvalidContextError(
            f"request_id={request_id!r} is not a UUID. Give a UUID or its text, or leave it out."
        ) from None


def _checked_extra(extra: Any) -> Mapping[str, Any]:
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise InvalidContextError(
            f"extra={extra!r} is not a dict with text as keys. Give one, such as"
            ' {"ticket": "T-1043"}.'
        )
    if reserved := sorted(RESERVED_NAMES.intersection(extra)):
        raise InvalidContextError(
            f"extra has the reserved name {reserved[0]!r}. Use the argument"
            f" {reserved[0]} of acting() instead."
        )
    try:
        # Databases refuse NaN and infinity, which Python would write.
        length = len(json.dumps(extra, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidContextError(
            f"extra={extra!r} cannot be stored as JSON: {error}. Use text, numbers, booleans,"
            " None, lists and dicts."
        ) from None
    if length > LONGEST_EXTRA:
        raise InvalidContextError(
            f"extra has {length} characters as JSON. Give at most {LONGEST_EXTRA}: each entry has a"
            " copy of it."
        )
    return dict(extra)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "user": as_named_user,
    "impersonator": as_named_user,
    "source": checked_source,
    "reason": _checked_reason,
    "ip_address": _checked_ip_address,
    "request_id": _checked_request_id,
    "extra": _checked_extra,
}
"""Each argument of `acting` to the function that checks it and returns the value to keep."""
