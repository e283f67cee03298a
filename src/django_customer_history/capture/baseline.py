"""First entries: what rows held that are older than their registration.

A row without an entry of its creation gets one that lists what it holds. Fields of which an
entry tells already are left out: what they held before stands there. What is listed has not
changed since tracking began, so that "when was this set?" has an answer: before that.

Each batch locks its rows, looks at what the log knows of them and writes, so no change can come
between. Batches are transactions of their own: a run that was cut short goes on where it was.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q

from django_customer_history.backends import (
    backend_of,
)
from django_customer_history.backends import (
    existing_rows as baseline,
)
from django_customer_history.backends.base import Backend
from django_customer_history.backends.tables import TrackedTable
from django_customer_history.capture.batches import (
    BATCH,
    Progress,
)
from django_customer_history.capture.events import (
    EntryContent,
    record_baselines,
)
from django_customer_history.capture.existing_rows import (
    VALUE,
    asked,
    existing_rows,
    for_django,
    keys_to_split,
)
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.capture.triggers import (
    compare_triggers,
    log_table,
)
from django_customer_history.context.current import acting
from django_customer_history.exceptions import CaptureError
from django_customer_history.labels import (
    BASELINE,
    BASELINE_KEY,
)
from django_customer_history.models import Entry
from django_customer_history.registration.registry import (
    Registration,
    registry,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The first entries of the rows, or the links, of one table."""

    table: TrackedTable
    model: type[models.Model]
    """The model of the rows: a registered one, or that of the links of a relation."""
    connection: BaseDatabaseWrapper

    @property
    def name(self) -> str:
        """What to call it: `crm.customer`, or `crm.customer.tags` for links."""
        relation = self.table.relation
        label = self.table.entity_model
        return label if relation is None else f"{label}.{relation.field}"

    def total(self) -> int:
        """Return the number of rows."""
        return self._rows().count()

    def run(self, *, is_dry_run: bool = False, size: int = BATCH) -> Iterator[Progress]:
        """Write the first entries that are missing, and tell after each batch how far it is."""
        rows = entries = 0
        for keys in self._batches(size):
            rows += len(keys)
            entries += self._missing(keys) if is_dry_run else self._written(keys)
            yield Progress(rows=rows, entries=entries)

    def _rows(self) -> "models.QuerySet[models.Model]":
        # Not through a manager: a host's own may hide some rows.
        return models.QuerySet(self.model, using=self.connection.alias)

    def _batches(self, size: int) -> Iterator[list[Any]]:
        rows = self._rows().order_by("pk").values_list("pk", flat=True)
        keys = list(rows[:size])
        while keys:
            yield keys
            keys = list(rows.filter(pk__gt=keys[-1])[:size])

    def _missing(self, keys: Sequence[Any]) -> int:
        missing, partly = self._unknown(keys)
        return len(missing) + len(_keys(self._told(keys, partly)))

    def _written(self, keys: Sequence[Any]) -> int:
        with transaction.atomic(using=self.connection.alias), acting(extra={BASELINE_KEY: True}):
            self._lock(keys)
            missing, partly = self._unknown(keys)
            told = self._told(keys, partly)
            if missing and keys_to_split(self.connection, self.table):
                told += self._told(keys, {place: set() for place in missing})
            elif missing:
                self._write(keys, missing)
            record_baselines(told, using=self.connection.alias)
        return len(missing) + len(_keys(told) - set(missing))

    def _lock(self, keys: Sequence[Any]) -> None:
        if self.connection.features.has_select_for_update:
            rows = self._rows().filter(pk__in=keys).order_by("pk")
            list(rows.select_for_update().values_list("pk", flat=True))
            return
        # One writer at a time: a write that changes nothing makes this connection the one.
        with self.connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {self._backend.quote(log_table())} WHERE 1 = 0")

    def _unknown(self, keys: Sequence[Any]) -> tuple[list[str], dict[str, set[str]]]:
        """Return the places of which the log knows nothing, and those it knows in part.

        Known in part is a row whose entries do not tell how it began: with it come the fields
        that they tell of.
        """
        rows, values = self._among(keys)
        query = baseline.places(self._backend, self.table, rows=rows)
        found = asked(self.connection, query, values)
        places = {place for (place,) in found}
        if (relation := self.table.relation) is not None:
            return sorted(places - self._known_links(places, relation.field)), {}
        entries = self._entries(places)
        begun = set(entries.filter(_HAS_START).values_list("entity_id", flat=True).distinct())
        partly: dict[str, set[str]] = defaultdict(set)
        others = entries.filter(kind__in=("update", "delete"), entity_id__in=places - begun)
        for key, changes in others.values_list("entity_id", "changes").iterator():
            partly[key].update(changes)
        return sorted(places - begun - partly.keys()), partly

    def _known_links(self, places: set[str], field: str) -> set[str]:
        entries = self._entries({place.rpartition(" ")[0] for place in places})
        told = entries.filter(Q(kind__in=("add", "remove")) | _HAS_START)
        pairs = told.filter(changes__has_key=field).values_list("entity_id", "changes")
        return {
            f"{key} {target}"
            for key, changes in pairs.iterator()
            for target in changes[field]
            if target is not None
        }

    def _entries(self, keys: Iterable[str]) -> "models.QuerySet[Entry]":
        entries = Entry.objects.using(self.connection.alias)
        return entries.filter(entity_model=self.table.entity_model, entity_id__in=list(keys))

    def _write(self, keys: Sequence[Any], places: Sequence[str]) -> None:
        rows, values = self._among(keys)
        statements = baseline.writing(
            self._backend,
            self.table,
            log=log_table(),
            action=BASELINE,
            rows=rows,
            condition=self._at(places),
        )
        with self.connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(for_django(sql), [*values, *places])

    def _told(self, keys: Sequence[Any], known: Mapping[str, set[str]]) -> list[EntryContent]:
        """Return what rows hold, at some places, but for the fields that are known there."""
        if not known:
            return []
        rows, values = self._among(keys)
        told = []
        for row in existing_rows(
            self.connection,
            self.table,
            rows=rows,
            condition=self._at(known),
            values=[*values, *known],
        ):
            rest = {name: pair for name, pair in row.changes.items() if name not in known[row.key]}
            if rest or not known[row.key]:
                entity = (self.table.entity_model, row.key)
                told.append(
                    EntryContent(subject=row.subject, entity=entity, label=row.label, changes=rest)
                )
        return told

    def _among(self, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the SQL that keeps the rows with certain keys, and its values."""
        fields = self.model._meta.pk_fields
        columns = [self._backend.quote(str(field.column)) for field in fields]
        rows = [key if len(fields) > 1 else (key,) for key in keys]
        values = [
            field.get_db_prep_value(value, self.connection)
            for row in rows
            for field, value in zip(fields, row, strict=True)
        ]
        if len(columns) == 1:
            return f"{columns[0]} IN ({', '.join(VALUE for _ in rows)})", values
        one = " AND ".join(f"{column} = {VALUE}" for column in columns)
        return " OR ".join(f"({one})" for _ in rows), values

    def _at(self, places: Collection[str]) -> str:
        wanted = ", ".join(VALUE for _ in places)
        return f"{baseline.place(self._backend, self.table)} IN ({wanted})"

    @property
    def _backend(self) -> Backend:
        return backend_of(self.connection)


def baselines(
    using: str, *, models_wanted: Collection[type[models.Model]] | None = None
) -> list[Baseline]:
    """Return the baselines of one database: of all registered models, or of some.

    Raises `CaptureError` where triggers are missing, as changes after the first entry would
    then go unrecorded.
    """
    connection = connections[using]
    wrong = compare_triggers(connection)
    if wrong.missing or wrong.stale:
        raise CaptureError(
            f"In the database {using!r} the triggers that keep the history are not as they should"
            f" be: {'; '.join(wrong.problems())}. Run migrate first."
        )
    found = []
    for table in tracked_tables(registry, connection):
        registration = registry.find(table.entity_model)
        if table.part_of is not None or registration is None:
            continue  # The fields of a parent are told with those of the row itself.
        if models_wanted is None or registration.model in models_wanted:
            model = _model_of(table, registration)
            found.append(Baseline(table=table, model=model, connection=connection))
    return found


def _model_of(table: TrackedTable, registration: Registration) -> type[models.Model]:
    if table.relation is None:
        return registration.model
    field: Any = registration.model._meta.get_field(table.relation.field)
    through: type[models.Model] = field.remote_field.through
    return through


def _keys(told: Iterable[EntryContent]) -> set[str]:
    return {one.entity[1] for one in told}


_HAS_START = Q(kind="create") | Q(kind="event", context__has_key=BASELINE_KEY)
