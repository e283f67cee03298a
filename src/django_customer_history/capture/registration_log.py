"""That a model is registered, how, and since when, is itself in the log.

After each `migrate` the registrations are set against those that the log knows, and what
differs becomes an entry: "History Started", "History Changed", "History Stopped".
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db.models import Max, Min

from django_customer_history.capture.events import note
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
"""The fields that rows of a model were once named after, by the model's label."""


def changed_registrations(entries: EntryQuerySet) -> EntryQuerySet:
    """Return the entries that tell what registrations once were."""
    return entries.filter(entity_model=KIND, action__in=(_CHANGED, _STOPPED))


def former_labels(changed: Iterable[Entry]) -> FormerLabels:
    """Return after which fields rows were once named, from such entries."""
    found: dict[str, frozenset[str]] = {}
    for entry in changed:
        old = entry.changes.get("label", [None])[0]
        if old is not None:
            known = found.get(entry.entity_id, frozenset())
            found[entry.entity_id] = known | set(json.loads(old))
    return found


_SINCE = "triggers_since"
"""The member of such an entry's context that says when its triggers began to be put in place."""
_MOMENT = timedelta(milliseconds=50)
"""So long before or after a row changes another package may write it down."""


def log_registrations(using: str, *, since: datetime | None = None) -> None:
    """Write an entry for each registration of a database's models that is not what it was.

    `since` is when the triggers began to be put in their places, by default now.
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
            note(
                action if after else _STOPPED,
                about=(KIND, label),
                changes=changes,
                using=using,
            )


def tracked_times(label: str, *, using: str) -> list[tuple[datetime, datetime | None]]:
    """Return since when, and until when, a model was tracked; None: it still is.

    While triggers are being put in place, or away, what they wrote tells whether they were.
    """
    times: list[tuple[datetime, datetime | None]] = []
    entries = apps.get_model("customer_history", "Entry")._default_manager.using(using)
    marks = entries.filter(
        entity_model=KIND, entity_id=label, action__in=(_STARTED, _STOPPED)
    ).order_by("id")
    for mark in marks:
        is_open = bool(times) and times[-1][1] is None
        if mark.action == _STARTED and not is_open:
            times.append((_start(label, mark, using), None))
        elif mark.action == _STOPPED and is_open:
            times[-1] = (times[-1][0], _end(label, mark, using))
    return times


def _start(label: str, mark: Any, using: str) -> datetime:
    first, _last = _told_about(label, mark, using)
    return _aware(mark.timestamp) if first is None else max(_began(mark), first - _MOMENT)


def _end(label: str, mark: Any, using: str) -> datetime:
    _first, last = _told_about(label, mark, using)
    return _began(mark) if last is None else last + _MOMENT


def _told_about(label: str, mark: Any, using: str) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last time of what triggers wrote of a model before a mark."""
    log = apps.get_model("customer_history", "Entry")._default_manager.using(using)
    # By key: there is an index for it.
    around = log.filter(id__gte=lowest_uuid_at(_began(mark)), id__lte=mark.id)
    entries = around.filter(entity_model=label, kind__in=ROW_KINDS).exclude(source="import")
    times = entries.aggregate(first=Min("timestamp"), last=Max("timestamp"))
    first, last = times["first"], times["last"]
    return None if first is None else _aware(first), None if last is None else _aware(last)


def _began(mark: Any) -> datetime:
    since = (mark.context or {}).get(_SINCE)
    return datetime.fromisoformat(since) if since else _aware(mark.timestamp)


def _aware(moment: datetime) -> datetime:
    return datetime_of(microseconds_of(moment))


def _known(using: str) -> dict[str, dict[str, str]]:
    """Return the options of each model as the log last knew them."""
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

    `key_labels` and `display` are not among them: they change no entry and hide nothing.
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
