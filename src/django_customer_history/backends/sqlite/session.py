"""SQLite: functions on the connection give triggers the context."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Context as Precision
from decimal import Decimal
from functools import partial
from inspect import signature
from math import isfinite
from typing import Any
from uuid import UUID

import django
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.session import Execute, Session
from django_customer_history.backends.statements import CONTROL, first_word, is_select
from django_customer_history.backends.tables import PREFIX
from django_customer_history.context.current import Context, current
from django_customer_history.context.resolved import ResolvedContext
from django_customer_history.keys import datetime_of, hexadecimal_at, next_microsecond
from django_customer_history.values.encoding import float_text

_WITHOUT_ROWS = CONTROL | {"ANALYZE", "ATTACH", "DETACH", "EXPLAIN", "PRAGMA", "VACUUM"}
"""Statements that run no trigger."""
_SCHEMA = frozenset(["ALTER", "ATTACH", "CREATE", "DETACH", "DROP", ""])
# Texts, names in quotes and comments are passed over. With a bracket it is the function.
_REPLACING = re.compile(
    r"""'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|(\breplace\b(?!\s*\())""",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMAS_THAT_REPLACE = """
SELECT sql FROM sqlite_master WHERE sql LIKE '%replace%' AND name NOT LIKE 'customer_history_%'
"""


class SQLiteSession(Session):
    """Functions on the connection that triggers call. No statement is added."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._entry_context = ResolvedContext()
        self._resolved: tuple[Context, ResolvedContext] | None = None
        self._microsecond = 0
        self._primary_id = ""
        self._second = (0, "")
        self._request: tuple[UUID | None, str | None] = (None, None)
        self._schema_replaces: bool | None = None
        """Whether a table or a trigger of the project may replace rows; None: not known."""

    def connected(self) -> None:
        """Register the functions again: a new connection has none."""
        self._schema_replaces = None
        functions: dict[str, Callable[[], Any]] = {
            "key": self._key,
            "further_key": self._further_key,
            "primary_id": lambda: self._primary_id,
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
            "decimal": _decimal_text,
            "float": _float_text,
            "json_differs": _json_differs,
            "utc": partial(_utc_text, zone=getattr(self._connection, "timezone", None) or UTC),
            "valid": _valid_text,
            "members": _members_by_key,
            "values": _values_by_key,
        }
        for name, value_function in of_values.items():
            required = [
                one
                for one in signature(value_function).parameters.values()
                if one.kind is one.POSITIONAL_OR_KEYWORD
            ]
            self._connection.connection.create_function(
                PREFIX + name, len(required), value_function, deterministic=True
            )

    def microsecond(self) -> int:
        """Return the time of the clock of this process, as triggers do here."""
        return next_microsecond()

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, state: Any) -> Any:
        """Run a statement of Django, a query right away: nothing here follows the driver."""
        if is_select(sql):
            return execute(sql, params, many, state)
        return super().__call__(execute, sql, params, many, state)

    def _is_plain_read(self, sql: Any) -> bool:
        return False  # These do not come here.

    def _run(self, execute: Execute, sql: Any, params: Any, many: bool, cursor: Any) -> Any:
        """Resolve the context before the statement: a trigger cannot wait for a query."""
        word = first_word(sql)
        if word in _WITHOUT_ROWS:
            return execute(sql, params, many, None)
        context = current()
        if context.provider is not None:
            self._resolved = (context, context.resolve())
        try:
            if self._may_replace(sql, word):
                return self._run_with_recursion(execute, sql, params, many)
            return execute(sql, params, many, None)
        finally:
            self._resolved = None
            if word in _SCHEMA:
                self._schema_replaces = None

    def _may_replace(self, sql: Any, word: str) -> bool:
        if word in _SCHEMA and word:
            return False
        if not isinstance(sql, str) or _replaces(sql):
            return True
        if self._schema_replaces is None:
            found = self._connection.connection.execute(_SCHEMAS_THAT_REPLACE)
            self._schema_replaces = any(_replaces(text) for (text,) in found)
        return self._schema_replaces

    def _run_with_recursion(self, execute: Execute, sql: Any, params: Any, many: bool) -> Any:
        """Run a statement that may replace rows; only so the old rows run their DELETE triggers.

        Triggers of the project that write to their own table would call themselves as well.
        So it is on for as few statements as possible.
        """
        connection = self._connection.connection
        (was_on,) = connection.execute("PRAGMA recursive_triggers").fetchone()
        connection.execute("PRAGMA recursive_triggers = ON")
        try:
            return execute(sql, params, many, None)
        finally:
            if not was_on:
                connection.execute("PRAGMA recursive_triggers = OFF")

    def _key(self) -> str:
        self._primary_id = self._further_key()
        return self._primary_id

    def _further_key(self) -> str:
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


