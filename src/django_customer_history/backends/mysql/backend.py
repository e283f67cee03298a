"""MariaDB and MySQL: the triggers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import APPEND_ONLY_MESSAGE, Backend
from django_customer_history.backends.mysql import introspection, templates
from django_customer_history.backends.mysql.expressions import MySQLExpressions
from django_customer_history.backends.mysql.features import FEATURES
from django_customer_history.backends.mysql.session import MySQLSession
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.backends.templates import HEADER, fill, statements
from django_customer_history.values.types import ValueType


class MySQLBackend(MySQLExpressions):
    """The SQL of MariaDB and MySQL."""

    vendors = ("mysql",)
    features = FEATURES
    session_class = MySQLSession

    def for_server(self, connection: BaseDatabaseWrapper) -> Backend:
        server: Any = connection
        return self.for_version(
            is_mariadb=server.mysql_is_mariadb, version=tuple(server.mysql_version)
        )

    @classmethod
    def for_version(cls, *, is_mariadb: bool, version: tuple[int, ...]) -> Backend:
        """Return the backend for a version of MariaDB or of MySQL."""
        known: dict[str, str] = {}
        if not is_mariadb:
            known["json_equals"] = "CAST({0} AS JSON) = CAST({1} AS JSON)"
            known["members"] = templates.MYSQL_MEMBERS
        elif version >= (10, 7):
            known["json_equals"] = "JSON_EQUALS({0}, {1})"
        if not is_mariadb or version >= (10, 10):
            known["random"] = "HEX(RANDOM_BYTES(8))"
        return cls(**known)

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        return introspection.columns(connection, tables)

    def installed(self, connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
        return introspection.installed(connection)

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
        body = fill(
            templates.CAPTURE,
            header=HEADER,
            condition=self._condition(table, event),
            work=self._work(table, event, log=log),
        )
        name = self.trigger_name(table, event)
        return self._replacing(table.name, name, f"AFTER {event.upper()}", body)

    def _condition(self, table: TrackedTable, event: Event) -> str:
        tests = [f"{self.context('paused')} IS NULL"]
        if event == "update" and table.relation is not None:
            tests.append(f"(\n  {self.any_change(table)}\n)")
        if table.part_of is not None:
            tests.append(self.has_inherited_row(table.part_of))
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

    def append_only_triggers(self, log: str, partitions: Sequence[str] = ()) -> Sequence[Trigger]:
        # REPLACE is a DELETE and an INSERT here, and no trigger runs on TRUNCATE.
        return [
            self._replacing(
                log,
                self.name(log, f"append_only_{event.lower()}"),
                f"BEFORE {event}",
                fill(
                    templates.APPEND_ONLY,
                    header=HEADER,
                    signal=self.signal(APPEND_ONLY_MESSAGE.format(event)),
                ),
            )
            for event in ("UPDATE", "DELETE")
        ]

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}"]

    def place_hint(self, index: str) -> str:
        # If a record has many of the entries, MariaDB takes the primary key for cheaper, or uses
        # the index of subjects without its last part and walks on from the newest entry.
        return f" FORCE INDEX ({self.quote(index)})"

    def flush(
        self, statements: Sequence[str], *, log: str, append_only_triggers: Sequence[Trigger]
    ) -> list[str]:
        kept = [statement for statement in statements if self.quote(log) not in statement]
        return [
            f"SET {self.context('paused')} = 1;",
            *kept,
            f"TRUNCATE TABLE {self.quote(log)};",
            f"SET {self.context('paused')} = NULL;",
        ]

    def trigger_probe(self, table: str) -> Sequence[str]:
        name = self.quote(f"{PREFIX}probe")
        drop = f"DROP TRIGGER IF EXISTS {name}"
        create = (
            f"CREATE TRIGGER {name} BEFORE INSERT ON {self.quote(table)} FOR EACH ROW BEGIN END"
        )
        return (drop, create, drop)

    def prepare_log(self, log: str) -> Sequence[str]:
        # Most collations take 'abc' and 'ABC' for the same key.
        return [
            f"ALTER TABLE {self.quote(log)} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        ]

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
        return Trigger(table=table, name=name, body=body, statements=(create,))


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
