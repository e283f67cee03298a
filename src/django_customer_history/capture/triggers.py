"""The triggers as they should be, set against those in the database, and the difference mended."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import DatabaseError, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history import conf
from django_customer_history.backends import backend_of
from django_customer_history.backends.tables import (
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.exceptions import CaptureError
from django_customer_history.registration.registry import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    """What is wrong with the triggers of one database."""

    missing: tuple[Trigger, ...] = ()
    stale: tuple[Trigger, ...] = ()
    """Triggers that stand in the database with another text than they should have."""
    orphaned: tuple[InstalledTrigger, ...] = ()
    good: tuple[Trigger, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.orphaned)

    def problems(self) -> list[str]:
        """Return one line for each thing that is wrong, empty where all is well."""
        tables: dict[str, Iterable[str]] = {
            "missing": (one.table for one in self.missing),
            "stale": (one.table for one in self.stale),
            "orphaned": (one.table for one in self.orphaned),
        }
        return [
            f"{word} on {', '.join(listed)}"
            for word, names in tables.items()
            if (listed := sorted(set(names)))
        ]


def log_table() -> str:
    """Return the name of the log's table."""
    return apps.get_model("customer_history", "Entry")._meta.db_table


def compare_triggers(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> TriggerState:
    """Compare the triggers that are installed with those that should be.

    With `tables`, only triggers on these tables, and those that read them, are looked at.
    """
    backend, log = backend_of(connection), log_table()
    has_log = log in backend.columns(connection, [log])
    wanted = _wanted(connection, log, tables) if has_log else []
    installed = {(one.table, one.name): one for one in backend.installed(connection)}
    return TriggerState(
        missing=tuple(one for one in wanted if (one.table, one.name) not in installed),
        stale=tuple(
            one
            for one in wanted
            if (found := installed.get((one.table, one.name))) and found.body != one.body
        ),
        orphaned=tuple(_orphaned(installed.values(), wanted, tables)),
        good=tuple(
            one
            for one in wanted
            if (found := installed.get((one.table, one.name))) and found.body == one.body
        ),
    )


def synchronize_triggers(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> TriggerState:
    """Install what is missing, replace what is stale, remove what is superfluous.

    Returns what was found before. Raises `CaptureError` where the database refuses.
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
    backend, log = backend_of(connection), log_table()
    return backend.append_only_triggers(log, backend.partitions(connection, log))


def prepare_log(connection: BaseDatabaseWrapper) -> None:
    """Give the table of the log, newly made, what Django's migrations have no word for."""
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
    backend = backend_of(connection)
    tracked = tracked_tables(registry, connection)
    triggers = [*backend.foundations()]
    triggers += [
        trigger
        for table in tracked
        if tables is None or _touches(table, tables)
        for trigger in backend.triggers(table, log=log)
    ]
    if conf.append_only_triggers() and (tables is None or log in tables):
        triggers += append_only_triggers(connection)
    return triggers


def _touches(table: TrackedTable, tables: Collection[str]) -> bool:
    counterparts = [*table.inherited, *([table.part_of] if table.part_of else [])]
    read = {
        *(step.table for path in table.subjects for step in path.steps),
        *(inheritance_join.table for inheritance_join in counterparts),
    }
    return table.name in tables or not read.isdisjoint(tables)


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
    if backend_of(connection).ddl_is_transactional:
        return transaction.atomic(using=connection.alias)
    return nullcontext()


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str], table: str) -> None:
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError as error:
        raise CaptureError(
            f"The triggers that keep the history of table {table!r} could not be installed in "
            f"the database {connection.alias!r}: {error}. Its role needs the TRIGGER privilege "
            f"on {table!r} (PostgreSQL: GRANT TRIGGER ON, and CREATE on the schema; MariaDB and "
            f"MySQL: GRANT TRIGGER, and log_bin_trust_function_creators=1 where a binary log is "
            f"kept). Grant it, then run migrate again."
        ) from error