def _replaces(sql: str) -> bool:
    # Most statements do not have the word, and this is ten times as fast as an expression.
    return "replace" in sql.lower() and any(found[1] for found in _REPLACING.finditer(sql))


def _is_paused() -> bool:
    # Called once for each row of a tracked table: only here SQLite shows that a row is written.
    if (pause := current().pause) is None:
        return False
    pause.rows += 1
    return True


def _decimal_text(value: float, places: int) -> str:
    """Return a number as Django reads it from the column of a decimal field."""
    if not isfinite(value):
        return float_text(value)
    if isinstance(value, int) and _READS_INTEGERS:
        read = Decimal(value)
    else:
        read = _READING.create_decimal_from_float(value)
    return format(read.quantize(Decimal(1).scaleb(-places), context=_ANY_LENGTH), "f")


_READING = Precision(prec=15)
_READS_INTEGERS = django.VERSION >= (6, 1)
"""Whether Django reads all digits of what SQLite stores as an integer."""
_ANY_LENGTH = Precision(prec=2_000)


def _float_text(value: float | str | bytes | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return float_text(value)


def _valid_text(text: bytes | None) -> str | None:
    return None if text is None else text.decode(errors="replace")


def _utc_text(text: str | None, *, zone: tzinfo) -> str | None:
    """Return the canonical text of a local time as Django stores it."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text)).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return str(text)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json_differs(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return True
    try:
        return _sorted_json(json.loads(one)) != _sorted_json(json.loads(other))
    except (ValueError, RecursionError):
        return True  # Not JSON: the texts differ.


def _sorted_json(value: Any) -> str:
    # Texts are compared and not values: in Python 1, 1.0 and True are equal.
    return json.dumps(value, sort_keys=True)


def _object_of(text: str | bytes | None) -> Any:
    """Return an object of JSON, an empty one for nothing and for JSON's null, or None."""
    if isinstance(text, bytes):
        return None
    try:
        value = {} if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return {} if value is None else value


def _members_by_key(field: str, old: str | bytes | None, new: str | bytes | None) -> str:
    """Return `"field.key":[old, new]` for each key that differs, as JSON without braces."""
    objects = [_object_of(text) for text in (old, new)]
    if not all(isinstance(one, dict) for one in objects):
        pair = [text.hex() if isinstance(text, bytes) else text for text in (old, new)]
        return f"{json.dumps(field)}:{json.dumps(pair)}"
    before, after = objects
    pairs = {
        f"{field}.{key}": [_json_text(one, key) for one in objects]
        for key in {**before, **after}
        if key not in before
        or key not in after
        or _sorted_json(before[key]) != _sorted_json(after[key])
    }
    return json.dumps(pairs)[1:-1]


def _values_by_key(field: str, text: str | bytes | None) -> str:
    """Return `"field.key":value` for each key, as JSON without braces."""
    value = _object_of(text)
    if not isinstance(value, dict):
        whole = text.hex() if isinstance(text, bytes) else text
        return f"{json.dumps(field)}:{json.dumps(whole)}"
    return json.dumps({f"{field}.{key}": _json_text(value, key) for key in value})[1:-1]


def _json_text(values: dict[str, Any], key: str) -> str | None:
    return json.dumps(values[key], ensure_ascii=False) if key in values else None
