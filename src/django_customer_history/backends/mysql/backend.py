"""MariaDB and MySQL: row triggers; the context comes from user variables of the session."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import (
    REFUSAL,
    Backend,
)
from django_customer_history.backends.entries import LOG_COLUMNS
from django_customer_history.backends.mysql.session import MySQLSession
from django_customer_history.backends.row_triggers import RowTriggerBackend
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

# NOW() stands still within a statement and SYSDATE() does not, but only in the session's time
# zone; the zone's distance from UTC is taken at the statement's start.
_MICROSECOND = """TIMESTAMPDIFF(MICROSECOND, '1970-01-01',
    SYSDATE(6) + INTERVAL TIMESTAMPDIFF(MICROSECOND, NOW(6), UTC_TIMESTAMP(6)) MICROSECOND)"""
_DECLARE = """  DECLARE microsecond BIGINT;
  DECLARE changes LONGTEXT CHARACTER SET utf8mb4;
"""
# Two rows of one statement may share a microsecond: the later one gets the next.
_ADVANCE = f"""  SET microsecond = {_MICROSECOND};
  IF @customer_history_clock - microsecond BETWEEN 0 AND 999999 THEN
    SET microsecond = @customer_history_clock + 1;
  END IF;
  SET @customer_history_clock = microsecond + {{more}};
"""
# 48 bits of milliseconds, version 7, 12 bits of fraction, variant 8, then 60 random bits. MariaDB's
# uuid takes the digits alone, and elsewhere that is what Django stores.
_KEY = (
    "LOWER(CONCAT(LPAD(HEX({microsecond} DIV 1000), 12, '0'), '7',"
    " LPAD(HEX({microsecond} MOD 1000 * 4096 DIV 1000), 3, '0'), '8', LEFT({random}, 15)))"
)
# Keys and values stand in the same order; a path by name would miss keys that are escaped.
# CONCAT makes JSON_ARRAY quote the values instead of nesting them.
_KEYS_AND_VALUES = (
    "SELECT k, CONCAT({old}, '') AS o, CONCAT({new}, '') AS n FROM (SELECT k,"
    " JSON_EXTRACT(JSON_EXTRACT({document}, '$.*'), CONCAT('$[', number - 1, ']')) AS value"
    " FROM JSON_TABLE(JSON_KEYS({document}), '$[*]' COLUMNS (number FOR ORDINALITY,"
    " k VARCHAR(255) PATH '$')) AS one_key) AS members"
)
_DUPLICATE_OF_FOREIGN_KEY = 1451
"""An error number that Django turns into `IntegrityError`, as the other databases raise it."""
_LONGEST_MESSAGE = 128
"""Characters that MySQL takes as a condition's text."""


