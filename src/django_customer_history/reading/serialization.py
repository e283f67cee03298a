"""An entry as JSON values: the one form that REST, NDJSON exports and other consumers share."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from django_customer_history.context.resolved import NamedUser
from django_customer_history.reading.entries import TimelineChange, TimelineEntry
from django_customer_history.values.rendering import utc_text

json_text = DjangoJSONEncoder(ensure_ascii=False, allow_nan=False).encode
"""Returns JSON values as text on one line."""

_SUBJECT = ("model", "id", "label")
_ENTITY = (*_SUBJECT, "name", "url")
_CHANGE = ("field", "label", "type", "old", "new", "old_display", "new_display", "masked")
_SOURCE = ("code", "label")
_GETTERS: Mapping[tuple[str, ...], Callable[[object], Any]] = {
    names: attrgetter(*names) for names in (_SUBJECT, _ENTITY, _CHANGE, _SOURCE)
}


def entry_json(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry as values that JSON can hold.

    The timestamp is in UTC with six digits and a Z. A masked change has the permission that
    would show it, unless nothing would. In lists, a change whose values are shortened has
    `truncated`, and an entry with very many changes has the number of those left out.
    """
    return {
        "id": str(entry.id),
        "timestamp": utc_text(entry.timestamp),
        "user": _user(entry.user),
        "impersonator": _user(entry.impersonator),
        "action": entry.action,
        "kind": entry.kind,
        "subject": None if entry.subject is None else _attributes(entry.subject, _SUBJECT),
        "entity": _attributes(entry.entity, _ENTITY),
        "changes": [change_json(change) for change in entry.changes],
        "source": _attributes(entry.source, _SOURCE),
        "ip_address": entry.ip_address,
        "request_id": None if entry.request_id is None else str(entry.request_id),
        "reason": entry.reason,
        "is_baseline": entry.is_baseline,
        "primary_id": None if entry.primary_id is None else str(entry.primary_id),
        **({"omitted_changes": entry.omitted_changes} if entry.omitted_changes else {}),
    }


def _user(user: NamedUser | None) -> dict[str, str | None] | None:
    return None if user is None else {"id": user.id, "name": user.label}


def change_json(change: TimelineChange) -> dict[str, Any]:
    """Return a change as values that JSON can hold."""
    values = _attributes(change, _CHANGE)
    if change.is_truncated:
        values["truncated"] = True
    if change.permission is not None:
        values["permission"] = change.permission
    return values


def _attributes(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return dict(zip(names, _GETTERS[names](value), strict=True))
