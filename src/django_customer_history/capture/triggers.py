"""Compare the triggers in a database with those that should be there, and fix the difference."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import DatabaseError, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_customer_history import conf
from django_customer_history.backends import backend_of, features_of
from django_customer_history.backends.base import Backend
from django_customer_history.backends.entries import SEAL_TYPES
from django_customer_history.backends.tables import (
    HostParts,
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.backends.templates import without_comments
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.exceptions import CaptureError
from django_customer_history.registration.registry import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    """What is wrong with the triggers of one database."""

    missing: tuple[Trigger, ...] = ()
    stale: tuple[Trigger, ...] = ()
    """Triggers that are installed for an older definition."""
    orphaned: tuple[InstalledTrigger, ...] = ()
    good: tuple[Trigger, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a trigger is stale, if not for its definition, by the trigger's name."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.orphaned)

    def problems(self) -> list[str]:
        """Return one line for each state that is wrong, with the tables; empty: all is well."""
        tables = {
            "missing": {one.table for one in self.missing},
            "stale": {self._with_reason(one) for one in self.stale},
            # On PostgreSQL, a function may be left of a table that was dropped by SQL.
            "orphaned": {one.table or one.name for one in self.orphaned},
        }
        return [
            f"{state} on {', '.join(sorted(names))}" for state, names in tables.items() if names
        ]

    def _with_reason(self, trigger: Trigger) -> str:
        reason = self.reasons.get(trigger.name)
        return trigger.table if reason is None else f"{trigger.table} ({reason})"


def log_table() -> str:
    """Return the name of the log's table."""
    # Not from the app registry: tests of a project may take the app out of it for a while.
    return _LOG_TABLE


_LOG_TABLE = "customer_history_entry"
SEAL_TABLE = "customer_history_seal"
APPEND_ONLY_TABLES = (_LOG_TABLE, SEAL_TABLE)
"""The tables whose rows are never changed or removed."""


