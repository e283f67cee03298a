"""Baselines: the first entry of each row that is older than its registration.

A row without an entry of its creation gets an entry that lists its values. It does not list a
field that has an entry already, as that entry has the value before. A listed value has not
changed since tracking began, so "When was this set?" has an answer: before that.

Each batch locks its rows, reads what the log knows about them, and writes, so that no change can
come between. Each batch is a transaction: a run that was interrupted continues where it stopped.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q

from django_customer_history.backends import backend_of
from django_customer_history.backends.base import Backend
from django_customer_history.backends.existing_rows import (
    insert_statements,
    row_key,
    row_keys_query,
)
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
    ExistingRow,
    become_writer,
    existing_rows,
    fetch_rows,
    for_django,
    keys_to_split,
)
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.capture.triggers import compare_triggers, log_table
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
    """The first entries of the rows of one table; a many-to-many table has links as its rows."""

    table: TrackedTable
    model: type[models.Model]
    """The model of the rows: a registered model, or the `through` of a many-to-many field."""
    connection: BaseDatabaseWrapper

    @property
    def name(self) -> str:
        """The name for people: `crm.customer`, or `crm.customer.tags` for links."""
        relation = self.table.relation
        label = self.table.entity_model
        return label if relation is None else f"{label}.{relation.field}"

    def total(self) -> int:
        """Return the number of rows."""
        return self._rows().count()

    def run(self, *, is_dry_run: bool = False, size: int = BATCH) -> Iterator[Progress]:
        """Write the missing first entries; yield the progress after each batch."""
        rows = entries = 0
        for keys in self._batches(size):
            rows += len(keys)
            entries += self._missing(keys) if is_dry_run else self._written(keys)
            yield Progress(rows=rows, entries=entries)

    def _rows(self) -> "models.QuerySet[models.Model]":
        # Not through the model's manager, which may hide some rows.
        return models.QuerySet(self.model, using=self.connection.alias)

    def _batches(self, size: int) -> Iterator[list[Any]]:
        rows = self._rows().order_by("pk").values_list("pk", flat=True)
        keys = list(rows[:size])
        while keys:
            yield keys
            keys = list(rows.filter(pk__gt=keys[-1])[:size])

    def _missing(self, keys: Sequence[Any]) -> int:
        missing, partly = self._unlogged(keys)
        return len(missing) + len(_keys(self._contents(keys, partly)))

    def _written(self, keys: Sequence[Any]) -> int:
        with transaction.atomic(using=self.connection.alias), acting(extra={BASELINE_KEY: True}):
            self._lock(keys)
            missing, partly = self._unlogged(keys)
            contents = self._contents(keys, partly)
            count = len(missing) + len(_keys(contents))
            if missing and self._needs_python():
                contents += self._contents(keys, {row: set() for row in missing})
            elif missing:
                self._write(keys, missing)
            record_baselines(contents, using=self.connection.alias)
        return count

    def _needs_python(self) -> bool:
        """Return whether a query alone cannot write the entries."""
        # Further entries of a row refer to its first one.
        written = self._backend.entry_values(self.table, "insert", log=log_table())
        return len(written) > 1 or bool(keys_to_split(self.connection, self.table))

    def _lock(self, keys: Sequence[Any]) -> None:
        if self.connection.features.has_select_for_update:
            rows = self._rows().filter(pk__in=keys).order_by("pk")
            list(rows.select_for_update().values_list("pk", flat=True))
            return
        become_writer(self.connection)

    def _unlogged(self, keys: Sequence[Any]) -> tuple[list[str], dict[str, set[str]]]:
        """Return the row keys without an entry, and those with entries but without a start.

        The latter come with the fields that their entries have.
        """
        rows, values = self._among(keys)
        query = row_keys_query(self._backend, self.table, rows=rows)
        row_keys = {key for (key,) in fetch_rows(self.connection, query, values)}
        if (relation := self.table.relation) is not None:
            return sorted(row_keys - self._logged_links(row_keys, relation.field)), {}
        entries = self._entries(row_keys)
        started = set(entries.filter(_HAS_START).values_list("entity_id", flat=True).distinct())
        partly: dict[str, set[str]] = defaultdict(set)
        others = entries.filter(kind__in=("update", "delete"), entity_id__in=row_keys - started)
        for entry in others.only("kind", "entity_id", "changes").iterator():
            partly[entry.entity_id].update(entry.changes)
        return sorted(row_keys - started - partly.keys()), partly

    def _logged_links(self, row_keys: set[str], field: str) -> set[str]:
        entries = self._entries({key.rpartition(" ")[0] for key in row_keys})
        of_links = entries.filter(Q(kind__in=("add", "remove")) | _HAS_START)
        with_field = of_links.filter(changes__has_key=field).only("kind", "entity_id", "changes")
        return {
            f"{entry.entity_id} {target}"
            for entry in with_field.iterator()
            for target in entry.changes[field]
            if target is not None
        }

    def _entries(self, keys: Iterable[str]) -> "models.QuerySet[Entry]":
        entries = Entry.objects.using(self.connection.alias)
        return entries.filter(entity_model=self.table.entity_model, entity_id__in=list(keys))

    def _write(self, keys: Sequence[Any], row_keys: Sequence[str]) -> None:
        rows, values = self._among(keys)
        statements = insert_statements(
            self._backend,
            self.table,
            log=log_table(),
            action=BASELINE,
            rows=rows,
            condition=self._is_one_of(row_keys),
        )
        with self.connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(for_django(sql), [*values, *row_keys])

    def _contents(self, keys: Sequence[Any], logged: Mapping[str, set[str]]) -> list[EntryContent]:
        """Return the values of some rows, without the fields that are logged for each row key."""
        if not logged:
            return []
        rows, values = self._among(keys)
        contents = []
        for row in existing_rows(
            self.connection,
            self.table,
            rows=rows,
            condition=self._is_one_of(logged),
            values=[*values, *logged],
        ):
            known = logged[self._row_key(row)]
            rest = {name: pair for name, pair in row.changes.items() if name not in known}
            if rest or not known:
                entity = (self.table.entity_model, row.key)
                contents.append(
                    EntryContent(subject=row.subject, entity=entity, label=row.label, changes=rest)
                )
        return contents

    def _row_key(self, row: ExistingRow) -> str:
        if (relation := self.table.relation) is None:
            return row.key
        return f"{row.key} {row.changes[relation.field][1]}"

    def _among(self, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the condition for the rows with certain primary keys, and its values."""
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

    def _is_one_of(self, row_keys: Collection[str]) -> str:
        wanted = ", ".join(VALUE for _ in row_keys)
        return f"{row_key(self._backend, self.table)} IN ({wanted})"

    @property
    def _backend(self) -> Backend:
        return backend_of(self.connection)


