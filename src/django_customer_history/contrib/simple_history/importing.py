"""Import the snapshots of django-simple-history: entries for the differences between them.

Snapshots are read with the SQL of the triggers, so values have the texts that triggers would have
written. Values of secret and excluded fields are not imported.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections, models

from django_customer_history.backends import backend_of
from django_customer_history.backends.tables import TrackedTable
from django_customer_history.capture.events import (
    IMPORTED_FROM,
    EntryContent,
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
    ImportedRecord,
    RecordImport,
    RecordReader,
    Row,
    content_per_subject,
    ordered_microseconds,
    own_table,
    stored_ip_address,
    user_of,
    users_by_key,
)
from django_customer_history.exceptions import ImportSourceError
from django_customer_history.labels import (
    BASELINE,
    Kind,
)
from django_customer_history.registration.fields import field_of
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
"""The columns of `AuditedSnapshot`, which not all historical models have."""

Links = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotChange:
    """A change between two snapshots."""

    kind: Kind
    changes: Changes
    link: str = ""
    """The link that was added or removed; empty for a change of the row itself."""

    @property
    def order(self) -> int:
        """The order within one snapshot: the row is created first and deleted last."""
        return 1 if self.link else 2 * (self.kind == "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A record of simple-history: the values of a row at one time."""

    type: str
    """One of `+`, `~` and `-`."""
    rows: Sequence[ExistingRow]
    """The row, once for each of its subjects."""
    links: Links
    moment: int
    """Microseconds since 1970; later than that of the snapshot before."""

    @property
    def values(self) -> dict[str, str]:
        """The texts of the fields that are not null."""
        pairs = self.rows[0].changes.items()
        return {name: new for name, (_old, new) in pairs if new is not None}

    @property
    def subjects(self) -> dict[int, Record]:
        """The subjects of the row, by the number of the path."""
        return {row.path_number: row.subject for row in self.rows if row.subject is not None}


@dataclass(frozen=True, kw_only=True)
class SnapshotImport(RecordImport):
    """Imports the snapshots of one registered model."""

    @cached_property
    def reader(self) -> RecordReader:
        """The reader of the snapshots."""
        return RecordReader(
            records=models.QuerySet(self._model, using=self.using),
            entity=str(self.registration.model._meta.pk.attname),
            time="history_date",
            key="history_id",
            columns=("history_type", "history_change_reason", "history_user_id", *self._audited),
        )

    def imported_entries(
        self, page: Sequence[Row], states: dict[Any, Snapshot]
    ) -> Iterator[ImportedEntry]:
        """Yield the entries for the differences between snapshots."""
        users = users_by_key(self._user_model, {row[5] for row in page}, using=self.using)
        existing, links = self._existing_rows(page), self._links(page)
        for row in page:
            entity, date, key, type_ = row[:4]
            former = states.get(entity)
            moment = ordered_microseconds(date, None if former is None else former.moment)
            snapshot = Snapshot(type=type_, rows=existing[key], links=links[key], moment=moment)
            states[entity] = snapshot
            if not self.target.is_tracked_at(date):
                yield from self._entries(self._source(row, users, moment), former, snapshot)

    def _source(self, row: Row, users: dict[Any, NamedUser], moment: int) -> ImportedRecord:
        _entity, _date, key, _type, reason, user_key, *audited = row
        label, source, ip_address, request_id = (
            dict(zip(self._audited, audited, strict=True)).get(name) for name in _AUDITED
        )
        record = f"{self._model._meta.label_lower}:{encode(key)}"
        context = {IMPORTED_FROM: PACKAGE, "record": record}
        context |= {"reason": reason} if reason else {}
        context |= {"source": source} if source else {}
        user = user_of(user_key, users)
        if label:
            user = NamedUser(id=None if user_key is None else str(user_key), label=label)
        return ImportedRecord(
            moment=moment,
            record=record,
            user=user,
            ip_address=stored_ip_address(ip_address),
            request_id=request_id,
            context=context,
        )

    def _entries(
        self, source: ImportedRecord, former: Snapshot | None, snapshot: Snapshot
    ) -> Iterator[ImportedEntry]:
        row = snapshot.rows[0]
        before = {} if former is None else former.subjects
        for change in _changes(former, snapshot):
            kind, changes = change.kind, change.changes
            action = BASELINE if kind == "event" else self.target.action(kind, changes)
            content = EntryContent(entity=(self.name, row.key), label=row.label, changes=changes)
            for path, one in content_per_subject(content, now=snapshot.subjects, before=before):
                part = f"{kind}:{change.link}:{path}"
                yield source.entry(part, order=change.order, kind=kind, action=action, content=one)

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

    def _existing_rows(self, page: Sequence[Row]) -> dict[Any, list[ExistingRow]]:
        """Return the rows in the snapshots, by the keys of the snapshots."""
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
        """Return the links in the snapshots, by field."""
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
        user = field_of(self._model, "history_user")
        if user is None:
            return get_user_model()  # The project keeps the key of the user in a field of its own.
        related: type[models.Model] = user.related_model
        return related


