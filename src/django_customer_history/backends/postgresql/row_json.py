"""PostgreSQL: what a row holds and what changed in it, with the row taken as JSON.

This survives every change of the table: a member of the JSON is a column as it is now.
"""

from collections.abc import Iterable, Mapping

from django_customer_history.backends.base import Backend
from django_customer_history.backends.tables import (
    Event,
    InheritanceJoin,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.values.types import ValueType

# What to_jsonb makes of a value depends on the session (time zone) or is not the common value_type.
TEXTS: Mapping[ValueType, str] = {
    # to_char() knows no infinity: it is NULL to it.
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


class RowAsJSON(Backend):
    """The changed members of a row, found by going through all that it has."""

    def members(self, table: TrackedTable, event: Event) -> str:
        """Return the query that makes one JSON object of the changed members of the row."""
        new, old = "member.value", "(old_row -> member.key)"
        pair, condition, row = {
            "insert": (("NULL", new), f"{new} <> 'null'", "new_row"),
            "update": ((old, new), f"{new} IS DISTINCT FROM {old}", "new_row"),
            "delete": ((new, "NULL"), f"{new} <> 'null'", "old_row"),
        }[event]
        if event != "update":
            row += "".join(
                self._and_of(inheritance_join, row) for inheritance_join in table.inherited
            )
        texts = [part if part == "NULL" else self._text_by_key(table, part) for part in pair]
        members = (
            f"SELECT {self._field_by_key(table)} AS field, {self.pair(*texts)} AS pair"
            f" FROM jsonb_each({row}) AS member(key, value)"
            f" WHERE {condition} AND {self._is_logged(table, event)}"
        )
        for column in table.columns:
            if column.by_key:
                name = self.literal(column.column.name)
                before = "NULL::jsonb" if event == "insert" else f"(old_row -> {name})"
                after = "NULL::jsonb" if event == "delete" else f"(new_row -> {name})"
                keyed = self.members_by_key(column, before, after)
                both = self.pair("before", "after")
                members += f" UNION ALL SELECT field, {both} FROM ({keyed}) AS keyed"
        return f"SELECT jsonb_object_agg(field, pair) FROM ({members}) AS changed"

    def _and_of(self, parent: InheritanceJoin, row: str) -> str:
        link = f"({row} ->> {self.literal(parent.link)})::{parent.key_type}"
        return (
            f" || coalesce((SELECT to_jsonb(parent) FROM {self.quote(parent.table)} AS parent"
            f" WHERE parent.{self.quote(parent.key)} = {link}), '{{}}')"
        )

    def members_by_key(self, column: TrackedColumn, before: str, after: str) -> str:
        """Return the query of what changed in a JSON column: of objects by key, else as a whole.

        Its columns are `field`, `before` and `after`, all of them texts.
        """
        field, values = column.field, (before, after)
        is_object = " AND ".join(
            f"coalesce(jsonb_typeof({value}), 'null') IN ('object', 'null')" for value in values
        )
        one, other = (
            f"jsonb_each(CASE jsonb_typeof({value}) WHEN 'object' THEN {value} ELSE '{{}}' END)"
            for value in values
        )
        return (
            f"SELECT {self.literal(field + '.')} || key AS field,"
            f" o.value::text AS before, n.value::text AS after"
            f" FROM {one} AS o FULL JOIN {other} AS n USING (key)"
            f" WHERE {is_object} AND o.value IS DISTINCT FROM n.value"
            f" UNION ALL SELECT {self.literal(field)}, {before}::text, {after}::text"
            f" WHERE NOT ({is_object}) AND {before} IS DISTINCT FROM {after}"
        )

    def _is_logged(self, table: TrackedTable, event: Event) -> str:
        # Columns that are added later are logged at once, unless only some were asked for. The
        # key is the entity's own; only that it changed is worth a word.
        by_key = [column.column.name for column in table.columns if column.by_key]
        key = [column.column.name for column in table.key] if event == "update" else []
        if table.only_listed:
            listed = {*(column.column.name for column in table.columns), *key} - set(by_key)
            return f"member.key = ANY ({self.array(sorted(listed))})"
        hidden = [name for name in table.hidden if name not in key]
        return f"member.key <> ALL ({self.array([*hidden, *by_key])})"

    def array(self, names: Iterable[str]) -> str:
        """Return the SQL of an array of texts."""
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
            if one.secret or one.value_type is ValueType.JSON or one.value_type in TEXTS
        )
        return f"CASE member.key{whens} ELSE {text} END" if whens else text

    def _text_of_json(self, value: str, column: TrackedColumn) -> str:
        if column.value_type is ValueType.JSON:
            # The text of a JSON string has its quotes; that of NULL is NULL.
            return f"nullif({value}, 'null')::text"
        return self.text(f"({value} #>> '{{}}')", column)
