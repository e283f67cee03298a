"""MariaDB and MySQL: the triggers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import tzinfo
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import APPEND_ONLY_MESSAGE, Backend
from django_customer_history.backends.collations import CollationRepair
from django_customer_history.backends.entries import LOG_TYPES
from django_customer_history.backends.event_clock import EventClock
from django_customer_history.backends.mysql import introspection, templates, time_limit
from django_customer_history.backends.mysql.expressions import MySQLExpressions
from django_customer_history.backends.mysql.features import FEATURES
from django_customer_history.backends.mysql.session import MySQLSession
from django_customer_history.backends.mysql.settling import MySQLSettling
from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.backends.templates import HEADER, fill, statements
from django_customer_history.keys import uuid_at
from django_customer_history.values.geometries import read_geometry
from django_customer_history.values.types import ValueType

_SQL_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
"""The mode that a trigger keeps from its creation. Others read quotes, blanks and empty texts in
their own way, or cut a value that is too long without an error."""


class MySQLBackend(MySQLExpressions):
    """The SQL of MariaDB and MySQL."""

    vendors = ("mysql",)
    features = FEATURES
    session_class = MySQLSession
    settling_class = MySQLSettling
    snapshot = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",)

    def for_server(self, connection: BaseDatabaseWrapper) -> Backend:
        server: Any = connection
        return self.for_version(
            is_mariadb=server.mysql_is_mariadb,
            version=tuple(server.mysql_version),
            zone=server.timezone,
        )

    @classmethod
    def for_version(
        cls, *, is_mariadb: bool, version: tuple[int, ...], zone: tzinfo | None = None
    ) -> Backend:
        """Return the backend for a version of MariaDB or of MySQL.

        `zone` is the time zone of stored datetimes; None: they are as the log has them.
        """
        known: dict[str, str] = {}
        if not is_mariadb:
            known["json_equals"] = "CAST({0} AS JSON) = CAST({1} AS JSON)"
            # As GeoDjango reads and writes them.
            known["axis_order"] = ", 'axis-order=long-lat'"
        elif version >= (10, 7):
            known["json_equals"] = "JSON_EQUALS({0}, {1})"
        if not is_mariadb or version >= (10, 10):
            known["random"] = "HEX(RANDOM_BYTES(8))"
        return cls(zone=zone, **known)

    @contextmanager
    def installation(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.sql_mode")
            (own,) = cursor.fetchone()
            cursor.execute("SET SESSION sql_mode = %s", [_SQL_MODE])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION sql_mode = %s", [own])

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        return introspection.columns(connection, tables)

    def installed(
        self, connection: BaseDatabaseWrapper, tables: Collection[str] | None = None
    ) -> Sequence[InstalledTrigger]:
        return introspection.installed(connection, tables)

    def storage_engines(
        self, connection: BaseDatabaseWrapper, tables: Collection[str]
    ) -> Mapping[str, str]:
        return introspection.storage_engines(connection, tables)

    def unsupported_tables(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, str]:
        return introspection.unsupported_tables(connection, tables)

    def broken(
        self, connection: BaseDatabaseWrapper, triggers: Iterable[InstalledTrigger]
    ) -> Mapping[str, str]:
        return introspection.broken(connection, triggers)

    def problems_of_log(
        self, connection: BaseDatabaseWrapper, log: str
    ) -> Iterator[DatabaseProblem]:
        yield from introspection.problems_of_log(connection, log)
        if repair := self.collation_repair(connection, log):
            yield DatabaseProblem(
                code="W036",
                text=f"keys are not compared exactly in {', '.join(repair.columns)} of {log}",
                hint=f"Run: manage.py history_triggers --fix. It runs: {repair.statement}",
            )

    def value_type(self, column: Column, hint: ValueType | None) -> ValueType:
        name = column.type.partition("(")[0].split()[0]
        if column.type == "char(32)" and hint is ValueType.UUID:
            return ValueType.UUID
        if name == "datetime" and hint is ValueType.LOCAL_DATETIME:
            return hint
        if column.type == "tinyint(1)":
            return ValueType.BOOLEAN
        if name == "longtext" and hint is ValueType.JSON:
            return ValueType.JSON
        return _VALUE_TYPES.get(name, ValueType.TEXT)

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        work = self._work(table, event, log=log)
        body = fill(
            templates.CAPTURE,
            header=HEADER,
            declare_primary=templates.DECLARE_PRIMARY if "SET primary_id" in work else "",
            condition=self._condition(table, event),
            work=work,
        )
        name = self.trigger_name(table, event)
        return self._replacing(table.name, name, f"AFTER {event.upper()}", body)

    def _condition(self, table: TrackedTable, event: Event) -> str:
        tests = [f"NOT ({self.context('paused')} <=> CONNECTION_ID())"]
        if event == "update" and table.relation is not None:
            tests.append(f"(\n  {self.any_change(table)}\n)")
        if table.part_of and table.relation is None:
            tests.append(self.exists("OLD", table.part_of))
        return " AND ".join(tests)

    def _work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        entries = self.entries(table, event, log=log)
        work = fill(
            templates.WRITE,
            reason_checks=statements(self.reason_checks(table, event)),
            microsecond=templates.MICROSECOND,
            more=str(len(entries) - 1),
            entries=statements(entries),
        )
        if event != "update" or table.relation is not None:
            return work
        changes = [
            fill(templates.COLLECT_CHANGE, condition=condition, member=member)
            for condition, member in self.pieces(table, "update")
        ]
        return fill(templates.WRITE_IF_CHANGED, changes="\n".join(changes), work=work)

    def append_only_triggers(
        self,
        log: str,
        partitions: Sequence[str] = (),
        *,
        columns: Mapping[str, ValueType] = LOG_TYPES,
    ) -> Sequence[Trigger]:
        # REPLACE is a DELETE and an INSERT here, and no trigger runs on TRUNCATE.
        texts = [
            f"NEW.{name} = OLD.{name}" for name, one in columns.items() if one is ValueType.JSON
        ]
        return [
            self._replacing(
                log,
                self.name(log, f"append_only_{event.lower()}"),
                f"BEFORE {event}",
                fill(
                    template,
                    header=HEADER,
                    change=self.row_differs(columns),
                    keep_texts=f"SET {', '.join(texts)};" if texts else "",
                    signal=self.signal(APPEND_ONLY_MESSAGE.format(event)),
                ),
            )
            for event, template in _APPEND_ONLY.items()
        ]

    def event_clock(self, tail: int) -> EventClock:
        def key_of(cursor: Any) -> UUID | None:
            return uuid_at(int(cursor.lastrowid), tail=tail) if cursor.rowcount else None

        return EventClock(
            columns=self.clock_at("clock.microsecond", random=f"'{tail:015x}'"),
            source=templates.EVENT_CLOCK,
            key_of=key_of,
        )

    def stored_value(self, table: str, column: Column, text: str) -> tuple[str, str] | None:
        if not self.is_geometry(column) or (geometry := read_geometry(text)) is None:
            return None
        return self.geometry_from(geometry.srid or 0), geometry.wkt

    def searching(
        self, connection: BaseDatabaseWrapper, *, seconds: float | None
    ) -> AbstractContextManager[None]:
        if seconds is None:
            return nullcontext()
        return time_limit.time_limit(connection, seconds=seconds)

    def is_time_limit_error(self, error: Exception) -> bool:
        return bool(error.args) and error.args[0] in time_limit.ERRORS

    def is_read_only_error(self, error: Exception) -> bool:
        return bool(error.args) and error.args[0] in _READ_ONLY_ERRORS

    def is_sort_error(self, error: Exception) -> bool:
        return bool(error.args) and error.args[0] == _OUT_OF_SORT_MEMORY

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}"]

    def changed_names(self, changes: str) -> str:
        return fill(templates.CHANGED_NAMES, changes=changes)

    def place_hint(self, index: str) -> str:
        # If a record has many of the entries, MariaDB takes the primary key for cheaper, or uses
        # the index of subjects without its last part and walks on from the newest entry.
        return f" FORCE INDEX ({self.quote(index)})"

    def flush(
        self,
        statements: Sequence[str],
        *,
        logs: Collection[str],
        append_only_triggers: Sequence[Trigger],
    ) -> list[str]:
        names = [self.quote(log) for log in logs]
        kept = [one for one in statements if not any(name in one for name in names)]
        return [
            f"SET {self.context('paused')} = CONNECTION_ID();",
            *kept,
            *(f"TRUNCATE TABLE {name};" for name in names),
            f"SET {self.context('paused')} = NULL;",
        ]

    def trigger_probe(self, table: str) -> Sequence[str]:
        name = self.quote(f"{PREFIX}probe")
        drop = f"DROP TRIGGER IF EXISTS {name}"
        create = (
            f"CREATE TRIGGER {name} BEFORE INSERT ON {self.quote(table)} FOR EACH ROW BEGIN END"
        )
        return (drop, create, drop)

    def privilege_hint(
        self,
        connection: BaseDatabaseWrapper,
        table: str,
        error: Exception,
        *,
        privileges: str = "TRIGGER",
    ) -> str:
        number = error.args[0] if error.args else None
        if number == _BINARY_LOG_NEEDS_SUPER:
            return (
                "The server writes a binary log, and only a role with the SUPER privilege may"
                " create triggers there. Let other roles do it as well. Run as an administrator:"
                " SET GLOBAL log_bin_trust_function_creators = 1; and add"
                " log_bin_trust_function_creators = 1 to the options of the server."
            )
        if number not in _PRIVILEGE_MISSING:
            return ""
        database = self.quote(connection.settings_dict["NAME"])
        return (
            f"The database role needs the {privileges} privilege on {table!r}. Run as an"
            f" administrator: GRANT {privileges} ON {database}.* TO"
            f" {introspection.account(connection)};"
        )

    def prepare_log(self, log: str) -> Sequence[str]:
        # The server may create tables with an engine without transactions.
        return [f"ALTER TABLE {self.quote(log)} ENGINE = InnoDB", self._compare_exactly(log)]

    def collation_repair(self, connection: BaseDatabaseWrapper, log: str) -> CollationRepair | None:
        if introspection.is_temporary(connection, log):
            return None  # The statement would change that table. W031 reports it.
        columns = introspection.other_collations(connection, log, collation=_EXACT)
        if not columns:
            return None
        return CollationRepair(
            columns=columns,
            collation=_EXACT,
            statement=self._compare_exactly(log),
            privileges="ALTER, CREATE, INSERT",
        )

    def _compare_exactly(self, log: str) -> str:
        # Most collations take 'abc' and 'ABC' for the same key.
        return f"ALTER TABLE {self.quote(log)} CONVERT TO CHARACTER SET utf8mb4 COLLATE {_EXACT}"

    def replacing(self, connection: BaseDatabaseWrapper, trigger: Trigger) -> Sequence[str]:
        if getattr(connection, "mysql_is_mariadb", False):
            return trigger.statements
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}", *trigger.statements]

    def _replacing(self, table: str, name: str, moment: str, body: str) -> Trigger:
        create = fill(
            templates.TRIGGER,
            name=self.quote(name),
            moment=moment,
            table=self.table(table),
            body=body,
        )
        return Trigger(table=table, name=name, body=body, statements=(create,), head=moment.upper())


_APPEND_ONLY: Mapping[str, str] = {
    "UPDATE": templates.APPEND_ONLY_UPDATE,
    "DELETE": templates.APPEND_ONLY,
}

_EXACT = "utf8mb4_bin"
"""The collation that compares the characters themselves."""
_OUT_OF_SORT_MEMORY = 1038
"""MySQL sorts whole rows, and a JSON value may be larger than `sort_buffer_size`."""
_PRIVILEGE_MISSING = (1044, 1142, 1143, 1227, 1370)
_BINARY_LOG_NEEDS_SUPER = 1419
_VALUE_TYPES: Mapping[str, ValueType] = {
    "int": ValueType.INTEGER,
    "bigint": ValueType.INTEGER,
    "smallint": ValueType.INTEGER,
    "mediumint": ValueType.INTEGER,
    "tinyint": ValueType.INTEGER,
    "decimal": ValueType.DECIMAL,
    "double": ValueType.FLOAT,
    "float": ValueType.FLOAT,
    "date": ValueType.DATE,
    "datetime": ValueType.DATETIME,
    "timestamp": ValueType.DATETIME,
    "time": ValueType.TIME,
    "uuid": ValueType.UUID,
    "json": ValueType.JSON,
    "vector": ValueType.BINARY,
    "tinyblob": ValueType.BINARY,
    "blob": ValueType.BINARY,
    "mediumblob": ValueType.BINARY,
    "longblob": ValueType.BINARY,
    "binary": ValueType.BINARY,
    "varbinary": ValueType.BINARY,
}

_READ_ONLY_ERRORS = (1290, 1792, 1836)
"""The server runs with --read-only; the transaction is read-only; the server is in that mode."""
