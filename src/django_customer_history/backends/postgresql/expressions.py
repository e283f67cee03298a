"""PostgreSQL: the SQL that both kinds of entries share, by column and by the row as JSON."""

from collections.abc import Iterable, Mapping, Sequence

from django_customer_history.backends.entries import LOG_COLUMNS, Entries
from django_customer_history.backends.postgresql import templates
from django_customer_history.backends.postgresql.introspection import Schemas
from django_customer_history.backends.tables import Event, TrackedColumn, TrackedTable
from django_customer_history.backends.templates import all_of, call, fill, lines, wrapped
from django_customer_history.context.resolved import REASON_KEYS
from django_customer_history.values.types import ValueType

TRANSITION_TABLE = "customer_history_rows"

# What to_jsonb makes of these types depends on the session, or is not the canonical text.
_TEXTS: Mapping[ValueType, str] = {
    # coalesce: to_char() makes NULL of infinity.
    ValueType.DATETIME: (
        "coalesce(to_char(({0})::timestamptz AT TIME ZONE 'UTC',"
        ' \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\'), {0})'
    ),
    ValueType.LOCAL_DATETIME: (
        "coalesce(to_char(({0})::timestamp, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), {0})"
    ),
    ValueType.TIME: "to_char(({0})::interval, 'HH24:MI:SS.US')",
    ValueType.DURATION: "((extract(epoch FROM ({0})::interval) * 1000000)::bigint)::text",
    ValueType.BINARY: "substr({0}, 3)",
}
_CONTEXT_PARTS: Mapping[str, str] = {
    "ip_address": "({0} ->> 'ip_address')::inet",
    "request_id": "({0} ->> 'request_id')::uuid",
    "context": "{0} -> 'context'",
}
"""The parts of the context that are not text."""


def has_special_text(value_type: ValueType) -> bool:
    """Return whether the canonical text differs from the text of the value as JSON."""
    return value_type in _TEXTS


def quoted_name(name: str) -> str:
    """Return a quoted identifier; '"schema"."table"' stays as it is, as Django leaves it too."""
    if name.startswith('"') and name.endswith('"'):
        return name
    return '"' + name.replace('"', '""') + '"'


class PostgreSQLExpressions(Entries):
    """Pieces of SQL that do not depend on how a trigger reads its rows."""

    def __init__(self, schemas: Schemas | None = None) -> None:
        self.schemas = schemas or Schemas()

    def quote(self, name: str) -> str:
        return quoted_name(name)

    def table(self, name: str) -> str:
        return self._in_schema(self.schemas.tables.get(name), name)

    def function(self, name: str) -> str:
        """Return the name of a function of this package, with its schema."""
        return self._in_schema(self.schemas.functions, name)

    def _in_schema(self, schema: str | None, name: str) -> str:
        quoted = self.quote(name)
        return quoted if schema is None or quoted == name else f"{self.quote(schema)}.{quoted}"

    def text(self, value: str, column: TrackedColumn) -> str:
        return _TEXTS.get(column.value_type, "{0}").format(value)

    def number(self, value: str) -> str:
        return f"{value}::bigint"

    def lookup(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        return (
            f"(SELECT to_jsonb({self.quote(column)}) #>> '{{}}' FROM {self.table(table)}"
            f" WHERE {self.quote(key)} = {value}::{key_type})"
        )

    def pair(self, old: str, new: str) -> str:
        return call("jsonb_build_array", [old, new])

    def concatenate(self, parts: Sequence[str]) -> str:
        return " || ".join(parts)

    def join_words(self, parts: Sequence[str]) -> str:
        return f"concat_ws(' ', {', '.join(parts)})"

    def json_string(self, text: str) -> str:
        return f"to_json({text})"

    def array(self, names: Iterable[str]) -> str:
        """Return the SQL of an array of texts."""
        return f"ARRAY[{', '.join(self.literal(name) for name in names)}]::text[]"

    def context_part(self, name: str, context: str) -> str:
        """Return the SQL of a part of the context, which is JSON."""
        return _CONTEXT_PARTS.get(name, f"{{0}} ->> '{name}'").format(context)

    def link_change(self, table: TrackedTable, event: Event) -> str:
        """Return the SQL of the changes of an entry about a row of a many-to-many table."""
        if (relation := table.relation) is None:
            raise ValueError(f"{table.name!r} is not a many-to-many table")
        row = "OLD" if event == "delete" else "NEW"
        target = self.text(self.cell(row, relation.target.column.name), relation.target)
        pair = self.pair("NULL", target) if event == "insert" else self.pair(target, "NULL")
        return f"jsonb_build_object({self.literal(relation.field)}, {pair})"

    def keys(self, column: TrackedColumn, before: str, after: str) -> str:
        """Return the query of the changed keys of a JSON column, or of the whole field.

        Its columns are `field`, `before` and `after`, all of them texts.
        """
        return fill(
            templates.KEYS,
            field=self.literal(column.field),
            prefix=self.literal(column.field + "."),
            before=before,
            after=after,
        )

    def entry(
        self, log: str, values: Mapping[str, str], *, rows: str = "", condition: str | None
    ) -> str:
        """Return the statement that writes an entry for each of the rows."""
        return fill(
            templates.ENTRY,
            log=self.table(log),
            columns=self.log_columns(),
            values=lines(values[column] for column in LOG_COLUMNS),
            rows=rows,
            where=f"WHERE {condition}" if condition else "",
        )

    def log_columns(self) -> str:
        """Return the columns of the log."""
        return wrapped(tuple(map(self.quote, LOG_COLUMNS)))

    def if_any_row(self, table: TrackedTable, event: Event, checks: str) -> str:
        """Return statements of a statement's trigger that only run if it has written a row."""
        if not checks:
            return ""
        rows = self.table(table.name) if event == "truncate" else TRANSITION_TABLE
        return fill(templates.IF_ANY_ROW, rows=rows, statements=checks)

    def require_reason(self, message: str, *, condition: str | None) -> str:
        tests = [f"NOT coalesce(context -> 'context' ?| {self.array(REASON_KEYS)}, false)"]
        tests += [condition] if condition else []
        return fill(
            templates.REQUIRE_REASON,
            condition=all_of(tests),
            message=self.literal(message),
        )