class MySQLBackend(RowTriggerBackend):
    """The SQL of MariaDB and MySQL."""

    def __init__(
        self, *, json_equals: str = "", random: str = "MD5(CONCAT(UUID(), RAND()))"
    ) -> None:
        self._json_equals = json_equals
        self._random = random

    def for_server(self, connection: BaseDatabaseWrapper) -> Backend:
        server: Any = connection
        known: dict[str, str] = {}
        if not server.mysql_is_mariadb:
            known["json_equals"] = "CAST({0} AS JSON) = CAST({1} AS JSON)"
        elif server.mysql_version >= (10, 7):
            known["json_equals"] = "JSON_EQUALS({0}, {1})"
        if not server.mysql_is_mariadb or server.mysql_version >= (10, 10):
            known["random"] = "HEX(RANDOM_BYTES(8))"
        return MySQLBackend(**known)

    vendors = ("mysql",)
    session_class = MySQLSession
    ddl_is_transactional = False
    # A derived table sees the variables of a trigger, and no column of the query around it.
    splits_json_outside_triggers = False

    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        wanted = set(tables)
        found = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, column_name, column_type FROM information_schema.columns"
                " WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
            )
            for table, name, type_ in cursor.fetchall():
                if table in wanted:
                    found[table].append(Column(name=name, type=type_.lower()))
        return {table: tuple(columns) for table, columns in found.items()}

    def installed(self, connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
        # A third of the time that information_schema takes, which looks into other databases too.
        with connection.cursor() as cursor:
            cursor.execute("SHOW TRIGGERS WHERE LEFT(`Trigger`, %s) = %s", [len(PREFIX), PREFIX])
            return [
                InstalledTrigger(table=table, name=name, body=_as_text(body))
                for name, _event, table, body, *_rest in cursor.fetchall()
            ]

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
        name = self.trigger_name(table, event)
        entries = self.entries(table, event, log=log)
        advance = _ADVANCE.format(more=len(entries) - 1)
        refusals = "".join(f"{refusal};\n" for refusal in self.refusals(table, event))
        work = refusals + advance + "".join(f"{entry};\n" for entry in entries)
        when = f"{self.context('paused')} IS NULL"
        if event == "update" and table.relation is not None:
            when += f" AND ({self.any_change(table)})"
        elif event == "update":
            work = f"{self._collected(table)}  IF changes IS NOT NULL THEN\n{work}  END IF;\n"
        if table.part_of is not None:
            when += f" AND {self.has_inherited_row(table.part_of)}"
        work = f"  IF {when} THEN\n{work}  END IF;\n"
        body = f"BEGIN\n{_DECLARE}{work}END"
        return self._replacing(table.name, name, f"AFTER {event.upper()}", body)

    def _collected(self, table: TrackedTable) -> str:
        # A statement for each column: MariaDB prepares an expression anew each time it runs, and
        # most columns have not changed.
        collect = "SET changes = NULLIF(CONCAT_WS(',', changes, {0}), '')"
        return "".join(
            f"  IF {condition} THEN\n    {collect.format(member)};\n  END IF;\n"
            for condition, member in self.pieces(table, "update")
        )

    def piece(self, column: TrackedColumn, event: Event) -> tuple[str, str]:
        condition, member = super().piece(column, event)
        # CONCAT of NULL is NULL, which CONCAT_WS leaves out.
        is_condition_in_member = event != "update" and not column.by_key and not column.secret
        return "" if is_condition_in_member else condition, member

    def of_one_side(self, head: str, text: str, tail: str, column: TrackedColumn) -> str:
        is_plain = column.value_type not in (ValueType.TEXT, ValueType.JSON)
        quoted = f"'\"', {text}, '\"'" if is_plain else self.json_string(text)
        return f"CONCAT({self.literal(head)}, {quoted}, {self.literal(tail)})"

    def changes(self, table: TrackedTable, event: Event) -> str:
        if event == "update" and table.relation is None:
            return "CONCAT('{', changes, '}')"
        return super().changes(table, event)

    def append_only_triggers(self, log: str, partitions: Sequence[str] = ()) -> Sequence[Trigger]:
        # REPLACE is a DELETE and an INSERT here. TRUNCATE and DROP pass by triggers: only the
        # role's privileges can forbid them.
        return [
            self._replacing(
                log,
                self.name(log, f"guard_{verb.lower()}"),
                f"BEFORE {verb}",
                self._signal(REFUSAL.format(verb)),
            )
            for verb in ("UPDATE", "DELETE")
        ]

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}"]

    def place_hint(self, index: str) -> str:
        # Where a record has much of the log, MariaDB thinks its primary key cheaper, or takes the
        # index of subjects without its last part and walks from the newest entry to the place.
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

    def prepare_log(self, log: str) -> Sequence[str]:
        # Most collations take 'abc' and 'ABC' for the same key.
        return [
            f"ALTER TABLE {self.quote(log)} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        ]

    def replacing(self, connection: BaseDatabaseWrapper, trigger: Trigger) -> Sequence[str]:
        if getattr(connection, "mysql_is_mariadb", False):
            return trigger.statements
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}", *trigger.statements]

    def context(self, name: str) -> str:
        return f"@{PREFIX}{name}"

    def clock(self, number: int) -> Mapping[str, str]:
        microsecond = f"(microsecond + {number})" if number else "microsecond"
        return {
            "id": _KEY.format(microsecond=microsecond, random=self._random),
            "timestamp": f"TIMESTAMP '1970-01-01 00:00:00' + INTERVAL {microsecond} MICROSECOND",
        }

    def in_log(self, text: str) -> str:
        return f"{text} COLLATE utf8mb4_bin"

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def literal(self, text: str) -> str:
        return super().literal(text.replace("\\", "\\\\"))

    def cell(self, row: str, column: str) -> str:
        return f"{row}.{self.quote(column)}"

    def text(self, value: str, column: TrackedColumn) -> str:
        return _TEXTS.get(column.value_type, "CONVERT({0} USING utf8mb4)").format(value)

    def step(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        return (
            f"(SELECT {self.quote(column)} FROM {self.quote(table)}"
            f" WHERE {self.quote(key)} = {value})"
        )

    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        if value_type not in (ValueType.TEXT, ValueType.JSON):
            return f"NOT ({one} <=> {other})"
        if value_type is ValueType.JSON and self._json_equals:
            # JSON may be written in another order and mean the same.
            equal = self._json_equals.format(one, other)
            return f"(NOT (BINARY {one} <=> BINARY {other}) AND NOT ({equal} <=> 1))"
        # Most collations take 'abc', 'ABC' and 'abc ' for the same.
        return f"NOT (BINARY {one} <=> BINARY {other})"

    def members_by_key(self, field: str, old: str, new: str) -> str:
        is_object = " AND ".join(
            f"COALESCE(JSON_TYPE({value}), 'NULL') IN ('OBJECT', 'NULL')" for value in (old, new)
        )
        texts = " UNION ALL ".join(
            _KEYS_AND_VALUES.format(document=value, old=sides[0], new=sides[1])
            for value, sides in ((old, ("value", "NULL")), (new, ("NULL", "value")))
            if value != "NULL"
        )
        name, prefix = self.literal(json.dumps(field) + ":"), self.literal(field + ".")
        whole = self.concatenate(
            [name, self.pair(*(_TEXTS[ValueType.JSON].format(value) for value in (old, new)))]
        )
        return (
            f"IF({is_object}, (SELECT GROUP_CONCAT(JSON_QUOTE(CONCAT({prefix}, k)), ':',"
            f" JSON_ARRAY(o, n) SEPARATOR ',') FROM (SELECT MAX(k) AS k, MAX(o) AS o,"
            f" MAX(n) AS n FROM ({texts}) AS sides GROUP BY BINARY k) AS pairs"
            f" WHERE NOT (BINARY o <=> BINARY n)), {whole})"
        )

    def pair(self, old: str, new: str) -> str:
        return f"JSON_ARRAY({old}, {new})"

    def concatenate(self, parts: Sequence[str]) -> str:
        return f"CONCAT({', '.join(parts)})"

    def join_words(self, parts: Sequence[str]) -> str:
        return f"CONCAT_WS(' ', {', '.join(parts)})"

    def json_string(self, text: str) -> str:
        return f"JSON_QUOTE({text})"

    def object_of(self, pieces: Sequence[tuple[str, str]]) -> str:
        members = "".join(
            f",\n    {f'IF({condition}, {member}, NULL)' if condition else member}"
            for condition, member in pieces
        )
        return f"CONCAT('{{', CONCAT_WS(','{members}), '}}')" if pieces else "'{}'"

    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: str,
        event: Event,
        condition: str | None,
    ) -> str:
        # MySQL refuses an INSERT that reads its own table (1093): such values are read before.
        read = {name: sql for name, sql in values.items() if f"FROM {self.quote(log)}" in sql}
        written = {**values, **{name: f"logged_{name}" for name in read}}
        columns = ", ".join(self.quote(column) for column in LOG_COLUMNS)
        expressions = ",\n    ".join(written[column] for column in LOG_COLUMNS)
        statement = f"  INSERT INTO {self.quote(log)} ({columns})\n  VALUES ({expressions})"
        if read:
            variables = "".join(
                f"    DECLARE logged_{name} TEXT CHARACTER SET utf8mb4 DEFAULT {sql};\n"
                for name, sql in read.items()
            )
            statement = f"  BEGIN\n{variables}{statement};\n  END"
        return f"  IF {condition} THEN\n{statement};\n  END IF" if condition else statement

    def refuse(self, message: str, *, condition: str | None) -> str:
        paths = ", ".join(f"'$.{name}'" for name in REASON_KEYS)
        context = self.context("context")
        tests = [f"NOT COALESCE(JSON_CONTAINS_PATH({context}, 'one', {paths}), 0)"]
        tests += [condition] if condition else []
        return f"  IF {' AND '.join(tests)} THEN\n    {self._signal(message)};\n  END IF"

    def _signal(self, message: str) -> str:
        text = self.literal(message[:_LONGEST_MESSAGE])
        return (
            f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = {text},"
            f" MYSQL_ERRNO = {_DUPLICATE_OF_FOREIGN_KEY}"
        )

    def existing_rows_source(self, table: str, condition: str) -> str:
        return (
            f"FROM (SELECT * FROM {self.quote(table)} WHERE {condition}) AS NEW"
            f" CROSS JOIN (SELECT {_MICROSECOND} AS microsecond) AS clock"
        )

    def _replacing(self, table: str, name: str, head: str, body: str) -> Trigger:
        # Only MariaDB runs what stands behind M!, and replaces without a gap; for MySQL
        # `replacing` removes the old trigger first.
        create = (
            f"CREATE /*M! OR REPLACE */ TRIGGER {self.quote(name)} {head} ON {self.quote(table)}"
            f" FOR EACH ROW\n{body}"
        )
        return Trigger(table=table, name=name, body=body, statements=(create,))


