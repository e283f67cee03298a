"""Facets: what occurs in a history, for the menus of its filters."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.apps import apps
from django.utils.text import capfirst

from django_customer_history.context import SOURCES
from django_customer_history.filters import NOBODY
from django_customer_history.timeline import Timeline

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
    """Return what occurs in the newest `depth` entries; without counts, which would tell."""
    entries, sight, is_complete = timeline.sample(depth)
    return Facets(
        users=_choices(
            (one.actor_id or NOBODY, one.actor_label or one.actor_id or NOBODY.capitalize())
            for one in entries
        ),
        actions=_choices((one.action, one.action) for one in entries),
        kinds=_choices((one.kind, one.kind.capitalize()) for one in entries),
        entities=_choices((one.entity_model, _model_name(one.entity_model)) for one in entries),
        fields=_choices(
            (name, sight.rule(one, name).label) for one in entries for name in one.changes
        ),
        sources=_choices((one.source, SOURCES.get(one.source, one.source)) for one in entries),
        complete=is_complete,
    )


def _choices(pairs: Iterable[tuple[str, str]]) -> tuple[Choice, ...]:
    newest: dict[str, str] = {}
    for value, label in pairs:
        newest.setdefault(value, label)
    return tuple(sorted(Choice(label=label, value=value) for value, label in newest.items()))


def _model_name(label: str) -> str:
    try:
        return str(capfirst(apps.get_model(label)._meta.verbose_name))
    except LookupError:
        return label
