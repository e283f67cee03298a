"""Since when the log knows everything about the rows and the fields of a model."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.capture.registration_log import (
    BASELINE_KIND,
    BASELINED,
    FIELDS,
    KIND,
    STARTED,
    STOPPED,
    WAS_EMPTY,
)
from django_customer_history.models import Entry
from django_customer_history.registration.renames import renames

_SETS = ("exclude", "secret", "json_keys")
"""Options that list fields which are logged in another way, or not."""
_CHOICES = ("only", "m2m")
"""Options that list the fields which are logged; without the option it is all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingHistory:
    """What the entries about the registration of one model say."""

    is_started: bool
    since: UUID
    """Entries before this one are of a time before the model was not tracked for a while."""
    knows_all_rows: bool
    """Whether each row has an entry: the table was empty when tracking began, or each row that was
    there has got a baseline."""
    known_since: Mapping[str, UUID]
    """Fields that were added, or are logged in another way, since an entry."""


def tracking_history(label: str, *, using: str) -> TrackingHistory:
    """Return what the log says about the registration of a model."""
    is_started = was_stopped = knows_all_rows = False
    since, known_since = LOWEST_KEY, dict[str, UUID]()
    labels = renames.labels(label, using=using)
    entries = Entry.objects.using(using).filter(entity_id__in=labels)
    for entry in entries.filter(entity_model__in=(KIND, BASELINE_KIND)).order_by("id"):
        context: Mapping[str, Any] = entry.context or {}
        if entry.action == STARTED:
            is_started, knows_all_rows = True, bool(context.get(WAS_EMPTY))
            since = entry.id if was_stopped else since
        elif entry.action == STOPPED:
            is_started, was_stopped, knows_all_rows = False, True, False
        elif entry.action == BASELINED:
            knows_all_rows = True
        elif is_started:
            for name in _affected(entry, label, using):
                known_since[name] = entry.id
    return TrackingHistory(
        is_started=is_started, since=since, knows_all_rows=knows_all_rows, known_since=known_since
    )


def _affected(entry: Any, label: str, using: str) -> Iterator[str]:
    """Yield the fields that are logged in another way since an entry, by their names of today."""
    renamed = {one.new: one.old for one in renames.of(using) if one.model == label}
    for option, (old_text, new_text) in entry.changes.items():
        if option not in (*_SETS, *_CHOICES, FIELDS):
            continue
        old, new = (set(json.loads(text or "null") or ()) for text in (old_text, new_text))
        if option == FIELDS:
            names = {name for name in new - old if renamed.get(name) not in old}
        elif option in _CHOICES and (old_text is None or new_text is None):
            names = _fields_of(entry) - (old & new)
        else:
            names = old ^ new
        for name in names:
            yield renames.field_now(label, name, at=entry.id, using=using)


def _fields_of(entry: Any) -> set[str]:
    return set((entry.context or {}).get(FIELDS, ()))
