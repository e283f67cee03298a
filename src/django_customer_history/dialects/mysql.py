"""MariaDB and MySQL: row triggers; the context comes from user variables of the session."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.dialects.base import LOG_COLUMNS, REFUSAL, Dialect
from django_customer_history.dialects.row_triggers import RowDialect
from django_customer_history.tables import (
    PREFIX,
    Column,
    Event,
    Form,
    InstalledTrigger,
    TrackedColumn,
    TrackedTable,
    Trigger,
)

# NOW() stands still within a statement and SYSDATE() does not, but only in the session's time
# zone; the zone's distance from UTC is taken at the statement's start.
_DECLARE = """  DECLARE microsecond BIGINT DEFAULT TIMESTAMPDIFF(MICROSECOND, '1970-01-01',
    SYSDATE(6) + INTERVAL TIMESTAMPDIFF(MICROSECOND, NOW(6), UTC_TIMESTAMP(6)) MICROSECOND);
"""
# Two rows of one statement may share a microsecond: the later one gets the next.
_ADVANCE = """  IF @customer_history_clock - microsecond BETWEEN 0 AND 999999 THEN
    SET microsecond = @customer_history_clock + 1;
  END IF;
  SET @customer_history_clock = microsecond + {more};
"""
# 48 bits of milliseconds, version 7, 12 bits of fraction, variant 8, then 60 random bits.
_KEY = (
    "INSERT(INSERT(INSERT(INSERT(CONCAT(LPAD(HEX({0} DIV 1000), 12, '0'), '7',"
    " LPAD(HEX({0} MOD 1000 * 4096 DIV 1000), 3, '0'), '8',"
    " LEFT(MD5(CONCAT(UUID(), RAND())), 15)), 21, 0, '-'), 17, 0, '-'), 13, 0, '-'), 9, 0, '-')"
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


class MySQLDialect(RowDialect):
    """The SQL of MariaDB and MySQL."""

    def __init__(self, json_equals: str = "") -> None:
        self._json_equals = json_equals

    def for_server(self, connection: BaseDatabaseWrapper) -> Dialect:
        server: Any = connection
        if not server.mysql_is_mariadb:
            return MySQLDialect("CAST({0} AS JSON) = CAST({1} AS JSON)")
        return MySQLDialect("JSON_EQUALS({0}, {1})") if server.mysql_version >= (10, 7) else self

    vendors = ("mysql",)
    ddl_is_transactional = False

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
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT event_object_table, trigger_name, action_statement"
                " FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
                " AND LEFT(trigger_name, %s) = %s",
                [len(PREFIX), PREFIX],
            )
            return [
                InstalledTrigger(table=table, name=name, body=_as_text(body))
                for table, name, body in cursor.fetchall()
            ]

    def form(self, column: Column, hint: Form | None) -> Form:
        name = column.type.partition("(")[0].split()[0]
        if column.type == "char(32)" and hint is Form.UUID:
            return Form.UUID
        if name == "datetime" and hint is Form.LOCAL_DATETIME:
            return hint
        if column.type == "tinyint(1)":
            return Form.BOOLEAN
        if name == "longtext" and hint is Form.JSON:
            return Form.JSON
        return _FORMS.get(name, Form.TEXT)

    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        name = self.trigger_name(table, event)
        entries = self.entries(table, event, log=log)
        advance = _ADVANCE.format(more=len(entries) - 1)
        work = advance + "".join(f"{entry};\n" for entry in entries)
        when = f"{self.context('paused')} IS NULL"
        if event == "update":
            when += f" AND ({self.any_change(table)})"
        work = f"  IF {when} THEN\n{work}  END IF;\n"
        body = f"BEGIN\n{_DECLARE}{work}END"
        return self._replacing(table.name, name, f"AFTER {event.upper()}", body)

    def guards(self, log: str) -> Sequence[Trigger]:
        # REPLACE is a DELETE and an INSERT here. TRUNCATE and DROP pass by triggers: only the
        # role's privileges can forbid them.
        return [
            self._replacing(
                log,
                self.name(log, f"guard_{verb.lower()}"),
                f"BEFORE {verb}",
                f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = "
                f"{self.literal(REFUSAL.format(verb))}, MYSQL_ERRNO = {_DUPLICATE_OF_FOREIGN_KEY}",
            )
            for verb in ("UPDATE", "DELETE")
        ]

    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        return [f"DROP TRIGGER IF EXISTS {self.quote(trigger.name)}"]

    def flush(self, statements: Sequence[str], *, log: str, guards: Sequence[Trigger]) -> list[str]:
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
            "id": f"LOWER({_KEY.format(microsecond)})",
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
        return _TEXTS.get(column.form, "CONVERT({0} USING utf8mb4)").format(value)

    def step(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        return (
            f"(SELECT {self.quote(column)} FROM {self.quote(table)}"
            f" WHERE {self.quote(key)} = {value})"
        )

    def differs(self, one: str, other: str, *, form: Form = Form.TEXT) -> str:
        if form not in (Form.TEXT, Form.JSON):
            return f"NOT ({one} <=> {other})"
        if form is Form.JSON and self._json_equals:
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
            [name, self.pair(*(_TEXTS[Form.JSON].format(value) for value in (old, new)))]
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
        members = "".join(f",\n    IF({condition}, {member}, NULL)" for condition, member in pieces)
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
        columns = ", ".join(self.quote(column) for column in LOG_COLUMNS)
        expressions = ",\n    ".join(values[column] for column in LOG_COLUMNS)
        statement = f"  INSERT INTO {self.quote(log)} ({columns})\n  VALUES ({expressions})"
        return f"  IF {condition} THEN\n{statement};\n  END IF" if condition else statement

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


_FORMS: Mapping[str, Form] = {
    "int": Form.INTEGER,
    "bigint": Form.INTEGER,
    "smallint": Form.INTEGER,
    "mediumint": Form.INTEGER,
    "tinyint": Form.INTEGER,
    "decimal": Form.DECIMAL,
    "double": Form.FLOAT,
    "float": Form.FLOAT,
    "date": Form.DATE,
    "datetime": Form.DATETIME,
    "timestamp": Form.DATETIME,
    "time": Form.TIME,
    "uuid": Form.UUID,
    "tinyblob": Form.BINARY,
    "blob": Form.BINARY,
    "mediumblob": Form.BINARY,
    "longblob": Form.BINARY,
    "binary": Form.BINARY,
    "varbinary": Form.BINARY,
}

_AS_CHARACTERS = "CAST({0} AS CHAR)"
_TEXTS: Mapping[Form, str] = {
    Form.INTEGER: _AS_CHARACTERS,
    Form.DECIMAL: _AS_CHARACTERS,
    Form.FLOAT: _AS_CHARACTERS,
    Form.DATE: _AS_CHARACTERS,
    Form.BOOLEAN: "CASE {0} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END",
    Form.DATETIME: "DATE_FORMAT({0}, '%Y-%m-%dT%H:%i:%s.%fZ')",
    Form.LOCAL_DATETIME: "DATE_FORMAT({0}, '%Y-%m-%dT%H:%i:%s.%f')",
    Form.TIME: "TIME_FORMAT({0}, '%H:%i:%s.%f')",
    # MySQL has no uuid type: Django stores 32 digits there, MariaDB's own type has dashes.
    Form.UUID: (
        "IF(LENGTH({0}) = 32, INSERT(INSERT(INSERT(INSERT({0}, 21, 0, '-'), 17, 0, '-'),"
        " 13, 0, '-'), 9, 0, '-'), CAST({0} AS CHAR))"
    ),
    Form.BINARY: "LOWER(HEX({0}))",
    # MariaDB's JSON_ARRAY would nest a JSON column's value instead of quoting its text.
    Form.JSON: "CONCAT(CONVERT({0} USING utf8mb4), '')",
}
