"""Entries about registrations: which models are tracked, with which options and since when.

After each `migrate` the registrations are compared with those in the log. Each difference
becomes an entry: "History Started", "History Changed" or "History Stopped".
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models import Max, Min, Q

from django_customer_history.backends import backend_of, microsecond_of
from django_customer_history.capture.events import record_about_history
from django_customer_history.capture.renames import log_model_rename, renamed_models
from django_customer_history.context.current import acting
from django_customer_history.keys import (
    datetime_of,
    lowest_uuid_at,
)
from django_customer_history.masks import as_mask
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.registration.options import ROW_KINDS
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.registration.renames import renames
from django_customer_history.values.conditions import of_few
from django_customer_history.values.moments import in_utc

KIND = "customer_history.registration"
"""The entity model of these entries; their entity is the model's label."""

STARTED, _CHANGED, STOPPED = "History Started", "History Changed", "History Stopped"
BASELINED = "History Baselined"
"""The action of the entry that says that each row of a model has an entry since then."""
BASELINE_KIND = "customer_history.baseline"
"""The entity model of these entries; their entity is the model's label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerLabel:
    """The fields that a label was made of until an entry about the registration."""

    names: tuple[str, ...]
    until: UUID


FormerLabels = Mapping[str, Sequence[FormerLabel]]
"""What labels were made of in former times, by the label of the model of today."""


@cache
def changed_registrations(*more: str) -> EntryQuerySet:
    """Return the entries with former options of registrations, the oldest first.

    All entries of the entity models `more` are among them, so that one index finds everything. The
    queryset is made once, which takes as long as to send its statement: take a copy of it by
    `using`.
    """
    options = Q(action__in=(_CHANGED, STOPPED))
    about = of_few("entity_model", KIND, *more) & (options | ~Q(entity_model=KIND))
    return Entry.objects.filter(about).order_by("id")


def former_labels(changed: Iterable[Entry], *, using: str) -> FormerLabels:
    """Return the former label fields of each model from entries of `changed_registrations`."""
    found: dict[str, list[FormerLabel]] = defaultdict(list)
    for entry in changed:
        old = entry.changes.get("label", [None])[0]
        if entry.entity_model == KIND and old is not None:
            found[entry.entity_id].append(FormerLabel(names=tuple(json.loads(old)), until=entry.id))
    for one in renames.of(using):
        if one.is_model and one.old in found:
            found[one.new] += found[one.old]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerOptions:
    """The options of a registration that matter to readers, from an entry of the log on."""

    since: UUID
    confidential: Mapping[str, str]
    """Names of masks by field."""
    secret: frozenset[str]
    fields: frozenset[str]


def options_since(options: Sequence[FormerOptions], key: UUID) -> Sequence[FormerOptions]:
    """Return the options in force when the entry `key` was written, and all later ones."""
    in_force = [number for number, one in enumerate(options) if one.since <= key]
    return options[in_force[-1] :] if in_force else ()


def former_options(label: str, *, using: str) -> Sequence[FormerOptions]:
    """Return the options that a model had, in the order of time."""
    known: dict[str, str] = {}
    found = []
    log = Entry.objects.using(using)
    labels = renames.labels(label, using=using)
    for entry in log.filter(entity_model=KIND, entity_id__in=labels).order_by("id"):
        _apply(entry, known)
        found.append(
            FormerOptions(
                since=entry.id,
                confidential=json.loads(known.get("confidential", "{}")),
                secret=frozenset(json.loads(known.get("secret", "[]"))),
                fields=frozenset((entry.context or {}).get(FIELDS, ())),
            )
        )
    return found


_SINCE = "triggers_since"
"""The member of the entry's context with the time when the triggers began to be installed."""
FIELDS = "fields"
"""The member of the entry's context with the names of the model's fields, and a change of them."""
WAS_EMPTY = "was_empty"
"""The member of the entry's context that says that there were no rows when tracking began."""
_TABLE = "table"
"""The member of the entry's context with the name of the model's table."""
_MOMENT = timedelta(milliseconds=50)
"""How long before or after the change of a row another package may record it."""


def log_registrations(using: str, *, since: datetime | None = None) -> None:
    """Write an entry for each registration that differs from the one in the log.

    `since` is the time when the triggers began to be installed, by default now.
    """
    began = datetime_of(microsecond_of(connections[using])) if since is None else since
    with acting(extra={_SINCE: began.isoformat()}):
        _log_registrations(using)


