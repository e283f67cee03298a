"""Facets: the values that occur in a timeline, for the menus of its filters."""

from collections.abc import Iterable
from dataclasses import dataclass

from django_customer_history.context.current import SOURCES
from django_customer_history.labels import (
    KIND_LABELS,
    action_label,
    system_label,
)
from django_customer_history.models import Entry
from django_customer_history.reading.filters import (
    BY_NAME,
    SYSTEM,
)
from django_customer_history.reading.record_labels import model_title
from django_customer_history.reading.timeline import Timeline

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


def facets(timeline: Timeline, *, depth: int = DEPTH) -> Facets:
    """Return the values that occur in the newest `depth` entries.

    There are no counts: they would disclose how often a confidential value occurs. Each value is
    valid for the filter of its name; a source that is not in the settings any more is left out.
    """
    entries, access, is_complete = timeline.recent(depth)
    sources = [one.source for one in entries]
    return Facets(
        users=_choices(map(_user, entries)),
        actions=_choices((one, action_label(one)) for one in map(access.action, entries)),
        kinds=_choices((one.kind, str(KIND_LABELS[one.kind])) for one in entries),
        entities=_choices((one.entity_model, model_title(one.entity_model)) for one in entries),
        fields=_choices(
            (name, access.rule(one, name).label) for one in entries for name in one.changes
        ),
        sources=_choices((code, SOURCES[code]) for code in sources if code in SOURCES),
        complete=is_complete,
    )


def _user(entry: Entry) -> tuple[str, str]:
    if entry.user_id is None:
        name = entry.user_label
        return (BY_NAME + name, name) if name else (SYSTEM, system_label())
    return entry.user_id, entry.user_label or entry.user_id


def _choices(pairs: Iterable[tuple[str, str]]) -> tuple[Choice, ...]:
    newest: dict[str, str] = {}
    for value, label in pairs:
        newest.setdefault(value, label)
    return tuple(sorted(Choice(label=label, value=value) for value, label in newest.items()))
