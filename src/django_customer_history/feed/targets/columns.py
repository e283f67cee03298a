"""Entries as a table of Arrow, for Parquet and Delta Lake."""

from collections.abc import Sequence
from typing import Any

from django_customer_history.feed.targets.base import imported
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.serialization import change_json, json_text

EXTRA = "parquet"
_TEXTS = (
    "kind",
    "action",
    "user_id",
    "user_name",
    "impersonator_id",
    "impersonator_name",
    "subject_model",
    "subject_id",
    "subject_label",
    "entity_model",
    "entity_id",
    "entity_label",
    "source",
    "ip_address",
    "request_id",
    "reason",
    "primary_id",
    "changes",
)
"""The columns of text. `changes` is JSON, a list as in the native messages."""


def table_of(entries: Sequence[TimelineEntry]) -> Any:
    """Return a table with a row for each entry."""
    arrow = imported("pyarrow", extra=EXTRA)
    schema = arrow.schema(
        [
            ("id", arrow.string()),
            ("timestamp", arrow.timestamp("us", tz="UTC")),
            *((name, arrow.string()) for name in _TEXTS),
            ("is_baseline", arrow.bool_()),
        ]
    )
    return arrow.Table.from_pylist([_row(entry) for entry in entries], schema=schema)


def _row(entry: TimelineEntry) -> dict[str, Any]:
    user, impersonator, subject = entry.user, entry.impersonator, entry.subject
    changes = [change_json(change) for change in entry.changes]
    return {
        "id": str(entry.id),
        "timestamp": entry.timestamp,
        "kind": entry.kind,
        "action": entry.action,
        "user_id": user and user.id,
        "user_name": user and user.label,
        "impersonator_id": impersonator and impersonator.id,
        "impersonator_name": impersonator and impersonator.label,
        "subject_model": subject and subject.model,
        "subject_id": subject and subject.id,
        "subject_label": subject and subject.label,
        "entity_model": entry.entity.model,
        "entity_id": entry.entity.id,
        "entity_label": entry.entity.label,
        "source": entry.source.code,
        "ip_address": entry.ip_address,
        "request_id": entry.request_id and str(entry.request_id),
        "reason": entry.reason,
        "primary_id": entry.primary_id and str(entry.primary_id),
        "changes": json_text(changes),
        "is_baseline": entry.is_baseline,
    }