def _log_registrations(using: str) -> None:
    renames.load(using)
    known, contexts = _known(using)
    wanted = {one.model._meta.label_lower: one for one in registry}
    stopped = {
        label: contexts.get(label, {}).get(_TABLE)
        for label in known
        if known[label] and label not in wanted
    }
    started = [one.model for label, one in wanted.items() if not known.get(label)]
    for old, new in renamed_models(stopped, started):
        log_model_rename(old, new, using=using)
        known[new], contexts[new] = known.pop(old), contexts.get(old, {})
    for label in sorted(known.keys() | wanted.keys()):
        registration = wanted.get(label)
        before = known.get(label, {})
        after = {} if registration is None else _options(registration)
        changes = {
            name: [before.get(name), after.get(name)]
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }
        context = {} if registration is None else _context(registration)
        if before and after:
            changes |= _changed_fields(contexts.get(label, {}), context)
        if changes:
            action = _CHANGED if before else STARTED
            if registration is not None and not before and _is_empty(registration, using):
                context = {**context, WAS_EMPTY: True}
            with acting(extra=context):
                record_about_history(
                    action if after else STOPPED,
                    about=(KIND, label),
                    changes=changes,
                    using=using,
                )


def _context(registration: Registration) -> dict[str, Any]:
    """Return what later readers need to know of a model, which may have changed by then."""
    meta = registration.model._meta
    fields = (*meta.concrete_fields, *meta.many_to_many)
    return {_TABLE: meta.db_table, FIELDS: sorted(field.name for field in fields)}


def _is_empty(registration: Registration, using: str) -> bool:
    """Return whether the table of a model has no rows. A table that is missing is not empty."""
    table, connection = registration.model._meta.db_table, connections[using]
    if not backend_of(connection).columns(connection, [table]):
        return False
    # Not through the model's manager, which may hide some rows.
    return not models.QuerySet(registration.model, using=using).exists()


def log_baselined(label: str, *, using: str) -> None:
    """Write an entry that each row of a model has an entry of its own from now on."""
    record_about_history(BASELINED, about=(BASELINE_KIND, label), changes={}, using=using)


def _changed_fields(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, list[str | None]]:
    old, new = before.get(FIELDS), after.get(FIELDS)
    if old is None or old == new:
        return {}
    return {FIELDS: [json.dumps(old), json.dumps(new)]}


def tracked_times(label: str, *, using: str) -> list[tuple[datetime, datetime | None]]:
    """Return the times from which and until which a model was tracked; None: it still is.

    Installing and removing triggers takes time. The entries that triggers wrote in that time
    show when they were active.
    """
    times: list[tuple[datetime, datetime | None]] = []
    entries = Entry.objects.using(using)
    starts_and_stops = entries.filter(
        entity_model=KIND,
        entity_id__in=renames.labels(label, using=using),
        action__in=(STARTED, STOPPED),
    ).order_by("id")
    for entry in starts_and_stops:
        is_tracked = bool(times) and times[-1][1] is None
        if entry.action == STARTED and not is_tracked:
            times.append((_start(label, entry, using), None))
        elif entry.action == STOPPED and is_tracked:
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
    log = Entry.objects.using(using)
    # By key, because there is an index for it.
    around = log.filter(id__gte=lowest_uuid_at(_since(entry)), id__lte=entry.id)
    entries = around.filter(
        renames.matching("entity_model", label, using=using), kind__in=ROW_KINDS
    ).exclude(source="import")
    times = entries.aggregate(first=Min("timestamp"), last=Max("timestamp"))
    first, last = times["first"], times["last"]
    return None if first is None else _aware(first), None if last is None else _aware(last)


def _since(entry: Any) -> datetime:
    since = (entry.context or {}).get(_SINCE)
    return datetime.fromisoformat(since) if since else _aware(entry.timestamp)


def _aware(moment: datetime) -> datetime:
    return in_utc(moment)


def tracked_labels(using: str) -> set[str]:
    """Return the labels of the models that are tracked, by the entries about registrations."""
    return {label for label, options in _known(using)[0].items() if options}


def _known(using: str) -> tuple[dict[str, dict[str, str]], dict[str, Mapping[str, Any]]]:
    """Return the options and the last context of each model by the entries about it."""
    known: dict[str, dict[str, str]] = {}
    contexts: dict[str, Mapping[str, Any]] = {}
    entries = Entry.objects.using(using)
    for entry in entries.filter(of_few("entity_model", KIND)).order_by("id"):
        label = renames.label_now(entry.entity_id, at=entry.id, using=using)
        _apply(entry, known.setdefault(label, {}))
        context: Mapping[str, Any] = entry.context or {}
        if context.get(FIELDS):
            contexts[label] = context
    return known, contexts


def _apply(entry: Any, options: dict[str, str]) -> None:
    for name, (_old, new) in entry.changes.items():
        if new is None:
            options.pop(name, None)
        elif name != FIELDS:
            options[name] = new


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
