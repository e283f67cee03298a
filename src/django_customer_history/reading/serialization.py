"""An entry as JSON values: the one form that REST, NDJSON exports and other consumers share."""

from typing import Any

from django_customer_history.context.resolved import NamedUser
from django_customer_history.reading.entries import TimelineChange, TimelineEntry
from django_customer_history.values.rendering import utc_text

_SUBJECT = ("model", "id", "label")
_ENTITY = (*_SUBJECT, "name", "url")
_CHANGE = ("field", "label", "type", "old", "new", "old_display", "new_display", "masked")


def entry_json(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry as values that JSON can hold.

    The timestamp is in UTC with six digits and a Z. A masked change has the permission that
    would show it, unless nothing would.
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
        "changes": [_change(change) for change in entry.changes],
        "source": _attributes(entry.source, ("code", "label")),
        "ip_address": entry.ip_address,
        "request_id": None if entry.request_id is None else str(entry.request_id),
        "reason": entry.reason,
        "is_baseline": entry.is_baseline,
    }


def _user(user: NamedUser | None) -> dict[str, str | None] | None:
    return None if user is None else {"id": user.id, "name": user.label}


def _change(change: TimelineChange) -> dict[str, Any]:
    values = _attributes(change, _CHANGE)
    if change.permission is not None:
        values["permission"] = change.permission
    return values


def _attributes(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}
