"""django-simple-history's snapshots as entries: what differs from one to the next.

A snapshot is read by the SQL of the triggers, so its values are the texts that they would have
written. What it has of secret and excluded fields stays where it is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models

from django_customer_history.backends import backend_of
from django_customer_history.backends.tables import TrackedTable
from django_customer_history.capture.events import (
    EventContent,
    ImportedEntry,
    Record,
)
from django_customer_history.capture.existing_rows import (
    VALUE,
    ExistingRow,
    existing_rows,
    snapshots_of,
)
from django_customer_history.context.resolved import NamedUser
from django_customer_history.contrib.importing import (
    Changes,
    Import,
    ImportedRecord,
    Row,
    Walk,
    after,
    kept_address,
    own_table,
    told_to_each,
    user_of,
    users_by_key,
)
from django_customer_history.exceptions import ImportSourceError
from django_customer_history.labels import (
    BASELINE,
    Kind,
)
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.registration.subject_paths import relations
from django_customer_history.values.encoding import (
    encode,
    value_type_of,
)
from django_customer_history.values.types import ValueType

PACKAGE = "django-simple-history"
_MANAGER = "simple_history_manager_attribute"

_AUDITED = ("history_user_label", "history_source", "history_ip_address", "history_request_id")
"""Columns that snapshots have beside simple-history's own, if they are audited ones."""

