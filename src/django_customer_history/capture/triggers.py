"""Compare the triggers in a database with those that should be there, and fix the difference."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import DatabaseError, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_customer_history import conf
from django_customer_history.backends import backend_of, features_of
from django_customer_history.backends.tables import (
    InstalledTrigger,
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

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.orphaned)

    def problems(self) -> list[str]:
        """Return one line for each state that is wrong, with the tables; empty: all is well."""
        tables: dict[str, Iterable[str]] = {
            "missing": (one.table for one in self.missing),
            "stale": (one.table for one in self.stale),
            "orphaned": (one.table for one in self.orphaned),
        }
        return [
            f"{state} on {', '.join(listed)}"
            for state, names in tables.items()
            if (listed := sorted(set(names)))
        ]


def log_table() -> str:
    """Return the name of the log's table."""
    return apps.get_model("customer_history", "Entry")._meta.db_table


def compare_triggers(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> TriggerState:
    """Compare the triggers that are installed with those that should be.

    With `tables`, compare only the triggers on these tables and the triggers that read them.
    """
    backend, log = backend_of(connection), log_table()
    has_log = log in backend.columns(connection, [log])
    wanted = _wanted(connection, log, tables) if has_log else []
    installed = {(one.table, one.name): one for one in backend.installed(connection)}
    missing: list[Trigger] = []
    stale: list[Trigger] = []
    good: list[Trigger] = []
    for one in wanted:
        found = installed.get((one.table, one.name))
        if found is None:
            missing.append(one)
        else:
            (good if _is_same(found, one) else stale).append(one)
    return TriggerState(
        missing=tuple(missing),
        stale=tuple(stale),
        orphaned=tuple(_orphaned(installed.values(), wanted, tables)),
        good=tuple(good),
    )


def _is_same(installed: InstalledTrigger, wanted: Trigger) -> bool:
    return without_comments(installed.body) == without_comments(wanted.body)


def synchronize_triggers(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> TriggerState:
    """Install missing triggers, replace stale ones, remove orphaned ones.

    Returns the state before. Raises `CaptureError` if the database refuses.
    """
    if not router.allow_migrate(connection.alias, "customer_history", model_name="entry"):
        return TriggerState()
    found = compare_triggers(connection, tables=tables)
    backend = backend_of(connection)
    if found:
        with _all_or_nothing(connection):
            for orphaned in found.orphaned:
                _run(connection, backend.drop(orphaned), orphaned.table)
            for trigger in (*found.stale, *found.missing):
                _run(connection, backend.replacing(connection, trigger), trigger.table)
    return found


def append_only_triggers(connection: BaseDatabaseWrapper) -> Sequence[Trigger]:
    """Return the triggers that refuse to change or remove entries, as they should be."""
    backend, log, partitions = backend_of(connection), log_table(), []
    if backend.partitioning is not None:
        partitions = [*backend.partitioning.partition_names(connection, log)]
    named = backend.with_schemas(connection, {log, *partitions})
    return named.append_only_triggers(log, partitions)


def check_privileges(connection: BaseDatabaseWrapper) -> None:
    """Raise `CaptureError` if triggers cannot be created in a database without transactional DDL.

    Called before the log is created there, so that `migrate` can be repeated after the GRANT.
    """
    if router.allow_migrate(connection.alias, "customer_history", model_name="entry"):
        # The one table that exists before the first migration.
        table = MigrationRecorder.Migration._meta.db_table
        _run(connection, backend_of(connection).trigger_probe(table), table)


def prepare_log(connection: BaseDatabaseWrapper) -> None:
    """Finish the new table of the log with SQL that Django's migrations cannot express."""
    _run(connection, backend_of(connection).prepare_log(log_table()), log_table())


def remove_all(connection: BaseDatabaseWrapper) -> int:
    """Remove every trigger of this package from a database; return how many there were."""
    backend = backend_of(connection)
    installed = backend.installed(connection)
    with _all_or_nothing(connection):
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
        for table in tracked_tables(registry, connection)
        if tables is None or table.name in tables or not table.read_tables().isdisjoint(tables)
    ]
    names = {log}.union(*({table.name, *table.read_tables()} for table in tracked))
    backend = backend_of(connection).with_schemas(connection, names)
    triggers = [*backend.shared_functions()]
    triggers += [trigger for table in tracked for trigger in backend.triggers(table, log=log)]
    if conf.append_only_triggers() and (tables is None or log in tables):
        triggers += append_only_triggers(connection)
    return triggers


def _orphaned(
    installed: Iterable[InstalledTrigger],
    wanted: Sequence[Trigger],
    tables: Collection[str] | None,
) -> Iterable[InstalledTrigger]:
    names = {(one.table, one.name) for one in wanted}
    for one in installed:
        if (one.table, one.name) not in names and (tables is None or one.table in tables):
            yield one


def _all_or_nothing(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    if features_of(connection).ddl_is_transactional:
        return transaction.atomic(using=connection.alias)
    return nullcontext()


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str], table: str) -> None:
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError as error:
        raise CaptureError(
            f"The history triggers of table {table!r} could not be installed in the database "
            f"{connection.alias!r}: {error}. The database role needs the TRIGGER privilege on "
            f"{table!r}. PostgreSQL: GRANT TRIGGER ON the table, and CREATE ON the schema. "
            f"MariaDB and MySQL: GRANT TRIGGER, and log_bin_trust_function_creators=1 if the "
            f"server writes a binary log. Grant it, then run migrate again."
        ) from error
