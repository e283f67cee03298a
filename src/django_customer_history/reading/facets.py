"""Facets: the values that occur in a timeline, for the menus of its filters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import starmap

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.context.current import SOURCES
from django_customer_history.labels import (
    KIND_LABELS,
    action_label,
    system_label,
)
from django_customer_history.models import Entry
from django_customer_history.reading.actions import actions_of_values
from django_customer_history.reading.combinations import combinations
from django_customer_history.reading.filters import (
    BY_NAME,
    SYSTEM,
)
from django_customer_history.reading.query import FAR, RecentEntries
from django_customer_history.reading.record_labels import model_title
from django_customer_history.reading.time_limit import searching
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.fields import is_logged
from django_customer_history.registration.registry import registry

DEPTH = 2_000
"""The number of newest entries that are read: the cost does not grow with the log."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Choice:
    """A value of a filter, and its label."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """The values that occur in the newest entries, each list in the order of its labels."""

    users: tuple[Choice, ...]
    actions: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    entities: tuple[Choice, ...]
    fields: tuple[Choice, ...]
    sources: tuple[Choice, ...]
    complete: bool
    """Whether every entry of the timeline was read."""
    entity_fields: tuple["FieldChoice", ...] = ()
    """The fields again, each with its model."""
    moments: tuple[datetime, ...] = ()
    """When the newest entries were made, in UTC; only `menu_facets` reads them."""
    older: frozenset[tuple[str, str]] = frozenset()
    """Names of filters with values that the newest entries do not have, but perhaps older ones."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FieldChoice:
    """A field of one model, as a value of the filter `field`."""

    entity: str
    """What a record of the model is called."""
    label: str
    value: str
    """The label of the model and the name of the field: `crm.invoice:number`."""
    name: str


def facets(timeline: Timeline, *, depth: int = DEPTH) -> Facets:
    """Return the values that occur in the newest `depth` entries.

    There are no counts: they would disclose how often a confidential value occurs. Each value is
    valid for the filter of its name; a source that is not in the settings any more is left out.
    """
    return _facets(timeline, timeline.recent(depth))


def menu_facets(timeline: Timeline, *, depth: int = DEPTH) -> Facets:
    """Return the values for the menus of a record: also those that only older entries have.

    It reads the newest `depth` entries as `facets` does, and their times. If the record has more,
    one statement finds the users, actions, kinds, entities and sources of its newest 100,000
    entries, and the registrations say which fields there are. Over all records only the times are
    read in addition.
    """
    recent = timeline.recent(depth, has_moments=True)
    found = _facets(timeline, recent)
    if recent.is_complete or timeline.model is None:
        return found
    older = _facets(timeline, replace(recent, entries=_distinct(timeline)))
    fields = tuple(_registered_fields(timeline, recent.access))
    known = {(name, one.value) for name, one in _values(found)}
    merged = replace(
        found,
        users=_merged(found.users, older.users),
        actions=_merged(found.actions, older.actions),
        kinds=_merged(found.kinds, older.kinds),
        entities=_merged(found.entities, older.entities),
        sources=_merged(found.sources, older.sources),
        entity_fields=_sorted_fields(
            timeline, {one.value: one for one in (*fields, *found.entity_fields)}.values()
        ),
    )
    rest = ((name, one.value) for name, one in _values(merged))
    return replace(merged, older=frozenset(one for one in rest if one not in known))


def _facets(timeline: Timeline, recent: RecentEntries) -> Facets:
    entries, access = recent.entries, recent.access
    # Each value once, the newest first: its label is made only once.
    users = dict.fromkeys((one.user_id, one.user_label) for one in entries)
    actions = dict.fromkeys(map(access.action, entries))
    kinds = dict.fromkeys(one.kind for one in entries)
    entities = dict.fromkeys(one.entity_model for one in entries)
    sources = dict.fromkeys(one.source for one in entries)
    fields: dict[tuple[str, str], str] = {}
    for model, rules in dict.fromkeys((one.entity_model, access.rules(one)) for one in entries):
        for name, rule in rules.by_name.items():
            fields.setdefault((model, name), rule.label)
    return Facets(
        users=_choices(starmap(_user, users)),
        actions=_choices((one, action_label(one)) for one in actions),
        kinds=_choices((one, str(KIND_LABELS[one])) for one in kinds),
        entities=_choices((one, model_title(one)) for one in entities),
        fields=_choices((name, label) for (_model, name), label in fields.items()),
        sources=_choices((code, SOURCES[code]) for code in sources if code in SOURCES),
        complete=recent.is_complete,
        moments=recent.moments,
        entity_fields=_sorted_fields(
            timeline, (_field(model, name, label) for (model, name), label in fields.items())
        ),
    )


def _field(model: str, name: str, label: str) -> FieldChoice:
    # Events can have names of things that are not registered: the plain name finds them.
    value = f"{model}:{name}" if registry.find(model) else name
    return FieldChoice(entity=model_title(model), label=label, value=value, name=name)


def _sorted_fields(timeline: Timeline, fields: Iterable[FieldChoice]) -> tuple[FieldChoice, ...]:
    """Return fields in the order of their entities; those of the subject itself come first."""
    own = "" if timeline.model is None else f"{timeline.model._meta.label_lower}:"
    return tuple(sorted(fields, key=lambda one: (not one.value.startswith(own), one)))


def _distinct(timeline: Timeline) -> list[Entry]:
    """Return one entry, without changes, for each combination of values that a menu has."""
    entries = timeline.queryset
    for limit in entries.newest_first().values_list("id", flat=True)[FAR : FAR + 1]:
        entries = entries.newer_than(limit)
    with searching(entries.db):
        # Readers see other names of these actions.
        return combinations(
            entries.exclude(action__in=sorted(actions_of_values())), has_fields=False
        )


def _registered_fields(timeline: Timeline, access: FieldAccess) -> Iterator[FieldChoice]:
    for model in timeline.tracked_models():
        registration = registry.find(model)
        if registration is None:
            continue
        for field in registration.model._meta.concrete_fields:
            if is_logged(registration, field):
                yield _field(model, field.name, access.rule_of(model, field.name).label)


def _values(found: Facets) -> Iterator[tuple[str, Choice | FieldChoice]]:
    for name, choices in (
        ("user", found.users),
        ("action", found.actions),
        ("kind", found.kinds),
        ("entity", found.entities),
        ("source", found.sources),
        ("field", found.entity_fields),
    ):
        for one in choices:
            yield name, one


def _merged(newest: tuple[Choice, ...], older: tuple[Choice, ...]) -> tuple[Choice, ...]:
    known = {one.value for one in newest}
    return tuple(sorted((*newest, *(one for one in older if one.value not in known))))


def _user(key: str | None, name: str | None) -> tuple[str, str]:
    if key is None:
        return (BY_NAME + name, name) if name else (SYSTEM, system_label())
    return key, name or key


def _choices(pairs: Iterable[tuple[str, str]]) -> tuple[Choice, ...]:
    newest: dict[str, str] = {}
    for value, label in pairs:
        newest.setdefault(value, label)
    return tuple(sorted(Choice(label=label, value=value) for value, label in newest.items()))
