"""Entries about registrations: which models are tracked, with which options and since when.

After each `migrate` the registrations are compared with those in the log. Each difference
becomes an entry: "History Started", "History Changed" or "History Stopped".
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db.models import Max, Min

from django_customer_history.capture.events import record_about_history
from django_customer_history.context.current import acting
from django_customer_history.keys import (
    datetime_of,
    lowest_uuid_at,
    microseconds_of,
)
from django_customer_history.masks import as_mask
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.registration.options import ROW_KINDS
from django_customer_history.registration.registry import (
    Registration,
    registry,
)

KIND = "customer_history.registration"
"""The entity model of these entries; their entity is the model's label."""

_STARTED, _CHANGED, _STOPPED = "History Started", "History Changed", "History Stopped"


FormerLabels = Mapping[str, frozenset[str]]
"""Fields that were once in the option `label` of a model, by the model's label."""


def changed_registrations(entries: EntryQuerySet) -> EntryQuerySet:
    """Return the entries with former options of registrations."""
    return entries.filter(entity_model=KIND, action__in=(_CHANGED, _STOPPED))


def former_labels(changed: Iterable[Entry]) -> FormerLabels:
    """Return the former label fields of each model from entries of `changed_registrations`."""
    found: dict[str, frozenset[str]] = {}
    for entry in changed:
        old = entry.changes.get("label", [None])[0]
        if old is not None:
            known = found.get(entry.entity_id, frozenset())
            found[entry.entity_id] = known | set(json.loads(old))
    return found


_SINCE = "triggers_since"
"""The member of the entry's context with the time when the triggers began to be installed."""
_MOMENT = timedelta(milliseconds=50)
"""How long before or after the change of a row another package may record it."""


def log_registrations(using: str, *, since: datetime | None = None) -> None:
    """Write an entry for each registration that differs from the one in the log.

    `since` is the time when the triggers began to be installed, by default now.
    """
    began = datetime.now(UTC) if since is None else since
    with acting(extra={_SINCE: began.isoformat()}):
        _log_registrations(using)


def _log_registrations(using: str) -> None:
    known = _known(using)
    wanted = {
        registration.model._meta.label_lower: _options(registration) for registration in registry
    }
    for label in sorted(known.keys() | wanted.keys()):
        before, after = known.get(label, {}), wanted.get(label, {})
        changes = {
            name: [before.get(name), after.get(name)]
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }
        if changes:
            action = _CHANGED if before else _STARTED
            record_about_history(
                action if after else _STOPPED,
                about=(KIND, label),
                changes=changes,
                using=using,
            )


def tracked_times(label: str, *, using: str) -> list[tuple[datetime, datetime | None]]:
    """Return the times from which and until which a model was tracked; None: it still is.

    Installing and removing triggers takes time. The entries that triggers wrote in that time
    show when they were active.
    """
    times: list[tuple[datetime, datetime | None]] = []
    entries = apps.get_model("customer_history", "Entry")._default_manager.using(using)
    starts_and_stops = entries.filter(
        entity_model=KIND, entity_id=label, action__in=(_STARTED, _STOPPED)
    ).order_by("id")
    for entry in starts_and_stops:
        is_tracked = bool(times) and times[-1][1] is None
        if entry.action == _STARTED and not is_tracked:
            times.append((_start(label, entry, using), None))
        elif entry.action == _STOPPED and is_tracked:
            times[-1] = (times[-1][0], _end(label, entry, using))
    return times


def _start(label: str, entry: Any, using: str) -> datetime:
    first, _last = _captured_times(label, entry, using)
    return _aware(entry.timestamp) if first is None else max(_since(entry), first - _MOMENT)


def _end(label: str, entry: Any, using: str) -> datetime:
    _first, last = _captured_times(label, entry, using)
    return _since(entry) if last is None else last + _MOMENT


def _captured_times(label: str, entry: Any, using: str) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last time of entries by triggers while they were changed."""
    log = apps.get_model("customer_history", "Entry")._default_manager.using(using)
    # By key, because there is an index for it.
    around = log.filter(id__gte=lowest_uuid_at(_since(entry)), id__lte=entry.id)
    entries = around.filter(entity_model=label, kind__in=ROW_KINDS).exclude(source="import")
    times = entries.aggregate(first=Min("timestamp"), last=Max("timestamp"))
    first, last = times["first"], times["last"]
    return None if first is None else _aware(first), None if last is None else _aware(last)


def _since(entry: Any) -> datetime:
    since = (entry.context or {}).get(_SINCE)
    return datetime.fromisoformat(since) if since else _aware(entry.timestamp)


def _aware(moment: datetime) -> datetime:
    return datetime_of(microseconds_of(moment))


def _known(using: str) -> dict[str, dict[str, str]]:
    """Return the options of each model by the last entry about it."""
    known: dict[str, dict[str, str]] = {}
    entries = apps.get_model("customer_history", "Entry")._default_manager.using(using)
    for entry in entries.filter(entity_model=KIND).order_by("id"):
        options = known.setdefault(entry.entity_id, {})
        for name, (_old, new) in entry.changes.items():
            if new is None:
                options.pop(name, None)
            else:
                options[name] = new
    return known


def _options(registration: Registration) -> Mapping[str, str]:
    """Return the options that differ from the defaults, as JSON text in a fixed order.

    `key_labels` and `display` are left out: they change no entry and hide nothing.
    """
    options: dict[str, object] = {
        "subject": list(registration.subject),
        "label": list(registration.label),
        "exclude": sorted(registration.exclude),
        "only": None if registration.only is None else sorted(registration.only),
        "confidential": {
            name: as_mask(mask).name for name, mask in sorted(registration.confidential.items())
        },
        "secret": sorted(registration.secret),
        "m2m": None if registration.m2m is None else sorted(registration.m2m),
        "events": [[one.field, one.value, one.action] for one in registration.events],
        "json_keys": sorted(registration.json_keys),
        "reason_required": sorted(registration.reason_required),
        "snapshots": registration.snapshots,
    }
    given = {name: json.dumps(value) for name, value in options.items() if value}
    return {"registered": "true", **given}
