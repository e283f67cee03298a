"""An entry as a message for other systems: native, CloudEvents or OCSF."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django_customer_history.feed.ocsf import entity_management
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.serialization import entry_json, json_text

DEFAULT_FORMAT = "native"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFormat:
    """A form of messages: its name, its media type, and the function that makes JSON values."""

    name: str
    media_type: str
    values: Callable[[TimelineEntry], dict[str, Any]]

    def encoded(self, entry: TimelineEntry, *, limit: int | None = None) -> bytes:
        """Return the message of an entry as UTF-8, on one line.

        With more than `limit` bytes it has no changes, but their number as `omitted_changes`.
        """
        message = self._encoded(entry)
        if limit is None or len(message) <= limit:
            return message
        omitted = entry.omitted_changes + len(entry.changes)
        return self._encoded(entry._replace(changes=(), omitted_changes=omitted))

    def _encoded(self, entry: TimelineEntry) -> bytes:
        return json_text(self.values(entry)).encode()


def cloud_event(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry as a CloudEvent 1.0: `source` and `id` together identify it."""
    native = entry_json(entry)
    subject = native["subject"] or native["entity"]
    return {
        "specversion": "1.0",
        "id": native["id"],
        "source": "/customer-history",
        "type": f"customer_history.entry.{entry.kind}",
        "subject": f"{subject['model']}/{subject['id']}",
        "time": native["timestamp"],
        "datacontenttype": "application/json",
        "data": native,
    }


MESSAGE_FORMATS: Mapping[str, MessageFormat] = {
    one.name: one
    for one in (
        MessageFormat(name="native", media_type="application/json", values=entry_json),
        MessageFormat(
            name="cloudevents", media_type="application/cloudevents+json", values=cloud_event
        ),
        MessageFormat(name="ocsf", media_type="application/json", values=entity_management),
    )
}


@cache
def native_schema() -> dict[str, Any]:
    """Return the JSON Schema of the messages of the format "native"."""
    return _object(
        {
            "id": {"type": "string", "format": "uuid"},
            "timestamp": {"type": "string", "format": "date-time"},
            "user": _nullable(_USER),
            "impersonator": _nullable(_USER),
            "action": {"type": "string"},
            "kind": {"enum": ["create", "update", "delete", "add", "remove", "event", "view"]},
            "subject": _nullable(_object({"model": _TEXT, "id": _TEXT, "label": _TEXT_OR_NULL})),
            "entity": _object(
                {
                    "model": _TEXT,
                    "id": _TEXT,
                    "label": _TEXT_OR_NULL,
                    "name": _TEXT,
                    "url": _TEXT_OR_NULL,
                }
            ),
            "changes": {"type": "array", "items": _CHANGE},
            "source": _object({"code": _TEXT, "label": _TEXT}),
            "ip_address": _TEXT_OR_NULL,
            "request_id": _TEXT_OR_NULL,
            "reason": _TEXT_OR_NULL,
            "is_baseline": {"type": "boolean"},
            "primary_id": _TEXT_OR_NULL,
        },
        optional={"omitted_changes": {"type": "integer", "minimum": 1}},
    ) | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An entry of django-customer-history",
    }


def _object(
    required: Mapping[str, Any], *, optional: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_USER = _object({"id": _TEXT, "name": _TEXT})
_CHANGE = _object(
    {
        "field": _TEXT,
        "label": _TEXT,
        "type": _TEXT,
        "old": {},
        "new": {},
        "old_display": _TEXT_OR_NULL,
        "new_display": _TEXT_OR_NULL,
        "masked": {"type": "boolean"},
    },
    optional={"truncated": {"type": "boolean"}, "permission": _TEXT},
)
