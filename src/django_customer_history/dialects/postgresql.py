"""PostgreSQL: generic functions over the row as JSON, so that no schema change breaks a write.

INSERT and DELETE are logged by statement triggers over transition tables: one INSERT for many
rows. UPDATE is logged row by row, as only a row trigger surely knows which new row belongs to
which old one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.dialects.base import LOG_COLUMNS, REFUSAL, Dialect
from django_customer_history.tables import (
    PREFIX,
    Column,
    Counterpart,
    Event,
    Form,
    InstalledTrigger,
    TrackedColumn,
    TrackedTable,
    Trigger,
)

CONTEXT_SETTING = "customer_history.context"
TRANSITION_TABLE = "customer_history_rows"

_CONTEXT = f"nullif(current_setting('{CONTEXT_SETTING}', true), '')::jsonb"
_UNLESS_PAUSED = "  IF context ? 'paused' THEN\n    RETURN NULL;\n  END IF;\n"
_MICROSECOND = "round(date_part('epoch', {0}) * 1000000)::bigint"
# The first 8 bytes are 48 bits of milliseconds, version 7 (0x7000) and 12 bits of fraction;
# gen_random_uuid() gives the other 8, with its variant.
_KEY = (
    "encode(overlay(uuid_send(gen_random_uuid()) placing int8send("
    "({0} / 1000 << 16) | 28672 | ({0} % 1000 * 4096 / 1000)"
    ") from 1), 'hex')::uuid"
)
# *<> compares the rows' bytes: it knows no collation and, unlike <>, works for json columns.
_HEADS: Mapping[Event, str] = {
    "insert": "AFTER INSERT ON {table} REFERENCING NEW TABLE AS customer_history_rows"
    " FOR EACH STATEMENT",
    "update": "AFTER UPDATE ON {table} FOR EACH ROW WHEN (OLD.* *<> NEW.*)",
    "delete": "AFTER DELETE ON {table} REFERENCING OLD TABLE AS customer_history_rows"
    " FOR EACH STATEMENT",
    "truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
}


class PostgreSQLDialect(Dialect):
    """The SQL of PostgreSQL; `cell` is always the text of a member of the row's JSON."""

    vendors = ("postgresql",)
    ddl_is_transactional = True
    error_ends_transaction = True
    events = ("insert", "update", "delete", "truncate")

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        found, names = defaultdict(list), list(tables)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT named.name, a.attname, format_type(a.atttypid, NULL)"
                " FROM unnest(%s::text[], %s::text[]) AS named(name, quoted)"
                " JOIN pg_attribute a ON a.attrelid = to_regclass(named.quoted)"
                " WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY named.name, a.attnum",
                [names, [self.quote(name) for name in names]],
            )
            for table, name, type_ in cursor.fetchall():
                found[table].append(Column(name=name, type=type_))
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

    def form(self, column: Column, hint: Form | None) -> Form:
        return _FORMS.get(column.type, Form.TEXT)

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        name = self.trigger_name(table, event)
        variables, body = self._body(table, event, log=log)
        source = (
            f"\n-- {_HEADS[event]}\nDECLARE\n  context jsonb := {_CONTEXT};\n{variables}"
            f"BEGIN\n{_UNLESS_PAUSED}{body}  RETURN NULL;\nEND "
        )
        return self._replacing(table.name, name, _HEADS[event], source)

    def guards(self, log: str) -> Sequence[Trigger]:
        heads = {
            "update": "BEFORE UPDATE ON {table} FOR EACH ROW",
            "delete": "BEFORE DELETE ON {table} FOR EACH ROW",
            "truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
        }
        triggers = []
        for verb, head in heads.items():
            name = self.name(log, f"guard_{verb}")
            refusal = self.literal(REFUSAL.format(verb.upper()))
            # 23000: Django raises IntegrityError, as it does on the other databases.
            source = f"\nBEGIN\n  RAISE EXCEPTION {refusal} USING ERRCODE = '23000';\nEND "
            guard = self._replacing(log, name, head, source)
            # ALWAYS: also under session_replication_role = replica.
            always = f"ALTER TABLE {self.quote(log)} ENABLE ALWAYS TRIGGER {self.quote(name)}"
            triggers.append(
                Trigger(table=log, name=name, body=source, statements=(*guard.statements, always))
            )
        return triggers

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        # The function may still carry a disabled trigger or one on a renamed table.
        return [f"DROP FUNCTION IF EXISTS {self.quote(trigger.name)}() CASCADE"]

    def flush(self, statements: Sequence[str], *, log: str, guards: Sequence[Trigger]) -> list[str]:
        # Only the table's owner may switch the guards off; the lock is TRUNCATE's own.
        table = f"ALTER TABLE {self.quote(log)}"
        names = [self.quote(guard.name) for guard in guards]
        return [
            f"SELECT set_config('{CONTEXT_SETTING}', '{{\"paused\": true}}', true)",
            *(f"{table} DISABLE TRIGGER {name}" for name in names),
            *statements,
            *(f"{table} ENABLE ALWAYS TRIGGER {name}" for name in names),
        ]

    def context(self, name: str) -> str:
        return {
            "ip_address": "(context ->> 'ip_address')::inet",
            "request_id": "(context ->> 'request_id')::uuid",
            "context": "context -> 'context'",
        }.get(name, f"context ->> '{name}'")

    def clock(self, number: int) -> Mapping[str, str]:
        if number == 0:
            return {"id": _KEY.format("microsecond"), "timestamp": "moment"}
        return {
            "id": _KEY.format(f"(microsecond + {number})"),
            "timestamp": f"moment + interval '{number} microseconds'",
        }

    def quote(self, name: str) -> str:
        if name.startswith('"') and name.endswith('"'):
            return name  # '"schema"."table"', as Django lets it pass too
        return '"' + name.replace('"', '""') + '"'

    def cell(self, row: str, column: str) -> str:
        return f"({row.lower()}_row ->> {self.literal(column)})"

    def text(self, value: str, column: TrackedColumn) -> str:
        return _TEXTS.get(column.form, "{0}").format(value)

    def number(self, value: str) -> str:
        return f"{value}::bigint"

    def step(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        return (
            f"(SELECT to_jsonb({self.quote(column)}) #>> '{{}}' FROM {self.quote(table)}"
            f" WHERE {self.quote(key)} = {value}::{key_type})"
        )

    def differs(self, one: str, other: str, *, form: Form = Form.TEXT) -> str:
        return f"{one} IS DISTINCT FROM {other}"

    def changes(self, table: TrackedTable, event: Event) -> str:
        if (relation := table.relation) is not None:
            row = "OLD" if event == "delete" else "NEW"
            target = self.text(self.cell(row, relation.target.column.name), relation.target)
            pair = self.pair("NULL", target) if event == "insert" else self.pair(target, "NULL")
            return f"jsonb_build_object({self.literal(relation.field)}, {pair})"
        if event == "update":
            return "changes"
        return f"coalesce(({self._members(table, event)}), '{{}}')"

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
        where = f"\n  WHERE {condition}" if condition else ""
        rows = self.quote(table if event == "truncate" else TRANSITION_TABLE)
        source = _SOURCES.get(event, "").format(rows=rows)
        return f"  INSERT INTO {self.quote(log)} ({columns})\n  SELECT {expressions}{source}{where}"

    def _body(self, table: TrackedTable, event: Event, *, log: str) -> tuple[str, str]:
        statements = ";\n".join(self.entries(table, event, log=log))
        if event != "update":
            return "", f"{statements};\n"
        if table.relation is not None:
            return _ROW_VARIABLES, f"{_TAKE_TIME}{statements};\n"
        unchanged = "  IF changes IS NULL THEN\n    RETURN NULL;\n  END IF;\n"
        if table.part_of is not None:
            test = self.has_counterpart(table.part_of)
            unchanged += f"  IF NOT ({test}) THEN\n    RETURN NULL;\n  END IF;\n"
        difference = f"  changes := ({self._members(table, 'update')});\n"
        return _ROW_VARIABLES, f"{difference}{unchanged}{_TAKE_TIME}{statements};\n"

    def _members(self, table: TrackedTable, event: Event) -> str:
        """Return the query that makes one JSON object of the changed members of the row."""
        new, old = "member.value", "(old_row -> member.key)"
        pair, condition, row = {
            "insert": (("NULL", new), f"{new} <> 'null'", "new_row"),
            "update": ((old, new), f"{new} IS DISTINCT FROM {old}", "new_row"),
            "delete": ((new, "NULL"), f"{new} <> 'null'", "old_row"),
        }[event]
        if event != "update":
            row += "".join(self._and_of(counterpart, row) for counterpart in table.inherited)
        texts = [part if part == "NULL" else self._text_by_key(table, part) for part in pair]
        members = (
            f"SELECT {self._field_by_key(table)} AS field, {self.pair(*texts)} AS pair"
            f" FROM jsonb_each({row}) AS member(key, value)"
            f" WHERE {condition} AND {self._is_logged(table, event)}"
        )
        for column in table.columns:
            if column.by_key:
                members += self._members_by_key(column, event)
        return f"SELECT jsonb_object_agg(field, pair) FROM ({members}) AS changed"

    def _and_of(self, parent: Counterpart, row: str) -> str:
        link = f"({row} ->> {self.literal(parent.link)})::{parent.key_type}"
        return (
            f" || coalesce((SELECT to_jsonb(parent) FROM {self.quote(parent.table)} AS parent"
            f" WHERE parent.{self.quote(parent.key)} = {link}), '{{}}')"
        )

    def _members_by_key(self, column: TrackedColumn, event: Event) -> str:
        """Return queries for the keys of a JSON column: for objects by key, else as a whole."""
        name, field = self.literal(column.column.name), column.field
        old = "NULL::jsonb" if event == "insert" else f"(old_row -> {name})"
        new = "NULL::jsonb" if event == "delete" else f"(new_row -> {name})"
        is_object = " AND ".join(
            f"coalesce(jsonb_typeof({value}), 'null') IN ('object', 'null')" for value in (old, new)
        )
        one, other = (
            f"jsonb_each(CASE jsonb_typeof({value}) WHEN 'object' THEN {value} ELSE '{{}}' END)"
            for value in (old, new)
        )
        return (
            f" UNION ALL SELECT {self.literal(field + '.')} || key,"
            f" jsonb_build_array(o.value::text, n.value::text)"
            f" FROM {one} AS o FULL JOIN {other} AS n USING (key)"
            f" WHERE {is_object} AND o.value IS DISTINCT FROM n.value"
            f" UNION ALL SELECT {self.literal(field)}, jsonb_build_array({old}::text, {new}::text)"
            f" WHERE NOT ({is_object}) AND {old} IS DISTINCT FROM {new}"
        )

    def _is_logged(self, table: TrackedTable, event: Event) -> str:
        # Columns that are added later are logged at once, unless only some were asked for. The
        # key is the entity's own; only that it changed is worth a word.
        by_key = [column.column.name for column in table.columns if column.by_key]
        key = [column.column.name for column in table.key] if event == "update" else []
        if table.only_listed:
            listed = {*(column.column.name for column in table.columns), *key} - set(by_key)
            return f"member.key = ANY ({self._array(sorted(listed))})"
        hidden = [name for name in table.hidden if name not in key]
        return f"member.key <> ALL ({self._array([*hidden, *by_key])})"

    def _array(self, names: Iterable[str]) -> str:
        return f"ARRAY[{', '.join(self.literal(name) for name in names)}]::text[]"

    def _field_by_key(self, table: TrackedTable) -> str:
        whens = "".join(
            f" WHEN {self.literal(one.column.name)} THEN {self.literal(one.field)}"
            for one in table.columns
            if one.column.name != one.field
        )
        return f"CASE member.key{whens} ELSE member.key END" if whens else "member.key"

    def _text_by_key(self, table: TrackedTable, value: str) -> str:
        """Return the SQL of the canonical text of the member, a JSON value, by its column."""
        text = f"{value} #>> '{{}}'"
        whens = "".join(
            f" WHEN {self.literal(one.column.name)}"
            f" THEN {'NULL' if one.secret else self._text_of_json(value, one)}"
            for one in table.columns
            if one.secret or one.form is Form.JSON or one.form in _TEXTS
        )
        return f"CASE member.key{whens} ELSE {text} END" if whens else text

    def _text_of_json(self, value: str, column: TrackedColumn) -> str:
        if column.form is Form.JSON:
            # The text of a JSON string has its quotes; that of NULL is NULL.
            return f"nullif({value}, 'null')::text"
        return self.text(f"({value} #>> '{{}}')", column)

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


_ROW_VARIABLES = """  new_row jsonb := to_jsonb(NEW);
  old_row jsonb := to_jsonb(OLD);
  changes jsonb;
  moment timestamptz;
  microsecond bigint;
"""
_TAKE_TIME = f"""  moment := clock_timestamp();
  microsecond := {_MICROSECOND.format("moment")};
"""

# OFFSET 0 keeps the planner from evaluating the clock, or the row's JSON, once for each use.
_SOURCES: Mapping[str, str] = {
    event: f"""
  FROM (SELECT clock_timestamp() AS moment, to_jsonb({TRANSITION_TABLE}) AS {row}
    FROM {{rows}} AS {TRANSITION_TABLE} OFFSET 0) AS stamped
  CROSS JOIN LATERAL (SELECT {_MICROSECOND.format("moment")} AS microsecond OFFSET 0) AS clock"""
    for event, row in (("insert", "new_row"), ("delete", "old_row"), ("truncate", "old_row"))
}

_FORMS: Mapping[str, Form] = {
    "timestamp with time zone": Form.DATETIME,
    "timestamp without time zone": Form.LOCAL_DATETIME,
    "time without time zone": Form.TIME,
    "interval": Form.DURATION,
    "bytea": Form.BINARY,
    "json": Form.JSON,
    "jsonb": Form.JSON,
}

# What to_jsonb makes of a value depends on the session (time zone) or is not the common form.
_TEXTS: Mapping[Form, str] = {
    Form.DATETIME: (
        "to_char(({0})::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    ),
    Form.LOCAL_DATETIME: "to_char(({0})::timestamp, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
    Form.TIME: "to_char(({0})::interval, 'HH24:MI:SS.US')",
    Form.DURATION: "((extract(epoch FROM ({0})::interval) * 1000000)::bigint)::text",
    Form.BINARY: "substr({0}, 3)",
}
