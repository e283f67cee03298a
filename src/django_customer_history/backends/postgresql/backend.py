"""PostgreSQL: functions over the row as JSON, so that no change of the schema breaks a write.

INSERT and DELETE are logged by statement triggers over transition tables: one INSERT for many
rows. UPDATE is logged row by row, as only a row trigger surely knows which new row belongs to
which old one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import REFUSAL
from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.postgresql.row_json import (
    TEXTS,
    RowAsJSON,
)
from django_customer_history.backends.postgresql.session import CONTEXT_SETTING, PostgreSQLSession
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    InstalledTrigger,
    TrackedColumn,
    TrackedTable,
    Trigger,
)
from django_customer_history.context.resolved import REASON_KEYS
from django_customer_history.values.types import ValueType

TRANSITION_TABLE = "customer_history_rows"

CONTEXT = f"nullif(current_setting('{CONTEXT_SETTING}', true), '')::jsonb"
_UNLESS_PAUSED = "  IF context ? 'paused' THEN\n    RETURN NULL;\n  END IF;\n"
MICROSECOND = "round(date_part('epoch', {0}) * 1000000)::bigint"
# The first 8 bytes are 48 bits of milliseconds, version 7 (0x7000) and 12 bits of fraction;
# gen_random_uuid() gives the other 8, with its variant.
KEY = (
    "encode(overlay(uuid_send(gen_random_uuid()) placing int8send("
    "({0} / 1000 << 16) | 28672 | ({0} % 1000 * 4096 / 1000)"
    ") from 1), 'hex')::uuid"
)
# NOT NULL may be declared of rows to come only (PostgreSQL 18): older ones have no value there.
REQUIRED = (
    "a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c"
    " WHERE c.conrelid = a.attrelid AND c.contype = 'n' AND NOT c.convalidated"
    " AND a.attnum = ANY (c.conkey))"
)
HEADS: Mapping[Event, str] = {
    "insert": "AFTER INSERT ON {table} REFERENCING NEW TABLE AS customer_history_rows"
    " FOR EACH STATEMENT",
    "update": "AFTER UPDATE ON {table} FOR EACH ROW",
    "delete": "AFTER DELETE ON {table} REFERENCING OLD TABLE AS customer_history_rows"
    " FOR EACH STATEMENT",
    "truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
}
# *<> compares the rows' bytes: it knows no collation and, unlike <>, works for json columns.
_WHERE_CHANGED = " WHEN (OLD.* *<> NEW.*)"
_GUARDS: Mapping[str, str] = {
    "update": "BEFORE UPDATE ON {table} FOR EACH ROW",
    "delete": "BEFORE DELETE ON {table} FOR EACH ROW",
    "truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
}


class PostgreSQLBackend(RowAsJSON):
    """The SQL of PostgreSQL; `cell` is always the text of a member of the row's JSON."""

    vendors = ("postgresql",)
    session_class = PostgreSQLSession
    ddl_is_transactional = True
    error_ends_transaction = True
    events = ("insert", "update", "delete", "truncate")

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        found, names = defaultdict(list), list(tables)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT named.name, a.attname, format_type(a.atttypid, NULL), {REQUIRED}"
                " FROM unnest(%s::text[], %s::text[]) AS named(name, quoted)"
                " JOIN pg_attribute a ON a.attrelid = to_regclass(named.quoted)"
                " WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY named.name, a.attnum",
                [names, [self.quote(name) for name in names]],
            )
            for table, name, type_, required in cursor.fetchall():
                found[table].append(Column(name=name, type=type_, required=required))
        return {table: tuple(columns) for table, columns in found.items()}

    def installed(self, connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
        # A function whose trigger went with its table is left over: it has no table.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT CASE WHEN c.oid IS NULL THEN '' WHEN c.relnamespace = p.pronamespace"
                ' THEN c.relname ELSE format(\'"%%s"."%%s"\', s.nspname, c.relname) END,'
                " p.proname, p.prosrc"
                " FROM pg_proc p LEFT JOIN pg_trigger t"
                " ON t.tgfoid = p.oid AND t.tgname = p.proname AND t.tgenabled <> 'D'"
                " AND t.tgparentid = 0"  # not the copies of the guards on partitions
                " LEFT JOIN pg_class c ON c.oid = t.tgrelid"
                " LEFT JOIN pg_namespace s ON s.oid = c.relnamespace"
                " WHERE p.pronamespace = to_regnamespace(current_schema())"
                " AND starts_with(p.proname, %s)",
                [PREFIX],
            )
            return [
                InstalledTrigger(table=table, name=name, body=body)
                for table, name, body in cursor.fetchall()
            ]

    def value_type(self, column: Column, hint: ValueType | None) -> ValueType:
        return _VALUE_TYPES.get(column.type, ValueType.TEXT)

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        name, head = self.trigger_name(table, event), self.head(table, event)
        source = (
            f"\n-- {head}\n#variable_conflict use_column\n"
            f"DECLARE\n  context jsonb := {CONTEXT};\n"
            f"BEGIN\n{_UNLESS_PAUSED}{self.work(table, event, log=log)}  RETURN NULL;\nEND "
        )
        return self._replacing(table.name, name, head, source)

    def head(self, table: TrackedTable, event: Event) -> str:
        """Return when the trigger runs, with {table} for the table."""
        return HEADS[event] + (_WHERE_CHANGED if event == "update" else "")

    def partitions(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = to_regclass(%s) ORDER BY c.relname",
                [self.quote(log)],
            )
            return [name for (name,) in cursor.fetchall()]

    def append_only_triggers(self, log: str, partitions: Sequence[str] = ()) -> Sequence[Trigger]:
        # PostgreSQL itself copies the guards of rows to the partitions, that of TRUNCATE not.
        return [
            *(self._guard(log, verb, f"guard_{verb}") for verb in _GUARDS),
            *(self._guard(partition, "truncate", "truncate") for partition in partitions),
        ]

    def _guard(self, table: str, verb: str, purpose: str) -> Trigger:
        name = self.name(table, purpose)
        refusal = self.literal(REFUSAL.format(verb.upper()))
        # 23000: Django raises IntegrityError, as it does on the other databases.
        source = f"\nBEGIN\n  RAISE EXCEPTION {refusal} USING ERRCODE = '23000';\nEND "
        guard = self._replacing(table, name, _GUARDS[verb], source)
        # ALWAYS: also under session_replication_role = replica.
        always = f"ALTER TABLE {self.quote(table)} ENABLE ALWAYS TRIGGER {self.quote(name)}"
        return Trigger(table=table, name=name, body=source, statements=(*guard.statements, always))

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        # The function may still carry a disabled trigger or one on a renamed table.
        return [f"DROP FUNCTION IF EXISTS {self.quote(trigger.name)} CASCADE"]

    def flush(
        self, statements: Sequence[str], *, log: str, append_only_triggers: Sequence[Trigger]
    ) -> list[str]:
        # Only the table's owner may switch the guards off; the lock is TRUNCATE's own.
        named = [
            (self.quote(guard.table), self.quote(guard.name)) for guard in append_only_triggers
        ]
        return [
            f"SELECT set_config('{CONTEXT_SETTING}', '{{\"paused\": true}}', true)",
            *(f"ALTER TABLE {table} DISABLE TRIGGER {name}" for table, name in named),
            *statements,
            *(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}" for table, name in named),
        ]

    def context(self, name: str) -> str:
        return self.part_of_context(name, "context")

    def part_of_context(self, name: str, context: str) -> str:
        """Return the SQL of a part of the context, which is JSON."""
        return {
            "ip_address": f"({context} ->> 'ip_address')::inet",
            "request_id": f"({context} ->> 'request_id')::uuid",
            "context": f"{context} -> 'context'",
        }.get(name, f"{context} ->> '{name}'")

    def clock(self, number: int) -> Mapping[str, str]:
        if number == 0:
            return {"id": KEY.format("microsecond"), "timestamp": "moment"}
        return {
            "id": KEY.format(f"(microsecond + {number})"),
            "timestamp": f"moment + interval '{number} microseconds'",
        }

    def quote(self, name: str) -> str:
        if name.startswith('"') and name.endswith('"'):
            return name  # '"schema"."table"', as Django lets it pass too
        return '"' + name.replace('"', '""') + '"'

    def cell(self, row: str, column: str) -> str:
        return f"({row.lower()}_row ->> {self.literal(column)})"

    def text(self, value: str, column: TrackedColumn) -> str:
        return TEXTS.get(column.value_type, "{0}").format(value)

    def number(self, value: str) -> str:
        return f"{value}::bigint"

    def step(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        return (
            f"(SELECT to_jsonb({self.quote(column)}) #>> '{{}}' FROM {self.quote(table)}"
            f" WHERE {self.quote(key)} = {value}::{key_type})"
        )

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        return f"{one} IS DISTINCT FROM {other}"

    def changes(self, table: TrackedTable, event: Event) -> str:
        if (relation := table.relation) is not None:
            row = "OLD" if event == "delete" else "NEW"
            target = self.text(self.cell(row, relation.target.column.name), relation.target)
            pair = self.pair("NULL", target) if event == "insert" else self.pair(target, "NULL")
            return f"jsonb_build_object({self.literal(relation.field)}, {pair})"
        if event == "update":
            return "changes"
        return f"coalesce(({self.members(table, event)}), '{{}}')"

    def pair(self, old: str, new: str) -> str:
        return f"jsonb_build_array({old}, {new})"

    def concatenate(self, parts: Sequence[str]) -> str:
        return " || ".join(parts)

    def join_words(self, parts: Sequence[str]) -> str:
        return f"concat_ws(' ', {', '.join(parts)})"

    def json_string(self, text: str) -> str:
        return f"to_json({text})"

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: str,
        event: Event,
        condition: str | None,
    ) -> str:
        columns = ", ".join(self.quote(column) for column in LOG_COLUMNS)
        expressions = ",\n    ".join(values[column] for column in LOG_COLUMNS)
        if event == "update" and condition:
            statement = f"  INSERT INTO {self.quote(log)} ({columns})\n  SELECT {expressions}"
            return in_case(condition, statement)
        where = f"\n  WHERE {condition}" if condition else ""
        rows = self.quote(table if event == "truncate" else TRANSITION_TABLE)
        source = _SOURCES.get(event, "").format(rows=rows)
        return f"  INSERT INTO {self.quote(log)} ({columns})\n  SELECT {expressions}{source}{where}"

    def existing_rows_source(self, table: str, condition: str) -> str:
        rows = f"(SELECT * FROM {self.quote(table)} WHERE {condition})"
        source = _SOURCES["insert"].format(rows=rows)
        return f"{source}\n  CROSS JOIN (SELECT {CONTEXT} AS context OFFSET 0) AS session"

    def work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        """Return the statements of a trigger, once it is sure that it is not paused."""
        statements = ";\n".join(self.entries(table, event, log=log))
        refusals = "".join(f"{refusal};\n" for refusal in self.refusals(table, event))
        if event != "update":
            return f"{self.if_any_row(table, event, refusals)}{statements};\n"
        if table.relation is not None:
            return _of_a_row(f"{refusals}{_TAKE_TIME}{statements};\n")
        unchanged = "  IF changes IS NULL THEN\n    RETURN NULL;\n  END IF;\n"
        if table.part_of is not None:
            test = self.has_inherited_row(table.part_of)
            unchanged += f"  IF NOT ({test}) THEN\n    RETURN NULL;\n  END IF;\n"
        difference = f"  changes := ({self.members(table, 'update')});\n"
        return _of_a_row(f"{difference}{unchanged}{refusals}{_TAKE_TIME}{statements};\n")

    def if_any_row(self, table: TrackedTable, event: Event, refusals: str) -> str:
        """Return the refusals of a statement, for statements that have written anything."""
        # A trigger of a statement runs for statements without any row, too.
        if not refusals:
            return ""
        rows = self.quote(table.name if event == "truncate" else TRANSITION_TABLE)
        return f"  IF EXISTS (SELECT 1 FROM {rows}) THEN\n{refusals}  END IF;\n"

    def refuse(self, message: str, *, condition: str | None) -> str:
        reasons = self.array(REASON_KEYS)
        tests = [f"NOT coalesce(context -> 'context' ?| {reasons}, false)"]
        tests += [condition] if condition else []
        # 23000: Django raises IntegrityError, as it does on the other databases.
        return (
            f"  IF {' AND '.join(tests)} THEN\n    RAISE EXCEPTION USING"
            f" MESSAGE = {self.literal(message)}, ERRCODE = '23000';\n  END IF"
        )

    def _replacing(self, table: str, name: str, head: str, source: str) -> Trigger:
        function, quoted = self.quote(name), self.quote(table)
        return Trigger(
            table=table,
            name=name,
            body=source,
            statements=(
                f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
                f" AS $customer_history${source}$customer_history$",
                f"CREATE OR REPLACE TRIGGER {function} {head.format(table=quoted)}"
                f" EXECUTE FUNCTION {function}()",
            ),
        )


