"""Walks over the records of another package: entity by entity, oldest first, in bounded memory."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connections, models
from django.db.models import Q

from django_customer_history.backends.tables import TrackedTable
from django_customer_history.capture.batches import (
    BATCH,
    Progress,
)
from django_customer_history.capture.events import (
    EntryContent,
    ImportedEntry,
    Record,
    missing_entries,
    record_imported,
)
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.capture.registration_log import tracked_times
from django_customer_history.context.ip_addresses import (
    parse_address,
    stored_address,
)
from django_customer_history.context.resolved import (
    NamedUser,
    ResolvedContext,
)
from django_customer_history.exceptions import ImportSourceError
from django_customer_history.keys import microseconds_of
from django_customer_history.labels import (
    BASELINE,
    BASELINE_KEY,
    DEFAULT_ACTIONS,
    Kind,
)
from django_customer_history.registration.registry import (
    Registration,
    registry,
)

_ENTITIES = 100
"""Entities whose state is held at once."""

Row = tuple[Any, ...]
Changes = dict[str, list[str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The order in which records are read: by entity, then by time, then by key."""

    records: "models.QuerySet[Any]"
    entity: str
    """The field that names the entity."""
    time: str
    key: str
    columns: tuple[str, ...]
    """What is read of each record, after these three."""

    def groups(self, size: int) -> Iterator[Iterator[list[Row]]]:
        """Yield the pages of some entities at a time; none of them is in two groups."""
        named = self.records.order_by(self.entity).values_list(self.entity, flat=True).distinct()
        entities = list(named[:_ENTITIES])
        while entities:
            bounds = {f"{self.entity}__gte": entities[0], f"{self.entity}__lte": entities[-1]}
            yield self.pages(size, **bounds)
            entities = list(named.filter(**{f"{self.entity}__gt": entities[-1]})[:_ENTITIES])

    def pages(self, size: int, **bounds: Any) -> Iterator[list[Row]]:
        """Yield the records within some bounds, so many at a time."""
        order = (self.entity, self.time, self.key)
        rows = self.records.filter(**bounds).order_by(*order).values_list(*order, *self.columns)
        page = list(rows[:size])
        while page:
            yield page
            place = dict(zip(order, page[-1], strict=False))
            page = list(rows.filter(_after(order, place))[:size])


