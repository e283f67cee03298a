"""SQLite: the triggers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from time import monotonic

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import APPEND_ONLY_MESSAGE, Backend
from django_customer_history.backends.entries import LOG_TYPES
from django_customer_history.backends.event_clock import EventClock, returned_key
from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.backends.sqlite import introspection, templates
from django_customer_history.backends.sqlite.expressions import SQLiteExpressions
from django_customer_history.backends.sqlite.features import FEATURES
from django_customer_history.backends.sqlite.session import SQLiteSession
from django_customer_history.backends.sqlite.settling import SQLiteSettling
from django_customer_history.backends.tables import (
    Column,
    Event,
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.backends.templates import HEADER, fill, statements
from django_customer_history.values.geometries import read_geometry
from django_customer_history.values.types import ValueType


class SQLiteBackend(SQLiteExpressions):
    """The SQL of SQLite.

    A program that does not register the functions of `session` cannot write to a tracked table
    at all ("no such function"), so no change goes unrecorded.
    """

    vendors = ("sqlite",)
    features = FEATURES
    session_class = SQLiteSession
    settling_class = SQLiteSettling

    def for_server(self, connection: BaseDatabaseWrapper) -> Backend:
        zone = getattr(connection, "timezone", None)
        return SQLiteBackend(
            stores_utc=zone in (None, UTC),
            has_geometries=getattr(connection.ops, "spatialite", False),
        )

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        return introspection.columns(connection, tables)

    def installed(
        self, connection: BaseDatabaseWrapper, tables: Collection[str] | None = None
    ) -> Sequence[InstalledTrigger]:
        return introspection.installed(connection, tables)

    def unsupported_tables(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, str]:
        return introspection.unsupported_tables(connection, tables)

    def problems_of_log(
        self, connection: BaseDatabaseWrapper, log: str
    ) -> Iterator[DatabaseProblem]:
        return introspection.problems_of_log(connection, log)

    def value_type(self, column: Column, hint: ValueType | None) -> ValueType:
        # SQLite's types are only names, so the model field knows better: unless the column still
        # has, or had, another type, as the key does while a migration replaces it.
        declared = _VALUE_TYPES.get(column.type.partition("(")[0].strip(), ValueType.TEXT)
        if hint is ValueType.UUID and declared is ValueType.INTEGER:
            return declared
        if hint is ValueType.INTEGER and column.type == "char(32)":
            return ValueType.UUID
        return hint or declared

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        name = self.trigger_name(table, event)
        condition = f"NOT {self.context('paused')}"
        if event == "update":
            condition += f" AND (\n  {self.any_change(table)}\n)"
        sql = fill(
            templates.CAPTURE,
            name=self.quote(name),
            event=event.upper(),
            table=self.table(table.name),
            condition=condition,
            header=HEADER,
            statements=statements(
                [*self.reason_checks(table, event), *self.entries(table, event, log=log)]
            ),
        )
        return self._replacing(table.name, name, sql)

    def append_only_triggers(
        self,
        log: str,
        partitions: Sequence[str] = (),
        *,
        columns: Mapping[str, ValueType] = LOG_TYPES,
    ) -> Sequence[Trigger]:
        templates_by_event = {
            "UPDATE": templates.APPEND_ONLY_UPDATE,
            "DELETE": templates.APPEND_ONLY,
            "REPLACE": templates.APPEND_ONLY_REPLACE,
        }
        triggers = []
        for event, template in templates_by_event.items():
            name = self.name(log, f"append_only_{event.lower()}")
            sql = fill(
                template,
                name=self.quote(name),
                event=event,
                log=self.table(log),
                header=HEADER,
                change=self.row_differs(columns),
                message=self.literal(APPEND_ONLY_MESSAGE.format(event)),
            )
            triggers.append(self._replacing(log, name, sql))
        return triggers

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}"]

    def flush(
        self,
        statements: Sequence[str],
        *,
        logs: Collection[str],
        append_only_triggers: Sequence[Trigger],
    ) -> list[str]:
        names = [self.quote(log) for log in logs]
        of_log = [one for one in statements if any(name in one for name in names)]
        return [
            *(statement for statement in statements if statement not in of_log),
            *(f"DROP TRIGGER IF EXISTS {self.quote(one.name)};" for one in append_only_triggers),
            *of_log,
            *(f"{one.body};" for one in append_only_triggers),
        ]

    @contextmanager
    def renaming_copy(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        # SQLite looks for the old name in each trigger and view of the database, half a millisecond
        # for each. Nothing refers to the copy, so the old way of renaming does the same.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA legacy_alter_table")
            (before,) = cursor.fetchone()
            cursor.execute("PRAGMA legacy_alter_table = ON")
            try:
                yield
            finally:
                cursor.execute(f"PRAGMA legacy_alter_table = {before}")

    def changed_names(self, changes: str) -> str:
        return fill(templates.CHANGED_NAMES, changes=changes)

    def event_clock(self, tail: int) -> EventClock:
        return EventClock(
            columns=self.clock(0),
            source="SELECT 1 AS one",
            returning="RETURNING id",
            key_of=returned_key,
        )

    def stored_value(self, table: str, column: Column, text: str) -> tuple[str, str] | None:
        if not self.is_geometry(column) or (geometry := read_geometry(text)) is None:
            return None  # SpatiaLite refuses any text.
        return f"GeomFromText(%s, {geometry.srid or 0})", geometry.wkt

    @contextmanager
    def searching(
        self, connection: BaseDatabaseWrapper, *, seconds: float | None
    ) -> Iterator[None]:
        if seconds is None:
            yield
            return
        deadline = monotonic() + seconds
        connection.ensure_connection()
        connection.connection.set_progress_handler(lambda: monotonic() > deadline, _INSTRUCTIONS)
        try:
            yield
        finally:
            connection.connection.set_progress_handler(None, 0)

    def is_time_limit_error(self, error: Exception) -> bool:
        return str(error) == "interrupted"

    def is_read_only_error(self, error: Exception) -> bool:
        return "readonly database" in str(error)

    def _replacing(self, table: str, name: str, sql: str) -> Trigger:
        drop = f"DROP TRIGGER IF EXISTS {self.quote(name)}"
        return Trigger(table=table, name=name, body=sql, statements=(drop, sql))


_INSTRUCTIONS = 10_000
"""Of the virtual machine of SQLite, between two looks at the clock."""
_UUID_TYPE = "char(32)"

_VALUE_TYPES: Mapping[str, ValueType] = {
    "integer": ValueType.INTEGER,
    "bigint": ValueType.INTEGER,
    "smallint": ValueType.INTEGER,
    "bool": ValueType.BOOLEAN,
    "date": ValueType.DATE,
    "datetime": ValueType.DATETIME,
    "time": ValueType.TIME,
    "real": ValueType.FLOAT,
    "blob": ValueType.BINARY,
}
