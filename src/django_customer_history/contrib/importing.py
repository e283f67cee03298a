"""The base of imports from other packages: entity by entity, oldest first, in bounded memory."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
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
    announce_import,
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
from django_customer_history.values.moments import in_utc

_ENTITIES = 500
"""How many entities are read, and their states kept in memory, at once."""

Row = tuple[Any, ...]
Changes = dict[str, list[str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReader:
    """Reads the records of another package in pages, ordered by entity, time and key."""

    records: "models.QuerySet[Any]"
    entity: str
    """The field with the key of the entity."""
    time: str
    key: str
    columns: tuple[str, ...]
    """The fields to read of each record, after entity, time and key."""

    def groups(self, size: int) -> Iterator[Iterator[list[Row]]]:
        """Yield groups of pages. All records of one entity are in one group."""
        named = self.records.order_by(self.entity).values_list(self.entity, flat=True).distinct()
        entities = list(named[:_ENTITIES])
        while entities:
            bounds = {f"{self.entity}__gte": entities[0], f"{self.entity}__lte": entities[-1]}
            yield self.pages(size, **bounds)
            entities = list(named.filter(**{f"{self.entity}__gt": entities[-1]})[:_ENTITIES])

    def pages(self, size: int, **bounds: Any) -> Iterator[list[Row]]:
        """Yield the records within `bounds`, which are look-ups of a queryset, in pages."""
        order = (self.entity, self.time, self.key)
        rows = self.records.filter(**bounds).order_by(*order).values_list(*order, *self.columns)
        page = list(rows[:size])
        while page:
            yield page
            if len(page) < size:
                return
            place = dict(zip(order, page[-1], strict=False))
            page = list(rows.filter(_after(order, place))[:size])


def _after(order: Sequence[str], place: dict[str, Any]) -> Q:
    condition = Q()
    for number, name in enumerate(order):
        same = {one: place[one] for one in order[:number]}
        condition |= Q(**same, **{f"{name}__gt": place[name]})
    return condition


@dataclass(frozen=True, kw_only=True)
class ImportTarget:
    """Writes the imported entries of one model, and knows what triggers recorded already."""

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
        """Return whether triggers recorded the changes of this moment."""
        aware = _aware(moment)
        return any(
            _aware(start) <= aware and (end is None or aware < _aware(end))
            for start, end in self._tracked
        )

    def write(self, imported_entries: list[ImportedEntry], *, is_dry_run: bool) -> int:
        """Write the entries that are not in the log yet, or only count them; return how many."""
        if is_dry_run:
            return len(missing_entries(imported_entries, using=self.using))
        return record_imported(imported_entries, using=self.using)

    def announce(self, first: UUID, last: UUID, count: int) -> None:
        """Write the entry that says what an import has written."""
        announce_import(self.label, first=first, last=last, count=count, using=self.using)

    def action(self, kind: Kind, changes: Changes) -> str:
        """Return the action of a change by the registration, else by its kind."""
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
class RecordImport(ABC):
    """Imports the records of one registered model."""

    registration: Registration
    using: str

    @property
    def name(self) -> str:
        """The label of the model."""
        return self.target.label

    def total(self) -> int:
        """Return the number of records."""
        return self.reader.records.count()

    def run(self, *, is_dry_run: bool = False, size: int = BATCH) -> Iterator[Progress]:
        """Write the entries that are missing, and yield the progress after each batch."""
        rows = entries = 0
        keys: set[UUID] = set()
        try:
            for group in self.reader.groups(size):
                states: dict[Any, Any] = {}
                for page in group:
                    imported_entries = list(self.imported_entries(page, states))
                    rows += len(page)
                    entries += self.target.write(imported_entries, is_dry_run=is_dry_run)
                    found = keys.union(one.key for one in imported_entries)
                    keys = {min(found), max(found)} if found else keys
                    yield Progress(rows=rows, entries=entries)
        finally:
            # Also after an error: the batches before it are in the log.
            if keys and not is_dry_run:
                self.target.announce(min(keys), max(keys), entries)

    @cached_property
    def target(self) -> ImportTarget:
        """The target of the entries."""
        return ImportTarget(registration=self.registration, using=self.using)

    @cached_property
    @abstractmethod
    def reader(self) -> RecordReader:
        """The reader of the records."""

    @abstractmethod
    def imported_entries(
        self, page: Sequence[Row], states: dict[Any, Any]
    ) -> Iterator[ImportedEntry]:
        """Yield the entries of a page.

        `states` maps each entity to its state after the pages before; the method updates it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRecord:
    """The values that all entries of one record of the other package share."""

    moment: int
    record: str
    user: NamedUser | None
    context: dict[str, Any]
    ip_address: str | None = None
    request_id: UUID | None = None

    def entry(
        self, part: str, *, order: int, kind: Kind, action: str, content: EntryContent
    ) -> ImportedEntry:
        """Return the entry of one part of the record, such as "update".

        The part is named by what happened. So its entry has the same key in each run, also if
        other parts of the record are no longer imported.
        """
        context = dict(self.context)
        if action == BASELINE:
            context[BASELINE_KEY] = True
        return ImportedEntry(
            moment=self.moment,
            record=f"{self.record}/{part}",
            order=order,
            kind=kind,
            action=action,
            content=content,
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
    """Return the tracked table of a model.

    Raises `ImportSourceError` if the database has no such table.
    """
    label = registration.model._meta.label_lower
    for table in tracked_tables(registry, connections[using]):
        if table.entity_model == label and table.relation is None and not table.part_of:
            return table
    raise ImportSourceError(
        f"Database {using!r} has no table for {label}. Run migrate, or give another --database."
    )


def content_per_subject(
    content: EntryContent, *, now: dict[int, Record], before: dict[int, Record]
) -> Iterator[tuple[str, EntryContent]]:
    """Yield the content for each distinct subject, with the name of its path.

    `now` and `before` map the numbers of the subject paths to the subjects after and before the
    change. Without any subject the content is yielded once.
    """
    paths = {str(number): subject for number, subject in now.items()}
    paths |= {f"{number} before": subject for number, subject in before.items()}
    seen: set[Record] = set()
    for path, subject in paths.items():
        if subject not in seen:
            seen.add(subject)
            yield path, replace(content, subject=subject)
    if not seen:
        yield "0", content


def ordered_microseconds(moment: datetime, previous: int | None) -> int:
    """Return the time of a record in microseconds, later than that of the previous record."""
    microsecond = microseconds_of(moment)
    return microsecond if previous is None else max(microsecond, previous + 1)


def stored_ip_address(text: str | None) -> str | None:
    """Return an IP address as the log keeps it; None if the text is not an address."""
    address = parse_address(text)
    return None if address is None else stored_address(address)


def users_by_key(
    user_model: type[models.Model], keys: set[Any], *, using: str
) -> dict[Any, NamedUser]:
    """Return the users that still exist, by key. Values that cannot be keys are left out."""
    valid = {key for key in keys if key is not None and _is_key(user_model, key)}
    users: Any = user_model._base_manager.using(using).filter(pk__in=valid)
    return {user.pk: NamedUser(id=str(user.pk), label=str(user.get_username())) for user in users}


def user_of(key: Any, known: dict[Any, NamedUser]) -> NamedUser | None:
    """Return the user with a key. A deleted user has the key as name."""
    return None if key is None else known.get(key, NamedUser(id=str(key), label=str(key)))


def _is_key(model: type[models.Model], key: Any) -> bool:
    try:
        model._meta.pk.to_python(key)
    except ValidationError:
        return False
    return True


def _aware(moment: datetime) -> datetime:
    return in_utc(moment)