def _after(order: Sequence[str], place: dict[str, Any]) -> Q:
    condition = Q()
    for number, name in enumerate(order):
        same = {one: place[one] for one in order[:number]}
        condition |= Q(**same, **{f"{name}__gt": place[name]})
    return condition


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the entries of one model go, and which are there already by other means."""

    registration: Registration
    using: str

    @property
    def label(self) -> str:
        """The label of the model."""
        return self.registration.model._meta.label_lower

    @cached_property
    def _tracked(self) -> list[tuple[datetime, datetime | None]]:
        return tracked_times(self.label, using=self.using)

    def is_tracked_at(self, moment: datetime) -> bool:
        """Return whether triggers wrote down themselves what happened at a moment."""
        aware = _aware(moment)
        return any(
            _aware(start) <= aware and (end is None or aware < _aware(end))
            for start, end in self._tracked
        )

    def written(self, imported_entries: list[ImportedEntry], *, is_dry_run: bool) -> int:
        """Write what is not in the log yet and return how many entries that are."""
        if is_dry_run:
            return len(missing_entries(imported_entries, using=self.using))
        return record_imported(imported_entries, using=self.using)

    def action(self, kind: Kind, changes: Changes) -> str:
        """Return what the registration calls a change, or what its kind is called."""
        for event in self.registration.events:
            if event.field == kind:
                return event.action
            if event.field not in changes or kind not in ("create", "update"):
                continue
            is_value = event.value is not None and changes[event.field][1] == event.value
            if is_value or (event.value is None and kind == "update"):
                return event.action
        return DEFAULT_ACTIONS[kind]


@dataclass(frozen=True, kw_only=True)
class Import(ABC):
    """The records of one registered model, on their way into the log."""

    registration: Registration
    using: str

    @property
    def name(self) -> str:
        """The label of the model."""
        return self.target.label

    def total(self) -> int:
        """Return the number of records."""
        return self.walk.records.count()

    def run(self, *, is_dry_run: bool = False, size: int = BATCH) -> Iterator[Progress]:
        """Write the entries that are missing, and tell after each batch how far it is."""
        rows = entries = 0
        for group in self.walk.groups(size):
            last: dict[Any, Any] = {}
            for page in group:
                imported_entries = list(self.imported_entries(page, last))
                rows += len(page)
                entries += self.target.written(imported_entries, is_dry_run=is_dry_run)
                yield Progress(rows=rows, entries=entries)

    @cached_property
    def target(self) -> Target:
        """Where the entries go."""
        return Target(registration=self.registration, using=self.using)

    @cached_property
    @abstractmethod
    def walk(self) -> Walk:
        """The records, in their order."""

    @abstractmethod
    def imported_entries(
        self, page: Sequence[Row], last: dict[Any, Any]
    ) -> Iterator[ImportedEntry]:
        """Yield the entries of a page; `last` is what came of the entities before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRecord:
    """What all entries of one record of the other package have in common."""

    moment: int
    record: str
    user: NamedUser | None
    context: dict[str, Any]
    ip_address: str | None = None
    request_id: UUID | None = None

    def past(
        self, part: str, *, rank: int, kind: Kind, action: str, told: EntryContent
    ) -> ImportedEntry:
        """Return the entry of one part of the record, such as "update".

        The part is named by what happened, so that it has the same key whatever else of the
        record is, or is no longer, of interest.
        """
        context = dict(self.context)
        if action == BASELINE:
            # EntryContent without an action that anybody took: what was there already.
            context[BASELINE_KEY] = True
        return ImportedEntry(
            moment=self.moment,
            record=f"{self.record}/{part}",
            rank=rank,
            kind=kind,
            action=action,
            told=told,
            resolved=ResolvedContext(
                user_id=None if self.user is None else self.user.id,
                user_label=None if self.user is None else self.user.label,
                source="import",
                ip_address=self.ip_address,
                request_id=self.request_id,
                detail=json.dumps(context) if context else None,
            ),
        )


def own_table(registration: Registration, *, using: str) -> TrackedTable:
    """Return what is tracked of the rows of a model.

    Raises `ImportSourceError` where they have no table.
    """
    label = registration.model._meta.label_lower
    for table in tracked_tables(registry, connections[using]):
        if table.entity_model == label and table.relation is None and table.part_of is None:
            return table
    raise ImportSourceError(f"In the database {using!r} there is no table of {label}.")


def told_to_each(
    told: EntryContent, *, now: dict[int, Record], before: dict[int, Record]
) -> Iterator[tuple[str, EntryContent]]:
    """Yield what is told on the tab of each subject, that of before included, and its place.

    Subjects are given by the way that leads to them.
    """
    places = {str(way): subject for way, subject in now.items()}
    places |= {f"{way} before": subject for way, subject in before.items()}
    seen: set[Record] = set()
    for place, subject in places.items():
        if subject not in seen:
            seen.add(subject)
            yield place, replace(told, subject=subject)
    if not seen:
        yield "0", told


def after(moment: datetime, former: int | None) -> int:
    """Return the microseconds of a record; those of one moment keep their order."""
    microsecond = microseconds_of(moment)
    return microsecond if former is None else max(microsecond, former + 1)


def kept_address(text: str | None) -> str | None:
    """Return as much of an address as the settings let the log keep."""
    address = parse_address(text)
    return None if address is None else stored_address(address)


def users_by_key(
    user_model: type[models.Model], keys: set[Any], *, using: str
) -> dict[Any, NamedUser]:
    """Return the users that still exist, by key; what can be no key is nobody's."""
    found = {key for key in keys if key is not None and _is_key(user_model, key)}
    users: Any = user_model._base_manager.using(using).filter(pk__in=found)
    return {user.pk: NamedUser(id=str(user.pk), label=str(user.get_username())) for user in users}


def user_of(key: Any, known: dict[Any, NamedUser]) -> NamedUser | None:
    """Return who acted; one who is gone has a key for a name."""
    return None if key is None else known.get(key, NamedUser(id=str(key), label=str(key)))


def _is_key(model: type[models.Model], key: Any) -> bool:
    try:
        model._meta.pk.to_python(key)
    except ValidationError:
        return False
    return True


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
