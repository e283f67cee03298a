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
from django.db.models import Q

from django_customer_history.backends.existing_rows import (
    insert_statements,
    logged_keys_query,
    row_key,
    row_keys_query,
)
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
from django_customer_history.capture.registration_log import log_baselined
from django_customer_history.capture.tracked_rows import TrackedRows, tracked_rows
from django_customer_history.capture.tracking_history import tracking_history
from django_customer_history.capture.triggers import compare_triggers, log_table
from django_customer_history.context.current import acting
from django_customer_history.exceptions import CaptureError
from django_customer_history.labels import (
    BASELINE,
    BASELINE_KEY,
)
from django_customer_history.models import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(TrackedRows):
    """The first entries of the rows of one table; a many-to-many table has links as its rows."""

    def run(self, *, is_dry_run: bool = False, size: int = BATCH) -> Iterator[Progress]:
        """Write the missing first entries; yield the progress after each batch."""
        rows = entries = 0
        for keys in self.batches(size):
            rows += len(keys)
            entries += self._missing(keys) if is_dry_run else self._written(keys)
            yield Progress(rows=rows, entries=entries)
        if not is_dry_run and self.table.relation is None:
            self._note_end()

    def _note_end(self) -> None:
        """Say in the log that each row has an entry, unless it says so already."""
        label, using = self.table.entity_model, self.connection.alias
        known = tracking_history(label, using=using)
        if known.is_started and not known.knows_all_rows:
            log_baselined(label, using=using)

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
        written = self.backend.entry_values(self.table, "insert", log=log_table())
        return len(written) > 1 or bool(keys_to_split(self.connection, self.table))

    def _lock(self, keys: Sequence[Any]) -> None:
        if self.connection.features.has_select_for_update:
            rows = self.rows().filter(pk__gte=keys[0], pk__lte=keys[-1]).order_by("pk")
            list(rows.select_for_update().values_list("pk", flat=True))
            return
        become_writer(self.connection)

    def _unlogged(self, keys: Sequence[Any]) -> tuple[list[str], dict[str, set[str]]]:
        """Return the row keys without an entry, and those with entries but without a start.

        The latter come with the fields that their entries have.
        """
        rows, values = self.between(keys)
        if (relation := self.table.relation) is not None:
            query = row_keys_query(self.backend, self.table, rows=rows)
            links = {key for (key,) in fetch_rows(self.connection, query, values)}
            return sorted(links - self._logged_links(links, relation.field)), {}
        query = logged_keys_query(self.backend, self.table, log=log_table(), rows=rows)
        are_logged = dict(fetch_rows(self.connection, query, values))
        # Django sends no statement about none.
        known = {key for key, is_logged in are_logged.items() if is_logged}
        entries = self._entries(known)
        started = set(entries.filter(_HAS_START).values_list("entity_id", flat=True).distinct())
        partly: dict[str, set[str]] = defaultdict(set)
        others = entries.filter(kind__in=("update", "delete"), entity_id__in=known - started)
        for entry in others.only("kind", "entity_id", "changes").iterator():
            partly[entry.entity_id].update(entry.changes)
        return sorted(are_logged.keys() - started - partly.keys()), partly

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
        rows, values = self.among(keys)
        # Of a whole batch, whose rows are locked, there is nothing more to ask.
        is_whole = len(row_keys) == len(keys)
        condition, more = ("1 = 1", []) if is_whole else self._is_one_of(row_keys)
        statements = insert_statements(
            self.backend,
            self.table,
            log=log_table(),
            action=BASELINE,
            rows=rows,
            condition=condition,
        )
        with self.connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(for_django(sql), [*values, *more])

    def _contents(self, keys: Sequence[Any], logged: Mapping[str, set[str]]) -> list[EntryContent]:
        """Return the values of some rows, without the fields that are logged for each row key."""
        if not logged:
            return []
        rows, values = self.among(keys)
        condition, more = self._is_one_of(list(logged))
        contents = []
        for row in existing_rows(
            self.connection,
            self.table,
            rows=rows,
            condition=condition,
            values=[*values, *more],
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

    def _is_one_of(self, row_keys: Sequence[str]) -> tuple[str, list[Any]]:
        key = row_key(self.backend, self.table)
        return self.backend.among(key, row_keys, placeholder=VALUE)


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
    for rows in tracked_rows(connection, models_wanted=models_wanted):
        if rows.is_hidden():
            raise CaptureError(
                f"In the database {using!r}, row-level security hides rows of {rows.table.name}"
                " from this role, so these rows would get no baseline. Run the command as the owner"
                " of the table."
            )
        found.append(Baseline(table=rows.table, model=rows.model, connection=connection))
    return found


def _keys(contents: Iterable[EntryContent]) -> set[str]:
    return {one.entity[1] for one in contents}


_HAS_START = Q(kind="create") | Q(kind="event", context__has_key=BASELINE_KEY)
