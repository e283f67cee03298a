"""PostgreSQL: the SQL that both kinds of entries share, by column and by the row as JSON."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from django_customer_history.backends.entries import LOG_COLUMNS, Entries, WrittenEntry
from django_customer_history.backends.postgresql import templates
from django_customer_history.backends.postgresql.column_types import (
    DURATION,
    JSON_FUNCTION,
    LOCAL_MOMENT,
    MOMENT,
    TIME,
    is_geometry,
    listed_type,
)
from django_customer_history.backends.postgresql.introspection import Schemas
from django_customer_history.backends.tables import Event, Join, TrackedColumn, TrackedTable
from django_customer_history.backends.templates import all_of, call, fill, lines, wrapped
from django_customer_history.context.resolved import REASON_KEYS
from django_customer_history.values.types import ValueType

TRANSITION_TABLE = "customer_history_rows"
PRIMARY = "customer_history_primary_id"
"""The variable, or column of each row, with the key of the first entry of a change."""

# The canonical text of values of these types is not what their JSON has.
_TEXTS: Mapping[ValueType, str] = {
    ValueType.DATETIME: MOMENT.replace("{0}", "({0})::timestamptz"),
    ValueType.LOCAL_DATETIME: LOCAL_MOMENT.replace("{0}", "({0})::timestamp"),
    ValueType.TIME: TIME.replace("{0}", "({0})"),
    ValueType.DURATION: DURATION.replace("{0}", "({0})::interval"),
    ValueType.BINARY: "substr({0}, 3)",
}
_BY_SETTINGS = ("bytea", "interval", "double precision", "real")
"""The listed types whose JSON depends on the settings of the session."""
_CONTEXT_PARTS: Mapping[str, str] = {
    "ip_address": "({0} ->> 'ip_address')::inet",
    "request_id": "({0} ->> 'request_id')::uuid",
    "context": "{0} -> 'context'",
}
"""The parts of the context that are not text."""


def has_special_text(value_type: ValueType) -> bool:
    """Return whether the canonical text differs from the text of the value as JSON."""
    return value_type in _TEXTS


@cache
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

    @property
    def to_json(self) -> str:
        """The function that makes JSON of a value, always in the same way."""
        return self.function(JSON_FUNCTION)

    def number(self, value: str) -> str:
        return f"{value}::bigint"

    def literal(self, text: str) -> str:
        # What a backslash means in '...' is a setting of the session.
        if "\\" not in text:
            return super().literal(text)
        return "E" + super().literal(text.replace("\\", "\\\\"))

    def clock_at(self, microsecond: str) -> Mapping[str, str]:
        """Return the SQL of `id` and `timestamp` for the SQL of a time."""
        return {
            "id": fill(templates.KEY, microsecond=microsecond),
            "timestamp": f"timestamptz 'epoch' + interval '1 microsecond' * {microsecond}",
        }

    def lookup(self, value: str, join: Join, column: str, *, column_type: str = "") -> str:
        # Keys are of types whose JSON is always the same.
        is_known = not column_type or listed_type(column_type) is not None
        to_json = "to_jsonb" if is_known and column_type not in _BY_SETTINGS else self.to_json
        source = self.table(join.table)
        value_read = f"{source}.{self.quote(column)}"
        text = (
            f"{value_read}::text"
            if is_geometry(column_type)
            else f"{to_json}({value_read}) #>> '{{}}'"
        )
        return (
            f"(SELECT {text} FROM {source}"
            f" WHERE {source}.{self.quote(join.key)} = {value}::{join.key_type})"
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
        target = self.linked_key(table, "OLD" if event == "delete" else "NEW")
        return f"jsonb_build_object({self.literal(relation.field)}, {target})"

    def keys(self, column: TrackedColumn, value: str) -> str:
        """Return the query of the keys of a JSON column, or of the whole field.

        Its columns are `field` and `value`, both of them texts.
        """
        return fill(
            templates.KEYS,
            field=self.literal(column.field),
            prefix=self.literal(column.field + "."),
            value=value,
        )

    def changed_keys(self, column: TrackedColumn, before: str, after: str) -> str:
        """Return the query of the changed keys of a JSON column, or of the whole field.

        Its columns are `field`, `before` and `after`, all of them texts.
        """
        return fill(
            templates.CHANGED_KEYS,
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

    def entries_of_rows(
        self, log: str, several: Sequence[WrittenEntry], *, rows: str, key: str, row: str
    ) -> str:
        """Return one statement for all entries of each row; the first is the primary one.

        `key` is the SQL of its key, and `row` the name of the rows as the entries use it.
        """
        return fill(
            templates.ENTRIES_OF_ROWS,
            key=key,
            rows=rows,
            log=self.table(log),
            columns=self.log_columns(),
            entries="\nUNION ALL\n".join(
                fill(
                    templates.ENTRY_OF_ROWS,
                    values=lines(values[column] for column in LOG_COLUMNS),
                    row=row,
                    where=f"WHERE {condition}" if condition else "",
                )
                for values, condition in several
            ),
        )

    def entries_of_change(
        self,
        written: Sequence[WrittenEntry],
        number: int,
        table: TrackedTable,
        event: Event,
        *,
        log: str,
    ) -> list[str]:
        if len(written) == 1:
            return super().entries_of_change(written, number, table, event, log=log)
        key = self.clock(number)["id"]
        if event == "update":
            first, *others = super().entries_of_change(written, number, table, event, log=log)
            return [fill(templates.ENTRY_OF_SEVERAL, key=key, statement=first), *others]
        several = [
            ({**self.clock(number + offset), **values, **self.tie(offset, of=len(written))}, test)
            for offset, (values, test) in enumerate(written)
        ]
        return [self.insert_several(log, several, key=key, table=table, event=event)]

    def tie(self, offset: int, *, of: int) -> Mapping[str, str]:
        if of == 1:
            return {}
        return {"id": PRIMARY} if offset == 0 else {"primary_id": PRIMARY}

    @abstractmethod
    def insert_several(
        self,
        log: str,
        several: Sequence[WrittenEntry],
        *,
        key: str,
        table: TrackedTable,
        event: Event,
    ) -> str:
        """Return the statement of a statement's trigger for several entries of each row."""

    def log_columns(self) -> str:
        """Return the columns of the log."""
        return wrapped(tuple(map(self.quote, LOG_COLUMNS)))

    def if_any_row(self, table: TrackedTable, event: Event, checks: str) -> str:
        """Return statements of a statement's trigger that only run if it has written a row."""
        if not checks:
            return ""
        rows = self.written_rows(table.name, event)
        return fill(templates.IF_ANY_ROW, rows=rows, statements=checks)

    def written_rows(self, table: str, event: Event) -> str:
        """Return the SQL of the rows that a statement has written, or is about to remove."""
        return self.table(table) if event == "truncate" else TRANSITION_TABLE

    def require_reason(self, message: str, *, condition: str | None) -> str:
        tests = [f"NOT coalesce(context -> 'context' ?| {self.array(REASON_KEYS)}, false)"]
        tests += [condition] if condition else []
        return fill(
            templates.REQUIRE_REASON,
            condition=all_of(tests),
            message=self.literal(message),
        )
