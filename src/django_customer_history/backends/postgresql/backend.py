"""PostgreSQL: the triggers, each with a function."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import APPEND_ONLY_MESSAGE, Backend
from django_customer_history.backends.postgresql import introspection, templates
from django_customer_history.backends.postgresql.features import FEATURES
from django_customer_history.backends.postgresql.json_rows import JSONRowEntries
from django_customer_history.backends.postgresql.named_columns import (
    NamedColumnEntries,
    can_name_columns,
)
from django_customer_history.backends.postgresql.partitions import PostgreSQLPartitioning
from django_customer_history.backends.postgresql.session import CONTEXT_SETTING, PostgreSQLSession
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.backends.templates import HEADER, fill
from django_customer_history.values.types import ValueType

_LAYOUT_NAME = f"{PREFIX}layout"


class PostgreSQLBackend(JSONRowEntries, Backend):
    """The SQL of PostgreSQL.

    A trigger names the columns while the table has the layout that it had at installation. After
    a change of the layout it reads the row as JSON, so that no write fails and no column is
    missed, until `migrate` installs a new trigger.
    """

    vendors = ("postgresql",)
    features = FEATURES
    session_class = PostgreSQLSession
    partitioning = PostgreSQLPartitioning()

    def with_schemas(
        self, connection: BaseDatabaseWrapper, tables: Collection[str]
    ) -> "PostgreSQLBackend":
        return PostgreSQLBackend(introspection.schemas(connection, tables))

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        return introspection.columns(connection, tables)

    def installed(self, connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
        return introspection.installed(connection)

    def value_type(self, column: Column, hint: ValueType | None) -> ValueType:
        return _VALUE_TYPES.get(column.type, ValueType.TEXT)

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        head = self._head(table, event)
        source = fill(
            templates.CAPTURE,
            header=HEADER,
            head=" ".join(head.split("\n")),
            context=templates.CONTEXT,
            work=self._work(table, event, log=log),
        )
        return self._replacing(table.name, self.trigger_name(table, event), head, source)

    def _head(self, table: TrackedTable, event: Event) -> str:
        head = fill(templates.HEADS[event], table=self.table(table.name))
        # With named columns, comparing whole rows first costs each change as much as it saves for
        # an UPDATE that changes nothing, which is rarer.
        if event != "update" or can_name_columns(table, event):
            return head
        return fill(templates.HEAD_IF_CHANGED, head=head)

    def _work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        by_json = self.work_by_json(table, event, log=log)
        if not can_name_columns(table, event):
            return by_json
        by_column = NamedColumnEntries(table, event, schemas=self.schemas)
        layout = ",".join(
            f"{column.name} {column.type}{' NOT NULL' if column.required else ''}"
            for column in table.layout
        )
        return fill(
            templates.BY_NAMED_COLUMNS,
            table=self.literal(self.table(table.name)),
            layout_function=self.function(_LAYOUT_NAME),
            layout=self.literal(layout),
            by_column=by_column.work(table, event, log=log),
            by_json=by_json,
        )

    def shared_functions(self) -> Sequence[Trigger]:
        source = fill(templates.LAYOUT, header=HEADER, required=templates.REQUIRED)
        create = fill(
            templates.LAYOUT_FUNCTION, function=self.function(_LAYOUT_NAME), source=source
        )
        body = f"\n{source}\n"
        return [Trigger(table="", name=_LAYOUT_NAME, body=body, statements=(create,))]

    def append_only_triggers(self, log: str, partitions: Sequence[str] = ()) -> Sequence[Trigger]:
        # PostgreSQL copies triggers of rows to the partitions, but not that of TRUNCATE.
        return [
            *(
                self._append_only(log, event, f"append_only_{event}")
                for event in templates.APPEND_ONLY_HEADS
            ),
            *(self._append_only(partition, "truncate", "truncate") for partition in partitions),
        ]

    def _append_only(self, table: str, event: str, purpose: str) -> Trigger:
        name, quoted = self.name(table, purpose), self.table(table)
        source = fill(
            templates.APPEND_ONLY,
            header=HEADER,
            message=self.literal(APPEND_ONLY_MESSAGE.format(event.upper())),
        )
        head = fill(templates.APPEND_ONLY_HEADS[event], table=quoted)
        trigger = self._replacing(table, name, head, source)
        enable = fill(templates.ENABLE_ALWAYS, table=quoted, name=self.quote(name))
        return Trigger(
            table=table,
            name=name,
            body=trigger.body,
            statements=(*trigger.statements, enable),
        )

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        # CASCADE: a trigger that is disabled, or on a renamed table, may still use the function.
        return [f"DROP FUNCTION IF EXISTS {self.quote(trigger.name)} CASCADE"]

    def flush(
        self, statements: Sequence[str], *, log: str, append_only_triggers: Sequence[Trigger]
    ) -> list[str]:
        # Only the table's owner may disable the triggers; TRUNCATE takes the same lock.
        named = [(self.quote(one.table), self.quote(one.name)) for one in append_only_triggers]
        return [
            f"SELECT set_config('{CONTEXT_SETTING}', '{{\"paused\": true}}', true)",
            *(f"ALTER TABLE {table} DISABLE TRIGGER {name}" for table, name in named),
            *statements,
            *(fill(templates.ENABLE_ALWAYS, table=table, name=name) for table, name in named),
        ]

    def existing_rows_source(self, table: str, condition: str) -> str:
        rows = self.rows("insert", f"(SELECT * FROM {self.quote(table)} WHERE {condition})")
        return f"{rows}\nCROSS JOIN (SELECT {templates.CONTEXT} AS context OFFSET 0) AS session"

    def _replacing(self, table: str, name: str, head: str, source: str) -> Trigger:
        function = self.function(name)
        return Trigger(
            table=table,
            name=name,
            body=f"\n{source}\n",
            statements=(
                fill(templates.FUNCTION, function=function, source=source),
                fill(templates.TRIGGER, name=self.quote(name), head=head, function=function),
            ),
        )


_VALUE_TYPES: Mapping[str, ValueType] = {
    "timestamp with time zone": ValueType.DATETIME,
    "timestamp without time zone": ValueType.LOCAL_DATETIME,
    "time without time zone": ValueType.TIME,
    "interval": ValueType.DURATION,
    "bytea": ValueType.BINARY,
    "json": ValueType.JSON,
    "jsonb": ValueType.JSON,
}