def _as_text(body: str | bytes) -> str:
    return body.decode() if isinstance(body, bytes) else body


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
    "tinyblob": ValueType.BINARY,
    "blob": ValueType.BINARY,
    "mediumblob": ValueType.BINARY,
    "longblob": ValueType.BINARY,
    "binary": ValueType.BINARY,
    "varbinary": ValueType.BINARY,
}

_AS_CHARACTERS = "CAST({0} AS CHAR)"
_TEXTS: Mapping[ValueType, str] = {
    ValueType.INTEGER: _AS_CHARACTERS,
    ValueType.DECIMAL: _AS_CHARACTERS,
    ValueType.FLOAT: _AS_CHARACTERS,
    ValueType.DATE: _AS_CHARACTERS,
    ValueType.BOOLEAN: "CASE {0} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END",
    ValueType.DATETIME: "DATE_FORMAT({0}, '%Y-%m-%dT%H:%i:%s.%fZ')",
    ValueType.LOCAL_DATETIME: "DATE_FORMAT({0}, '%Y-%m-%dT%H:%i:%s.%f')",
    ValueType.TIME: "TIME_FORMAT({0}, '%H:%i:%s.%f')",
    # MySQL has no uuid type: Django stores 32 digits there, MariaDB's own type has dashes.
    ValueType.UUID: (
        "IF(LENGTH({0}) = 32, INSERT(INSERT(INSERT(INSERT({0}, 21, 0, '-'), 17, 0, '-'),"
        " 13, 0, '-'), 9, 0, '-'), CAST({0} AS CHAR))"
    ),
    ValueType.BINARY: "LOWER(HEX({0}))",
    # MariaDB's JSON_ARRAY would nest a JSON column's value instead of quoting its text.
    ValueType.JSON: "CONCAT(CONVERT({0} USING utf8mb4), '')",
}