def baselines(
    using: str, *, models_wanted: Collection[type[models.Model]] | None = None
) -> list[Baseline]:
    """Return the baselines of one database: of all registered models, or of some.

    Raises `CaptureError` if triggers are missing or stale, as changes after the first entry would
    not be recorded then.
    """
    connection = connections[using]
    wrong = compare_triggers(connection)
    if wrong.missing or wrong.stale:
        raise CaptureError(
            f"History triggers in the database {using!r} are {'; '.join(wrong.problems())}."
            f" Run migrate first."
        )
    found = []
    for table in tracked_tables(registry, connection):
        registration = registry.find(table.entity_model)
        relation = table.relation
        is_part = table.part_of if relation is None else relation.whole
        if is_part or registration is None:
            continue  # The entry of the child row has the fields of the parent's table too.
        if models_wanted is None or registration.model in models_wanted:
            if backend_of(connection).hides_rows(connection, table.name):
                raise CaptureError(
                    f"In the database {using!r}, row-level security hides rows of {table.name} from"
                    " this role, so these rows would get no baseline. Run the command as the owner"
                    " of the table."
                )
            model = _model_of(table, registration)
            found.append(Baseline(table=table, model=model, connection=connection))
    return found


def _model_of(table: TrackedTable, registration: Registration) -> type[models.Model]:
    if table.relation is None:
        return registration.model
    field: Any = registration.model._meta.get_field(table.relation.field)
    through: type[models.Model] = field.remote_field.through
    return through


def _keys(contents: Iterable[EntryContent]) -> set[str]:
    return {one.entity[1] for one in contents}


_HAS_START = Q(kind="create") | Q(kind="event", context__has_key=BASELINE_KEY)