def historical_model(model: type[models.Model]) -> Any:
    """Return the historical model of a model; None if simple-history does not track it."""
    manager = getattr(model._meta, _MANAGER, None)
    return None if manager is None else getattr(model, manager).model


def snapshot_table(registration: Registration, *, using: str) -> TrackedTable:
    """Return the table of a model's snapshots as if it were the model's own table.

    Raises `ImportSourceError` if one of the two tables is missing.
    """
    table, connection = own_table(registration, using=using), connections[using]
    name = historical_model(registration.model)._meta.db_table
    columns = backend_of(connection).columns(connection, [name])
    if name not in columns:
        raise ImportSourceError(
            f"Database {using!r} has no table {name!r} for the snapshots of"
            f" {registration.model._meta.label_lower}. Run migrate first."
        )
    return snapshots_of(table, name=name, columns={column.name for column in columns[name]})


def historical_tables(
    using: str, *, models_wanted: Collection[type[models.Model]] | None = None
) -> list[SnapshotImport]:
    """Return the imports of all registered models that have snapshots, or of some models.

    Raises `ImportSourceError` for a model without snapshots, or if no model has any.
    """
    wanted = [
        registration
        for registration in registry
        if models_wanted is None or registration.model in models_wanted
    ]
    without = [one.model._meta.label for one in wanted if historical_model(one.model) is None]
    if models_wanted is not None and without:
        raise ImportSourceError(f"{PACKAGE} keeps no snapshots of {', '.join(without)}.")
    found = [
        SnapshotImport(registration=registration, using=using)
        for registration in wanted
        if historical_model(registration.model) is not None
    ]
    if not found:
        raise ImportSourceError(
            f"{PACKAGE} keeps no snapshots of registered models. Register the models whose history"
            " you want to import, and keep their HistoricalRecords until the import is done."
        )
    return found


def _changes(former: Snapshot | None, snapshot: Snapshot) -> Iterator[SnapshotChange]:
    """Yield the changes between two snapshots."""
    is_there = former is not None and former.type != "-"
    before = former.values if former is not None and is_there else {}
    links: Links = former.links if former is not None and is_there else {}
    after = snapshot.values
    if snapshot.type == "-":
        yield from _link_changes(links, {})
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
        yield from _link_changes(links, snapshot.links)
        return
    # If the first record is not a creation, the row is older than its snapshots.
    is_creation = snapshot.type == "+"
    yield SnapshotChange(kind="create" if is_creation else "event", changes=changes)
    for change in _link_changes({}, snapshot.links):
        yield change if is_creation else replace(change, kind="event")


def _link_changes(before: Links, after: Links) -> Iterator[SnapshotChange]:
    for name in {**before, **after}:
        old, new = before.get(name, frozenset()), after.get(name, frozenset())
        for key in sorted(old - new):
            yield SnapshotChange(kind="remove", changes={name: [key, None]}, link=f"{name}:{key}")
        for key in sorted(new - old):
            yield SnapshotChange(kind="add", changes={name: [None, key]}, link=f"{name}:{key}")
