"""PostgreSQL: the triggers, each with a function."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import APPEND_ONLY_MESSAGE, Backend
from django_customer_history.backends.entries import LOG_TYPES, ExistingRowEntries
from django_customer_history.backends.event_clock import EventClock, returned_key
from django_customer_history.backends.label_lookups import Lookup, Term
from django_customer_history.backends.postgresql import (
    append_only,
    host_templates,
    introspection,
    problems,
    stored_values,
    templates,
)
from django_customer_history.backends.postgresql.column_types import JSON_FUNCTION
from django_customer_history.backends.postgresql.features import FEATURES
from django_customer_history.backends.postgresql.json_rows import JSONRowEntries
from django_customer_history.backends.postgresql.label_lookups import array_lookups
from django_customer_history.backends.postgresql.named_columns import (
    NamedColumnEntries,
    can_name_columns,
)
from django_customer_history.backends.postgresql.partitions import PostgreSQLPartitioning
from django_customer_history.backends.postgresql.row_by_row import RowByRowEntries
from django_customer_history.backends.postgresql.row_security import (
    HIDDEN_ROWS_MESSAGE,
    hidden_subject_checks,
)
from django_customer_history.backends.postgresql.searching import searching
from django_customer_history.backends.postgresql.session import (
    CONTEXT_SETTING,
    PAUSED,
    PostgreSQLSession,
)
from django_customer_history.backends.postgresql.settling import PostgreSQLSettling
from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    HostParts,
    InstalledTrigger,
    TrackedColumn,
    TrackedTable,
    Trigger,
)
from django_customer_history.backends.templates import HEADER, fill
from django_customer_history.values.types import ValueType

_INSUFFICIENT_PRIVILEGE = "42501"
_QUERY_CANCELED = "57014"
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
    settling_class = PostgreSQLSettling
    snapshot = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",)
    partitioning = PostgreSQLPartitioning()

    def with_schemas(
        self, connection: BaseDatabaseWrapper, tables: Collection[str]
    ) -> "PostgreSQLBackend":
        return PostgreSQLBackend(introspection.schemas(connection, tables))

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

    def host_parts(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, HostParts]:
        return introspection.host_parts(connection, tables)

    def problems_of_log(
        self, connection: BaseDatabaseWrapper, log: str
    ) -> Iterator[DatabaseProblem]:
        return problems.problems_of_log(connection, log)

    def problems_of_tables(
        self, connection: BaseDatabaseWrapper, tables: Sequence[TrackedTable]
    ) -> Iterator[DatabaseProblem]:
        names = {table.name: self.trigger_name(table, "update") for table in tables}
        return problems.problems_of_tables(connection, tables, names)

    def hides_rows(self, connection: BaseDatabaseWrapper, table: str) -> bool:
        return problems.hides_rows(connection, table)

    def value_type(self, column: Column, hint: ValueType | None) -> ValueType:
        return _VALUE_TYPES.get(column.type, ValueType.TEXT)

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        head, work = self._head(table, event), self._work(table, event, log=log)
        source = fill(
            templates.CAPTURE,
            header=HEADER,
            head=" ".join(head.split("\n")),
            context=templates.CONTEXT,
            now=templates.NOW,
            work="\n".join([*hidden_subject_checks(self, table, event), work]),
        )
        return self._replacing(table.name, self.trigger_name(table, event), head, source)

    def _head(self, table: TrackedTable, event: Event) -> str:
        if table.rows_in != "table" and event != "truncate":
            # Only triggers of rows run for a statement that names a partition.
            heads = host_templates.HEADS_BY_ROW
            return fill(heads, event=event.upper(), table=self.table(table.name))
        head = fill(templates.HEADS[event], table=self.table(table.name))
        # With named columns, comparing whole rows first costs each change as much as it saves for
        # an UPDATE that changes nothing, which is rarer.
        if event != "update" or can_name_columns(table, event):
            return head
        return fill(templates.HEAD_IF_CHANGED, head=head)

    def _work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        if table.rows_in != "table":
            work = RowByRowEntries(self.schemas).work(table, event, log=log)
        else:
            work = self.work_by_json(table, event, log=log)
        if event == "truncate":
            name = self.table(table.name)
            refused = fill(
                host_templates.REFUSE_HIDDEN_ROWS,
                table=self.literal(name),
                message=self.literal(HIDDEN_ROWS_MESSAGE.format(name)),
            )
            return f"{refused}\n{work}"
        by_json = work
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
        source = fill(
            templates.LAYOUT, header=HEADER, required=templates.REQUIRED, type=templates.TYPE
        )
        create = fill(
            templates.LAYOUT_FUNCTION, function=self.function(_LAYOUT_NAME), source=source
        )
        json_source = fill(templates.JSON, header=HEADER)
        create_json = fill(
            templates.JSON_FUNCTION, function=self.function(JSON_FUNCTION), source=json_source
        )
        return [
            Trigger(table="", name=_LAYOUT_NAME, body=f"\n{source}\n", statements=(create,)),
            Trigger(
                table="", name=JSON_FUNCTION, body=f"\n{json_source}\n", statements=(create_json,)
            ),
        ]

    def append_only_triggers(
        self,
        log: str,
        partitions: Sequence[str] = (),
        *,
        columns: Mapping[str, ValueType] = LOG_TYPES,
    ) -> Sequence[Trigger]:
        # PostgreSQL copies triggers of rows to the partitions, but not that of TRUNCATE.
        return [
            *(
                self._append_only(log, event, f"append_only_{event}")
                for event in append_only.APPEND_ONLY_HEADS
            ),
            *(self._append_only(partition, "truncate", "truncate") for partition in partitions),
        ]

    def _append_only(self, table: str, event: str, purpose: str) -> Trigger:
        name, quoted = self.name(table, purpose), self.table(table)
        source = fill(
            append_only.APPEND_ONLY,
            header=HEADER,
            unchanged=append_only.ALLOW_UNCHANGED.strip() if event == "update" else "",
            message=self.literal(APPEND_ONLY_MESSAGE.format(event.upper())),
        )
        head = fill(append_only.APPEND_ONLY_HEADS[event], table=quoted)
        trigger = self._replacing(table, name, head, source)
        enable = fill(append_only.ENABLE_ALWAYS, table=quoted, name=self.quote(name))
        return Trigger(
            table=table,
            name=name,
            body=trigger.body,
            statements=(*trigger.statements, enable),
            head=trigger.head,
            mode="always",
        )

    def typed(self, placeholder: str, column_type: str | None) -> str:
        # Outside of VALUES, a parameter without a type is a text.
        return f"{placeholder}::{column_type}"

    def event_clock(self, tail: int) -> EventClock:
        return EventClock(
            columns=self.clock_at("clock.microsecond"),
            source=templates.MICROSECOND_AFTER_ID,
            returning="RETURNING id",
            key_of=returned_key,
        )

    def is_read_only_error(self, error: Exception) -> bool:
        return getattr(error.__cause__, "sqlstate", None) == _READ_ONLY_TRANSACTION

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        # CASCADE: a trigger that is disabled, or on a renamed table, may still use the function.
        return [f"DROP FUNCTION IF EXISTS {self.quote(trigger.name)} CASCADE"]

    def privilege_hint(
        self,
        connection: BaseDatabaseWrapper,
        table: str,
        error: Exception,
        *,
        privileges: str = "TRIGGER",
    ) -> str:
        if getattr(error.__cause__, "sqlstate", "") != _INSUFFICIENT_PRIVILEGE:
            return ""
        role = self.quote(connection.settings_dict["USER"] or "the role")
        return (
            f"The database role needs the {privileges} privilege on {table!r}. Run as the owner:"
            f" GRANT {privileges} ON {self.quote(table)} TO {role}; and GRANT CREATE ON"
            f" SCHEMA of the table TO {role};"
        )

    def searching(
        self, connection: BaseDatabaseWrapper, *, seconds: float | None
    ) -> AbstractContextManager[None]:
        return searching(connection, seconds=seconds)

    def is_time_limit_error(self, error: Exception) -> bool:
        return _QUERY_CANCELED in (
            getattr(error.__cause__, name, "") for name in ("sqlstate", "pgcode")
        )

    def flush(
        self,
        statements: Sequence[str],
        *,
        logs: Collection[str],
        append_only_triggers: Sequence[Trigger],
    ) -> list[str]:
        # Only the table's owner may disable the triggers; TRUNCATE takes the same lock.
        named = [(self.quote(one.table), self.quote(one.name)) for one in append_only_triggers]
        return [
            f"SELECT set_config('{CONTEXT_SETTING}', {PAUSED}, true);",
            *(f"ALTER TABLE {table} DISABLE TRIGGER {name};" for table, name in named),
            *statements,
            *(
                f"{fill(append_only.ENABLE_ALWAYS, table=table, name=name)};"
                for table, name in named
            ),
        ]

    def among(
        self, column: str, values: Sequence[Any], *, placeholder: str
    ) -> tuple[str, list[Any]]:
        # The driver reads one parameter faster than many. An array of texts would have a type that
        # an enumeration does not equal.
        if all(isinstance(one, int | UUID) for one in values):
            return f"{column} = ANY({placeholder})", [list(values)]
        return super().among(column, values, placeholder=placeholder)

    def of_existing_rows(self, table: TrackedTable) -> ExistingRowEntries:
        if not can_name_columns(table, "insert"):
            return self
        return NamedColumnEntries(table, "insert", schemas=self.schemas)

    def existing_rows_source(
        self, table: str, condition: str, columns: Iterable[TrackedColumn]
    ) -> str:
        rows = self.rows(
            "insert", f"(SELECT * FROM {self.quote(table)} WHERE {condition})", columns
        )
        return f"{rows}\nCROSS JOIN (SELECT {templates.CONTEXT} AS context OFFSET 0) AS session"

    def equals_without_index(self, column: str, value: str) -> str:
        # The planner knows how many rows have the value, as it does for `=`.
        return f"{column} IS NOT DISTINCT FROM {value}"

    def changed_names(self, changes: str) -> str:
        return fill(_CHANGED_NAMES, changes=changes)

    def label_lookups(self, terms: Sequence[Term], *, is_later: bool) -> Iterator[Lookup]:
        return array_lookups(terms, is_later=is_later)

    def stored_value(self, table: str, column: Column, text: str) -> tuple[str, str] | None:
        return stored_values.stored_value(self.quote(table), self.quote(column.name), column, text)

    def advance_sequence(
        self, connection: BaseDatabaseWrapper, table: str, column: str, key: int
    ) -> None:
        stored_values.advance_sequence(connection, self.quote(table), column, key)

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
            head=introspection.head_of(head.replace(f" ON {self.table(table)}", "")),
            mode="default",
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

# An escaped zero or half of a character is JSON, but json_object_keys() refuses it.
_CHANGED_NAMES = r"""
CASE
  WHEN json_typeof({changes}) <> 'object' THEN 'null'
  WHEN strpos({changes}::text, '\u') > 0 THEN {changes}::text
  ELSE COALESCE((SELECT json_agg(name)::text FROM json_object_keys({changes}) AS name), '[]')
END
"""

_READ_ONLY_TRANSACTION = "25006"
"""The SQLSTATE of `read_only_sql_transaction`, also on a replica."""
