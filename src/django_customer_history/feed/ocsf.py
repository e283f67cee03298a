"""An entry as an event of the Open Cybersecurity Schema Framework (OCSF).

The class is Entity Management, 3004. What the schema has no place for is in `unmapped`.
"""

from collections.abc import Mapping
from typing import Any

from django_customer_history import __version__
from django_customer_history.context.resolved import NamedUser
from django_customer_history.keys import microseconds_of
from django_customer_history.reading.entries import TimelineChange, TimelineEntry
from django_customer_history.reading.serialization import entry_json

SCHEMA_VERSION = "1.6.0"
_CATEGORY, _CLASS = 3, 3004
_INFORMATIONAL, _SUCCESS, _OTHER = 1, 1, 99
_ACTIVITIES: Mapping[str, tuple[int, str]] = {
    "create": (1, "Create"),
    "view": (2, "Read"),
    "update": (3, "Update"),
    "add": (3, "Update"),
    "remove": (3, "Update"),
    "delete": (4, "Delete"),
}
_UNMAPPED = ("subject", "impersonator", "source", "is_baseline", "primary_id", "omitted_changes")


def entity_management(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry as an event: `entity` before, `entity_result` after, `comment` the reason.

    `time` is in milliseconds since 1970. Masked values have their masks.
    """
    activity, name = _ACTIVITIES.get(entry.kind, (_OTHER, entry.action))
    native = entry_json(entry)
    event = {
        "activity_id": activity,
        "activity_name": name,
        "category_uid": _CATEGORY,
        "category_name": "Identity & Access Management",
        "class_uid": _CLASS,
        "class_name": "Entity Management",
        "type_uid": _CLASS * 100 + activity,
        "type_name": f"Entity Management: {name}",
        "severity_id": _INFORMATIONAL,
        "severity": "Informational",
        "status_id": _SUCCESS,
        "time": microseconds_of(entry.timestamp) // 1000,
        "message": entry.action,
        "metadata": _metadata(entry),
        "entity": _entity(entry, "old"),
        "actor": _by(entry.user),
        "unmapped": {key: native[key] for key in _UNMAPPED if native.get(key)},
    }
    if entry.kind not in {"delete", "view"}:
        event["entity_result"] = _entity(entry, "new")
    if entry.reason:
        event["comment"] = entry.reason
    if entry.ip_address:
        event["src_endpoint"] = {"ip": entry.ip_address}
    return event


def _metadata(entry: TimelineEntry) -> dict[str, Any]:
    product = {
        "name": "django-customer-history",
        "vendor_name": "django-customer-history",
        "version": __version__,
    }
    metadata = {
        "version": SCHEMA_VERSION,
        "product": product,
        "uid": str(entry.id),
        "event_code": entry.kind,
    }
    if entry.request_id is not None:
        metadata["correlation_uid"] = str(entry.request_id)
    return metadata


def _by(user: NamedUser | None) -> dict[str, Any]:
    if user is None:
        return {"app_name": "System"}
    named = {"name": user.label, "uid": user.id}
    return {"user": {key: value for key, value in named.items() if value}}


def _entity(entry: TimelineEntry, side: str) -> dict[str, Any]:
    entity = {"uid": entry.entity.id, "type": entry.entity.model}
    if entry.entity.label:
        entity["name"] = entry.entity.label
    data = {change.field: _value(change, side) for change in entry.changes}
    return {**entity, "data": data} if data else entity


def _value(change: TimelineChange, side: str) -> Any:
    return getattr(change, f"{side}_display" if change.masked else side)