Links = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotChange:
    """Something that happened between two snapshots."""

    kind: Kind
    changes: Changes
    link: str = ""
    """Names the link that was added or removed; empty for what happened to the row itself."""

    @property
    def rank(self) -> int:
        """The place among what happened: the row comes first, and goes last."""
        return 1 if self.link else 2 * (self.kind == "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A record of simple-history: what a row held at a moment."""

    type: str
    """One of `+`, `~` and `-`."""
    told: Sequence[ExistingRow]
    """The row, for each of its subjects."""
    links: Links
    moment: int
    """Microseconds since 1970; later than that of the snapshot before."""

    @property
    def values(self) -> dict[str, str]:
        """The texts of the fields that are not null."""
        pairs = self.told[0].changes.items()
        return {name: new for name, (_old, new) in pairs if new is not None}

    @property
    def subjects(self) -> dict[int, Record]:
        """The subjects of the row, by the way that leads to them."""
        return {row.path_number: row.subject for row in self.told if row.subject is not None}


@dataclass(frozen=True, kw_only=True)
class HistoricalTable(Import):
    """The snapshots of one registered model, on their way into the log."""

    @cached_property
    def walk(self) -> Walk:
        """The snapshots."""
        return Walk(
            records=models.QuerySet(self._model, using=self.using),
            entity=str(self.registration.model._meta.pk.attname),
            time="history_date",
            key="history_id",
            columns=("history_type", "history_change_reason", "history_user_id", *self._audited),
        )

    def imported_entries(
        self, page: Sequence[Row], last: dict[Any, Snapshot]
    ) -> Iterator[ImportedEntry]:
        """Yield what differs from one snapshot to the next."""
        users = users_by_key(self._user_model, {row[5] for row in page}, using=self.using)
        told, links = self._told(page), self._links(page)
        for row in page:
            entity, date, key, type_ = row[:4]
            former = last.get(entity)
            moment = after(date, None if former is None else former.moment)
            snapshot = Snapshot(type=type_, told=told[key], links=links[key], moment=moment)
            last[entity] = snapshot
            if not self.target.is_tracked_at(date):
                yield from self._entries(self._source(row, users, moment), former, snapshot)

    def _source(self, row: Row, users: dict[Any, NamedUser], moment: int) -> ImportedRecord:
        _entity, _date, key, _type, reason, user_key, *audited = row
        label, source, ip_address, request_id = (
            dict(zip(self._audited, audited, strict=True)).get(name) for name in _AUDITED
        )
        record = f"{self._model._meta.label_lower}:{encode(key)}"
        context = {"imported_from": PACKAGE, "record": record}
        context |= {"reason": reason} if reason else {}
        context |= {"source": source} if source else {}
        user = user_of(user_key, users)
        if label:
            user = NamedUser(id=None if user_key is None else str(user_key), label=label)
        return ImportedRecord(
            moment=moment,
            record=record,
            user=user,
            ip_address=kept_address(ip_address),
            request_id=request_id,
            context=context,
        )

    def _entries(
        self, source: ImportedRecord, former: Snapshot | None, snapshot: Snapshot
    ) -> Iterator[ImportedEntry]:
        row = snapshot.told[0]
        before = {} if former is None else former.subjects
        for step in _steps(former, snapshot):
            kind, changes = step.kind, step.changes
            action = BASELINE if kind == "event" else self.target.action(kind, changes)
            told = EventContent(entity=(self.name, row.key), label=row.label, changes=changes)
            for place, one in told_to_each(told, now=snapshot.subjects, before=before):
                part = f"{kind}:{step.link}:{place}"
                yield source.past(part, rank=step.rank, kind=kind, action=action, told=one)

    @cached_property
    def _model(self) -> Any:
        return historical_model(self.registration.model)

    @cached_property
    def _audited(self) -> tuple[str, ...]:
        present = {field.name for field in self._model._meta.fields}
        return tuple(name for name in _AUDITED if name in present)

    @cached_property
    def _table(self) -> TrackedTable:
        return snapshot_table(self.registration, using=self.using)

    def _told(self, page: Sequence[Row]) -> dict[Any, list[ExistingRow]]:
        """Return what the snapshots held, by their keys."""
        key: Any = self._model._meta.pk
        connection = connections[self.using]
        quoted = backend_of(connection).quote(str(key.column))
        by_text: dict[str | None, list[ExistingRow]] = defaultdict(list)
        for row in existing_rows(
            connection,
            self._table,
            rows=f"{quoted} IN ({', '.join(VALUE for _ in page)})",
            values=[key.get_db_prep_value(row[2], connection) for row in page],
            extra_columns=[
                (str(key.column), value_type_of(key, use_tz=settings.USE_TZ) or ValueType.TEXT)
            ],
        ):
            by_text[row.extra_values[0]].append(row)
        return {row[2]: by_text[encode(row[2])] for row in page}

    def _links(self, page: Sequence[Row]) -> dict[Any, Links]:
        """Return the links that the snapshots held, by field."""
        keys = [row[2] for row in page]
        found: dict[Any, dict[str, set[str]]] = {
            key: {relation.name: set() for relation in self._relations} for key in keys
        }
        for relation in self._relations:
            model = getattr(self._model, relation.name).model
            target = model._meta.get_field(relation.m2m_reverse_field_name()).attname
            rows: Any = models.QuerySet(model, using=self.using).filter(history_id__in=keys)
            for key, linked in rows.values_list("history_id", target):
                found[key][relation.name].add(encode(linked) or "")
        return {
            key: {name: frozenset(linked) for name, linked in links.items()}
            for key, links in found.items()
        }

    @cached_property
    def _relations(self) -> list[Any]:
        tracked = {field.name for field in relations(self.registration, registry)}
        return [one for one in self._model._history_m2m_fields if one.name in tracked]

    @property
    def _user_model(self) -> type[models.Model]:
        try:
            user = self._model._meta.get_field("history_user")
        except FieldDoesNotExist:
            return get_user_model()  # The project keeps the key of the user in a field of its own.
        related: type[models.Model] = user.related_model
        return related


def historical_model(model: type[models.Model]) -> Any:
    """Return the model of a model's snapshots, or None where simple-history keeps none."""
    manager = getattr(model._meta, _MANAGER, None)
    return None if manager is None else getattr(model, manager).model


def snapshot_table(registration: Registration, *, using: str) -> TrackedTable:
    """Return the table of a model's snapshots, to be read as its own would be.

    Raises `ImportSourceError` where one of the two is missing.
    """
    table, connection = own_table(registration, using=using), connections[using]
    name = historical_model(registration.model)._meta.db_table
    columns = backend_of(connection).columns(connection, [name])
    if name not in columns:
        raise ImportSourceError(
            f"In the database {using!r} there is no table {name!r} of the snapshots of"
            f" {registration.model._meta.label_lower}. Run migrate first."
        )
    return snapshots_of(table, name=name, columns={column.name for column in columns[name]})


def historical_tables(
    using: str, *, models_wanted: Collection[type[models.Model]] | None = None
) -> list[HistoricalTable]:
    """Return the snapshots of all registered models that have any, or of some models.

    Raises `ImportSourceError` for a model without snapshots, and where there are none at all.
    """
    wanted = [
        registration
        for registration in registry
        if models_wanted is None or registration.model in models_wanted
    ]
    without = [one.model._meta.label for one in wanted if historical_model(one.model) is None]
    if models_wanted is not None and without:
        raise ImportSourceError(f"{', '.join(without)}: {PACKAGE} keeps no snapshots of it.")
    found = [
        HistoricalTable(registration=registration, using=using)
        for registration in wanted
        if historical_model(registration.model) is not None
    ]
    if not found:
        raise ImportSourceError(
            f"{PACKAGE} keeps snapshots of no registered model. Register the models whose history"
            " you want to import, and leave their HistoricalRecords where they are until then."
        )
    return found


def _steps(former: Snapshot | None, snapshot: Snapshot) -> Iterator[SnapshotChange]:
    """Yield what happened between two snapshots."""
    is_there = former is not None and former.type != "-"
    before = former.values if former is not None and is_there else {}
    links: Links = former.links if former is not None and is_there else {}
    after = snapshot.values
    if snapshot.type == "-":
        yield from _link_steps(links, {})
        yield SnapshotChange(
            kind="delete", changes={name: [old, None] for name, old in after.items()}
        )
        return
    changes: Changes = {
        name: [before.get(name), after.get(name)]
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }
    if is_there:
        if changes:
            yield SnapshotChange(kind="update", changes=changes)
        yield from _link_steps(links, snapshot.links)
        return
    # A first record that is no creation: the row is older than its snapshots.
    is_creation = snapshot.type == "+"
    yield SnapshotChange(kind="create" if is_creation else "event", changes=changes)
    for step in _link_steps({}, snapshot.links):
        yield step if is_creation else replace(step, kind="event")


def _link_steps(before: Links, after: Links) -> Iterator[SnapshotChange]:
    for name in {**before, **after}:
        old, new = before.get(name, frozenset()), after.get(name, frozenset())
        for key in sorted(old - new):
            yield SnapshotChange(kind="remove", changes={name: [key, None]}, link=f"{name}:{key}")
        for key in sorted(new - old):
            yield SnapshotChange(kind="add", changes={name: [None, key]}, link=f"{name}:{key}")