_ROW_VARIABLES = """  DECLARE
  new_row jsonb := to_jsonb(NEW);
  old_row jsonb := to_jsonb(OLD);
  changes jsonb;
  moment timestamptz;
  microsecond bigint;
  BEGIN
"""
_TAKE_TIME = f"""  moment := clock_timestamp();
  microsecond := {MICROSECOND.format("moment")};
"""

# OFFSET 0 keeps the planner from evaluating the clock, or the row's JSON, once for each use.
_SOURCES: Mapping[str, str] = {
    event: f"""
  FROM (SELECT clock_timestamp() AS moment, to_jsonb({TRANSITION_TABLE}) AS {row}
    FROM {{rows}} AS {TRANSITION_TABLE} OFFSET 0) AS stamped
  CROSS JOIN LATERAL (SELECT {MICROSECOND.format("moment")} AS microsecond OFFSET 0) AS clock"""
    for event, row in (("insert", "new_row"), ("delete", "old_row"), ("truncate", "old_row"))
}


def in_case(condition: str, statement: str) -> str:
    """Return a statement of a function that runs only where the condition holds."""
    # Outside of parentheses a THEN of the condition's own would be taken for the end of it.
    return f"  IF ({condition}) THEN\n{statement};\n  END IF"


def _of_a_row(statements: str) -> str:
    return f"{_ROW_VARIABLES}{statements}  END;\n"


_VALUE_TYPES: Mapping[str, ValueType] = {
    "timestamp with time zone": ValueType.DATETIME,
    "timestamp without time zone": ValueType.LOCAL_DATETIME,
    "time without time zone": ValueType.TIME,
    "interval": ValueType.DURATION,
    "bytea": ValueType.BINARY,
    "json": ValueType.JSON,
    "jsonb": ValueType.JSON,
}
