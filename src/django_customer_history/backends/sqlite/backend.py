"""SQLite: row triggers; key, clock and context come from functions on the connection."""

import json
from collections.abc import Iterable, Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import REFUSAL
from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.expressions import (
    Member,
    around,
    object_by_pattern,
)
from django_customer_history.backends.row_triggers import RowTriggerBackend
from django_customer_history.backends.sqlite.session import SQLiteSession
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    InstalledTrigger,
    TrackedColumn,
    TrackedTable,
    Trigger,
)
from django_customer_history.values.types import ValueType


class SQLiteBackend(RowTriggerBackend):
    """The SQL of SQLite.

    A program that does not register the functions of `capture.session` cannot write to a
    tracked table at all ("no such function"): nothing goes unrecorded.
    """

    vendors = ("sqlite",)
    session_class = SQLiteSession
    ddl_is_transactional = True
    # Remaking or renaming a table fails while any trigger on another table reads it, and the
    # triggers on the table itself are lost with it.
    triggers_block_changes = True
    before_member = ","

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        found = {}
        with connection.cursor() as cursor:
            for table in tables:
                # table_xinfo, unlike table_info, lists generated columns too.
                cursor.execute('SELECT name, type, "notnull" FROM pragma_table_xinfo(%s)', [table])
                if rows := cursor.fetchall():
                    found[table] = tuple(
                        Column(name=name, type=type_.lower(), required=bool(required))
                        for name, type_, required in rows
                    )
        return found

    def installed(self, connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tbl_name, name, sql FROM sqlite_master"
                " WHERE type = 'trigger' AND substr(name, 1, %s) = %s",
                [len(PREFIX), PREFIX],
            )
            return [
                InstalledTrigger(table=table, name=name, body=sql)
                for table, name, sql in cursor.fetchall()
            ]

    def value_type(self, column: Column, hint: ValueType | None) -> ValueType:
        # SQLite's types are only names: what the model field says is the better knowledge.
        return hint or _VALUE_TYPES.get(column.type.partition("(")[0].strip(), ValueType.TEXT)

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        name = self.trigger_name(table, event)
        when = f"NOT {self.context('paused')}"
        if event == "update":
            when += f" AND ({self.any_change(table)})"
        body = ";\n".join([*self.refusals(table, event), *self.entries(table, event, log=log)])
        sql = (
            f"CREATE TRIGGER {self.quote(name)} AFTER {event.upper()} ON {self.quote(table.name)}"
            f" FOR EACH ROW WHEN {when}\nBEGIN\n{body};\nEND"
        )
        return self._replacing(table.name, name, sql)

    def append_only_triggers(self, log: str, partitions: Sequence[str] = ()) -> Sequence[Trigger]:
        quoted = self.quote(log)
        # Without recursive_triggers, REPLACE removes the old row past the DELETE guard.
        heads = {
            "UPDATE": f"BEFORE UPDATE ON {quoted}",
            "DELETE": f"BEFORE DELETE ON {quoted}",
            "REPLACE": f"BEFORE INSERT ON {quoted}"
            f" WHEN EXISTS (SELECT 1 FROM {quoted} WHERE id = NEW.id)",
        }
        triggers = []
        for verb, head in heads.items():
            name = self.name(log, f"guard_{verb.lower()}")
            refusal = self.literal(REFUSAL.format(verb))
            sql = (
                f"CREATE TRIGGER {self.quote(name)} {head}\n"
                f"BEGIN SELECT RAISE(ABORT, {refusal}); END"
            )
            triggers.append(self._replacing(log, name, sql))
        return triggers

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}"]

    def flush(
        self, statements: Sequence[str], *, log: str, append_only_triggers: Sequence[Trigger]
    ) -> list[str]:
        is_log = [self.quote(log) in statement for statement in statements]
        return [
            *(one for one, last in zip(statements, is_log, strict=True) if not last),
            *(f"DROP TRIGGER IF EXISTS {self.quote(guard.name)}" for guard in append_only_triggers),
            *(one for one, last in zip(statements, is_log, strict=True) if last),
            *(guard.body for guard in append_only_triggers),
        ]

    def context(self, name: str) -> str:
        return f"{PREFIX}{name}()"

    def is_required(self, table: TrackedTable, column: str) -> bool:
        # Django makes a table anew to change that, and its triggers with it. Where somebody else
        # changes it, what is empty is null in an entry until the triggers are made anew.
        return table.requires(column)

    def clock(self, number: int) -> Mapping[str, str]:
        # `key` is the first column: it takes the context of this very moment for the others.
        return {"id": f"{PREFIX}key()", "timestamp": f"{PREFIX}timestamp()"}

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def cell(self, row: str, column: str) -> str:
        return f"{row}.{self.quote(column)}"

    def text(self, value: str, column: TrackedColumn) -> str:
        pattern = _TEXTS.get(column.value_type, "CAST({0} AS TEXT)")
        return pattern.format(value, places=column.places)

    def step(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        return (
            f"(SELECT {self.quote(column)} FROM {self.quote(table)}"
            f" WHERE {self.quote(key)} = {value})"
        )

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        # A column's own collation may take 'abc' and 'ABC' for the same; JSON may be written
        # in another order and mean the same.
        different = f"{one} IS NOT {other} COLLATE BINARY"
        if value_type is not ValueType.JSON:
            return different
        return f"({different} AND customer_history_json_differs({one}, {other}))"

    def members_by_key(self, field: str, old: str, new: str) -> str:
        # No member at all, as of an empty object, must not leave a comma behind.
        members = f"NULLIF(customer_history_members({self.literal(field)}, {old}, {new}), '')"
        return f"{self.literal(self.before_member)} || {members}"

    def pair(self, old: str, new: str) -> str:
        return f"json_array({old}, {new})"

    def concatenate(self, parts: Sequence[str]) -> str:
        return " || ".join(parts)

    def join_words(self, parts: Sequence[str]) -> str:
        words = " || ".join(f"COALESCE(' ' || {part}, '')" for part in parts)
        return f"LTRIM({words})"

    def json_string(self, text: str) -> str:
        return f"json_quote({text})"

    def changes(self, table: TrackedTable, event: Event) -> str:
        if table.relation is not None or event == "update":
            return super().changes(table, event)
        return _object([self._member(table, column, event) for column in table.columns])

    def _member(self, table: TrackedTable, column: TrackedColumn, event: Event) -> Member:
        is_special = column.by_key or column.secret or column.via is not None
        if is_special or not self.is_required(table, column.column.name):
            return _if_so(*self.piece(column, event))
        before, after = around(event)
        text = self.text(
            self.cell("OLD" if event == "delete" else "NEW", column.column.name), column
        )
        head = f"{self.before_member}{json.dumps(column.field)}:{before}"
        return head, f"json_quote({text})", after

    def of_one_side(self, head: str, text: str, tail: str, column: TrackedColumn) -> str:
        return f"{self.literal(head)} || json_quote({text}) || {self.literal(tail)}"

    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        return _object([_if_so(condition, member) for condition, member in pieces])

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
        into = f"  INSERT INTO {self.quote(log)} ({columns})\n"
        # What is selected goes through a table of its own first, as the log has a guard.
        if condition is None:
            return f"{into}  VALUES ({expressions})"
        return f"{into}  SELECT {expressions}\n  WHERE {condition}"

    def refuse(self, message: str, *, condition: str | None) -> str:
        tests = [f"NOT {PREFIX}has_reason()", *([condition] if condition else [])]
        return f"  SELECT RAISE(ABORT, {self.literal(message)}) WHERE {' AND '.join(tests)}"

    def existing_rows_source(self, table: str, condition: str) -> str:
        return f"FROM (SELECT * FROM {self.quote(table)} WHERE {condition}) AS NEW"

    def _replacing(self, table: str, name: str, sql: str) -> Trigger:
        drop = f"DROP TRIGGER IF EXISTS {self.quote(name)}"
        return Trigger(table=table, name=name, body=sql, statements=(drop, sql))


def _if_so(condition: str, member: str) -> Member:
    return "", f"CASE WHEN {condition} THEN {member} END", ""


def _object(members: Sequence[Member]) -> str:
    # printf() leaves out what is NULL and makes one text of all, where || makes one of each two.
    # It ends at a zero character, of which JSON has none.
    return object_by_pattern(members, function="printf", rest="substr({0}, 2)")


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

# Django stores moments as "2026-01-02 03:04:05[.ffffff]", times likewise, UUIDs as 32 digits.
_TEXTS: Mapping[ValueType, str] = {
    ValueType.DECIMAL: "CASE WHEN {0} IS NOT NULL THEN printf('%.{places}f', {0}) END",
    ValueType.FLOAT: "customer_history_float({0})",
    ValueType.BOOLEAN: "CASE WHEN {0} IS NULL THEN NULL WHEN {0} THEN 'true' ELSE 'false' END",
    ValueType.DATETIME: (
        "replace(substr({0}, 1, 19), ' ', 'T') || '.'"
        " || substr(substr({0}, 21) || '000000', 1, 6) || 'Z'"
    ),
    ValueType.LOCAL_DATETIME: (
        "replace(substr({0}, 1, 19), ' ', 'T') || '.' || substr(substr({0}, 21) || '000000', 1, 6)"
    ),
    ValueType.TIME: "substr({0}, 1, 8) || '.' || substr(substr({0}, 10) || '000000', 1, 6)",
    ValueType.UUID: (
        "substr({0}, 1, 8) || '-' || substr({0}, 9, 4) || '-' || substr({0}, 13, 4)"
        " || '-' || substr({0}, 17, 4) || '-' || substr({0}, 21)"
    ),
    ValueType.BINARY: "CASE WHEN {0} IS NOT NULL THEN lower(hex({0})) END",
}