def has_log(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the table of the log is in a database."""
    return bool(backend_of(connection).columns(connection, [log_table()]))


def keeps_log(alias: str) -> bool:
    """Return whether the routers allow the log in a database."""
    return router.allow_migrate(alias, "customer_history", model_name="entry")


def compare_triggers(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> TriggerState:
    """Compare the triggers that are installed with those that should be.

    With `tables`, compare only the triggers on these tables and the triggers that read them.
    """
    backend, log = backend_of(connection), log_table()
    wanted = _wanted(connection, log, tables) if has_log(connection) else []
    around = None if tables is None else {*tables, *(one.table for one in wanted)}
    installed = {(one.table, one.name): one for one in backend.installed(connection, around)}
    broken = backend.broken(connection, installed.values()) if tables is None else {}
    states: dict[str, list[Trigger]] = {"missing": [], "stale": [], "good": []}
    reasons: dict[str, str] = {}
    for one in wanted:
        found = installed.get((one.table, one.name))
        if found is not None and (reason := broken.get(one.name) or _reason(found, one)):
            reasons[one.name] = reason
        if found is None:
            states["missing"].append(one)
        elif one.name in reasons or not _is_same(found, one):
            states["stale"].append(one)
        else:
            states["good"].append(one)
    return TriggerState(
        missing=tuple(states["missing"]),
        stale=tuple(states["stale"]),
        orphaned=tuple(_orphaned(installed.values(), wanted, tables)),
        good=tuple(states["good"]),
        reasons=reasons,
    )


def _is_same(installed: InstalledTrigger, wanted: Trigger) -> bool:
    return installed.head == wanted.head and (
        installed.body == wanted.body
        or without_comments(installed.body) == without_comments(wanted.body)
    )


def _reason(installed: InstalledTrigger, wanted: Trigger) -> str | None:
    """Return in which sessions the trigger runs, if these are not the right ones."""
    if installed.mode == wanted.mode:
        return None
    return "disabled" if installed.mode == "disabled" else f"enabled as {installed.mode}"


def synchronize_triggers(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> TriggerState:
    """Install missing triggers, replace stale ones, remove orphaned ones.

    Returns the state before. Raises `CaptureError` if the database refuses.
    """
    if not keeps_log(connection.alias):
        return TriggerState()
    found = compare_triggers(connection, tables=tables)
    backend = backend_of(connection)
    if found:
        with all_or_nothing(connection), backend.installation(connection):
            for orphaned in found.orphaned:
                _run(connection, backend.drop(orphaned), orphaned.table)
            for trigger in (*found.stale, *found.missing):
                _run(connection, backend.replacing(connection, trigger), trigger.table)
    return found


def append_only_triggers(connection: BaseDatabaseWrapper) -> Sequence[Trigger]:
    """Return the triggers that refuse to change or remove entries and seals, as they should be."""
    backend, log, partitions = backend_of(connection), log_table(), []
    if backend.partitioning is not None:
        partitions = [*backend.partitioning.partition_names(connection, log)]
    # Each table is created on its own.
    tables = backend.columns(connection, APPEND_ONLY_TABLES)
    named = backend.with_schemas(connection, {*tables, *partitions})
    triggers: list[Trigger] = []
    if log in tables:
        triggers += named.append_only_triggers(log, partitions)
    if SEAL_TABLE in tables:
        triggers += named.append_only_triggers(SEAL_TABLE, columns=SEAL_TYPES)
    return triggers


def check_privileges(connection: BaseDatabaseWrapper) -> None:
    """Raise `CaptureError` if triggers cannot be created in a database without transactional DDL.

    Called before the log is created there, so that `migrate` can be repeated after the GRANT.
    """
    if keeps_log(connection.alias):
        # The one table that exists before the first migration.
        table = MigrationRecorder.Migration._meta.db_table
        _run(connection, backend_of(connection).trigger_probe(table), table)


def prepare_log(connection: BaseDatabaseWrapper) -> None:
    """Finish the new tables of the log with SQL that Django's migrations cannot express."""
    for table in APPEND_ONLY_TABLES:
        _run(connection, backend_of(connection).prepare_log(table), table)


def remove_all(connection: BaseDatabaseWrapper) -> int:
    """Remove every trigger of this package from a database; return how many there were."""
    backend = backend_of(connection)
    installed = backend.installed(connection)
    with all_or_nothing(connection):
        remove(connection, installed)
    return len(installed)


def remove(connection: BaseDatabaseWrapper, triggers: Iterable[InstalledTrigger]) -> None:
    """Remove triggers from a database."""
    for trigger in triggers:
        _run(connection, backend_of(connection).drop(trigger), trigger.table)


def _wanted(
    connection: BaseDatabaseWrapper, log: str, tables: Collection[str] | None
) -> list[Trigger]:
    tracked = [
        table
        for table in tracked_tables(registry, connection, around=tables)
        if tables is None or table.name in tables or not table.read_tables().isdisjoint(tables)
    ]
    backend = backend_of(connection)
    parts = backend.host_parts(connection, {table.name for table in tracked}) if tracked else {}
    tracked = [one for table in tracked for one in _of_rows(table, parts.get(table.name))]
    names = {log}.union(*({table.name, *table.read_tables()} for table in tracked))
    backend = backend.with_schemas(connection, names)
    triggers = [*backend.shared_functions()]
    triggers += _generated(backend, tracked, log)
    if conf.append_only_triggers() and (
        tables is None or any(one in tables for one in APPEND_ONLY_TABLES)
    ):
        triggers += append_only_triggers(connection)
    return triggers


def _generated(backend: Backend, tables: Iterable[TrackedTable], log: str) -> Iterator[Trigger]:
    """Yield the triggers of tables. A process writes the SQL of each table once."""
    # Everything that the SQL depends on.
    key = (
        type(backend),
        repr(sorted(vars(backend).items())),
        repr(backend.features),
        settings.USE_TZ,
        log,
    )
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    for table in tables:
        if (key, table) not in _known:
            _known[key, table] = backend.triggers(table, log=log)
        yield from _known[key, table]


_known: dict[tuple[tuple[object, ...], TrackedTable], tuple[Trigger, ...]] = {}
_MOST_KNOWN = 2_000


def _of_rows(table: TrackedTable, parts: HostParts | None) -> Iterator[TrackedTable]:
    """Yield the tables of the database that need triggers for the rows of one tracked table."""
    if parts is None:
        yield table
    elif parts.is_partitioned:
        yield replace(table, rows_in="partitions")
        yield from (replace(table, name=name, rows_in="partition") for name in parts.names)
    else:
        names = (table.name, *parts.names)
        yield from (replace(table, name=name, rows_in="family") for name in names)


def _orphaned(
    installed: Iterable[InstalledTrigger],
    wanted: Sequence[Trigger],
    tables: Collection[str] | None,
) -> Iterable[InstalledTrigger]:
    names = {(one.table, one.name) for one in wanted}
    for one in installed:
        if (one.table, one.name) not in names and (tables is None or one.table in tables):
            yield one


def all_or_nothing(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    """Return a block whose changes of the schema all happen or none, where that is possible."""
    if features_of(connection).ddl_is_transactional:
        return transaction.atomic(using=connection.alias)
    return nullcontext()


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str], table: str) -> None:
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError as error:
        hint = backend_of(connection).privilege_hint(connection, table, error)
        raise CaptureError(
            f"The history triggers of table {table!r} could not be installed in the database "
            f"{connection.alias!r}: {error}.{f' {hint} Then run migrate again.' if hint else ''}"
        ) from error
