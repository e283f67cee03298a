"""The triggers as they should be, set against those in the database, and the difference mended."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import DatabaseError, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import dialect_of
from django_customer_history.backends.tables import (
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.conf import guards_wanted
from django_customer_history.exceptions import CaptureError
from django_customer_history.registration.registry import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is wrong with the triggers of one database."""

    missing: tuple[Trigger, ...] = ()
    stale: tuple[Trigger, ...] = ()
    """Triggers that stand in the database with another text than they should have."""
    superfluous: tuple[InstalledTrigger, ...] = ()
    good: tuple[Trigger, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.superfluous)

    def problems(self) -> list[str]:
        """Return one line for each thing that is wrong, empty where all is well."""
        tables: dict[str, Iterable[str]] = {
            "missing": (one.table for one in self.missing),
            "stale": (one.table for one in self.stale),
            "superfluous": (one.table for one in self.superfluous),
        }
        return [
            f"{word} on {', '.join(listed)}"
            for word, names in tables.items()
            if (listed := sorted(set(names)))
        ]


def log_table() -> str:
    """Return the name of the log's table."""
    return apps.get_model("customer_history", "Entry")._meta.db_table


def difference(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> Difference:
    """Compare the triggers that are installed with those that should be.

    With `tables`, only triggers on these tables, and those that read them, are looked at.
    """
    dialect, log = dialect_of(connection), log_table()
    has_log = log in dialect.columns(connection, [log])
    wanted = _wanted(connection, log, tables) if has_log else []
    installed = {(one.table, one.name): one for one in dialect.installed(connection)}
    return Difference(
        missing=tuple(one for one in wanted if (one.table, one.name) not in installed),
        stale=tuple(
            one
            for one in wanted
            if (found := installed.get((one.table, one.name))) and found.body != one.body
        ),
        superfluous=tuple(_superfluous(installed.values(), wanted, tables)),
        good=tuple(
            one
            for one in wanted
            if (found := installed.get((one.table, one.name))) and found.body == one.body
        ),
    )


def synchronise(
    connection: BaseDatabaseWrapper, *, tables: Collection[str] | None = None
) -> Difference:
    """Install what is missing, replace what is stale, remove what is superfluous.

    Returns what was found before. Raises `CaptureError` where the database refuses.
    """
    if not router.allow_migrate(connection.alias, "customer_history", model_name="entry"):
        return Difference()
    found = difference(connection, tables=tables)
    dialect = dialect_of(connection)
    if found:
        with _all_or_nothing(connection):
            for superfluous in found.superfluous:
                _run(connection, dialect.drop(superfluous), superfluous.table)
            for trigger in (*found.stale, *found.missing):
                _run(connection, dialect.replacing(connection, trigger), trigger.table)
    return found


def guards(connection: BaseDatabaseWrapper) -> Sequence[Trigger]:
    """Return the triggers that refuse to change or remove entries, as they should be."""
    dialect, log = dialect_of(connection), log_table()
    return dialect.guards(log, dialect.partitions(connection, log))


def prepare_log(connection: BaseDatabaseWrapper) -> None:
    """Give the table of the log, newly made, what Django's migrations have no word for."""
    _run(connection, dialect_of(connection).prepare_log(log_table()), log_table())


def remove_all(connection: BaseDatabaseWrapper) -> int:
    """Remove every trigger of this package from a database; return how many there were."""
    dialect = dialect_of(connection)
    installed = dialect.installed(connection)
    with _all_or_nothing(connection):
        remove(connection, installed)
    return len(installed)


def remove(connection: BaseDatabaseWrapper, triggers: Iterable[InstalledTrigger]) -> None:
    """Remove triggers from a database."""
    for trigger in triggers:
        _run(connection, dialect_of(connection).drop(trigger), trigger.table)


def _wanted(
    connection: BaseDatabaseWrapper, log: str, tables: Collection[str] | None
) -> list[Trigger]:
    dialect = dialect_of(connection)
    tracked = tracked_tables(registry, connection)
    triggers = [*dialect.foundations()]
    triggers += [
        trigger
        for table in tracked
        if tables is None or _touches(table, tables)
        for trigger in dialect.triggers(table, log=log)
    ]
    if guards_wanted() and (tables is None or log in tables):
        triggers += guards(connection)
    return triggers


def _touches(table: TrackedTable, tables: Collection[str]) -> bool:
    counterparts = [*table.inherited, *([table.part_of] if table.part_of else [])]
    read = {
        *(step.table for path in table.subjects for step in path.steps),
        *(counterpart.table for counterpart in counterparts),
    }
    return table.name in tables or not read.isdisjoint(tables)


def _superfluous(
    installed: Iterable[InstalledTrigger],
    wanted: Sequence[Trigger],
    tables: Collection[str] | None,
) -> Iterable[InstalledTrigger]:
    names = {(one.table, one.name) for one in wanted}
    for one in installed:
        if (one.table, one.name) not in names and (tables is None or one.table in tables):
            yield one


def _all_or_nothing(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    if dialect_of(connection).ddl_is_transactional:
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
