"""SQLite: functions on the connection give triggers the context."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.session import Execute, Session
from django_customer_history.backends.statements import may_write
from django_customer_history.backends.tables import PREFIX
from django_customer_history.context.current import Context, current
from django_customer_history.context.resolved import ResolvedContext
from django_customer_history.keys import datetime_of, hexadecimal_at, next_microsecond


class SQLiteSession(Session):
    """Functions on the connection that triggers call. No statement is added."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._entry_context = ResolvedContext()
        self._resolved: tuple[Context, ResolvedContext] | None = None
        self._microsecond = 0
        self._second = (0, "")
        self._request: tuple[UUID | None, str | None] = (None, None)

    def connected(self) -> None:
        """Register the functions again: a new connection has none."""
        # Without it, REPLACE removes the old row without running its DELETE trigger.
        self._connection.connection.execute("PRAGMA recursive_triggers = ON")
        functions: dict[str, Callable[[], Any]] = {
            "key": self._key,
            "timestamp": self._timestamp,
            "user_id": lambda: self._entry_context.user_id,
            "user_label": lambda: self._entry_context.user_label,
            "source": lambda: self._entry_context.source,
            "ip_address": lambda: self._entry_context.ip_address,
            "request_id": self._request_id,
            "action": lambda: self._entry_context.action,
            "context": lambda: self._entry_context.detail,
            "paused": _is_paused,
            "has_reason": lambda: current().resolve().has_reason,
        }
        for name, function in functions.items():
            self._connection.connection.create_function(PREFIX + name, 0, function)
        of_values: dict[str, Callable[..., Any]] = {
            "float": _float_text,
            "json_differs": _json_differs,
            "members": _members_by_key,
        }
        for name, value_function in of_values.items():
            self._connection.connection.create_function(
                PREFIX + name,
                value_function.__code__.co_argcount,
                value_function,
                deterministic=True,
            )

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Resolve the context before the statement: a trigger cannot wait for a query."""
        context = current()
        if context.provider is None or not may_write(sql):
            return execute(sql, params, many, state)
        self._resolved = (context, context.resolve())
        try:
            return execute(sql, params, many, state)
        finally:
            self._resolved = None

    def _key(self) -> str:
        # A trigger calls this function first: what it resolves is the context of the entry.
        context, resolved = current(), self._resolved
        if resolved is not None and resolved[0] is context:
            self._entry_context = resolved[1]
        else:
            self._entry_context = context.resolve()
        self._microsecond = next_microsecond()
        return hexadecimal_at(self._microsecond)

    def _request_id(self) -> str | None:
        request = self._entry_context.request_id
        if request is not self._request[0]:
            self._request = (request, None if request is None else request.hex)
        return self._request[1]

    def _timestamp(self) -> str:
        # Called for every entry, so the text of the second is cached.
        second, fraction = divmod(self._microsecond, 1_000_000)
        if second != self._second[0]:
            moment = datetime_of(second * 1_000_000)
            self._second = (second, moment.strftime("%Y-%m-%d %H:%M:%S"))
        return f"{self._second[1]}.{fraction:06}"


def _is_paused() -> bool:
    # Called once for each row of a tracked table: only here SQLite shows that a row is written.
    if (pause := current().pause) is None:
        return False
    pause.rows += 1
    return True


def _float_text(value: float | None) -> str | None:
    return None if value is None else repr(value)


def _json_differs(one: str | None, other: str | None) -> bool:
    return (
        one is None
        or other is None
        or _sorted_json(json.loads(one)) != _sorted_json(json.loads(other))
    )


def _sorted_json(value: Any) -> str:
    # Texts are compared and not values: in Python 1, 1.0 and True are equal.
    return json.dumps(value, sort_keys=True)


def _members_by_key(field: str, old: str | None, new: str | None) -> str:
    """Return `"field.key":[old, new]` for each key that differs, as JSON without braces."""
    objects = [{} if text is None else json.loads(text) for text in (old, new)]
    if not all(isinstance(one, dict) for one in objects):
        return f"{json.dumps(field)}:{json.dumps([old, new])}"
    before, after = objects
    pairs = {
        f"{field}.{key}": [_json_text(one, key) for one in objects]
        for key in {**before, **after}
        if key not in before
        or key not in after
        or _sorted_json(before[key]) != _sorted_json(after[key])
    }
    return json.dumps(pairs)[1:-1]


def _json_text(values: dict[str, Any], key: str) -> str | None:
    return json.dumps(values[key], ensure_ascii=False) if key in values else None
