"""Facets: what occurs in a history, for the menus of its filters."""

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
"""Newest entries that are looked at: the cost does not grow with the log."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Choice:
    """A value that a filter can be given, and what people call it."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What occurs in the newest entries, each list in the order of its labels."""

    users: tuple[Choice, ...]
    actions: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    entities: tuple[Choice, ...]
    fields: tuple[Choice, ...]
    sources: tuple[Choice, ...]
    complete: bool
    """Whether every entry was looked at."""


def facets(timeline: Timeline, *, depth: int = DEPTH) -> Facets:
    """Return what occurs in the newest `depth` entries; without counts, which would tell.

    Each value fits the filter of its name; a source that the settings know no more is left out.
    """
    entries, sight, is_complete = timeline.recent(depth)
    sources = [one.source for one in entries]
    return Facets(
        users=_choices(map(_user, entries)),
        actions=_choices((one, action_label(one)) for one in map(sight.action, entries)),
        kinds=_choices((one.kind, str(KIND_LABELS[one.kind])) for one in entries),
        entities=_choices((one.entity_model, model_title(one.entity_model)) for one in entries),
        fields=_choices(
            (name, sight.rule(one, name).label) for one in entries for name in one.changes
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
