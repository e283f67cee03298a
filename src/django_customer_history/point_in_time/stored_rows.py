"""Rows of tables by the texts of the log: read and locked, compared, and written.

What is read is what a trigger would log, as the same SQL makes it. What is written is the value
that the column had, and not what a field of the model makes of it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, cast

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import backend_of
from django_customer_history.backends.base import Backend
from django_customer_history.backends.tables import TrackedColumn
from django_customer_history.capture.existing_rows import VALUE, fetch_rows
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import (
    AnyField,
    decimal_places_of,
    value_type_of,
)
from django_customer_history.values.types import ValueType

Text = str | None
Texts = Mapping[str, Text]
"""Texts of the log by the names of fields."""
Cell = tuple[str, Sequence[Any]]
"""The SQL of a value and its parameters."""
Cells = Mapping[str, Cell]


def key_parts(model: type[models.Model], key: str) -> list[str]:
    """Return the texts of the fields of a key, as the log writes it."""
    if len(model._meta.pk_fields) == 1:
        return [key]
    return [str(part) for part in json.loads(key)]


def joined_key(parts: Sequence[str]) -> str:
    """Return the key as the log writes it, from the texts of its fields."""
    if len(parts) == 1:
        return parts[0]
    return json.dumps(list(parts), separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class StoredTable:
    """One table of a model. Methods that take a condition take texts by the names of fields."""

    model: type[models.Model]
    connection: BaseDatabaseWrapper

    @cached_property
    def columns(self) -> Mapping[str, TrackedColumn]:
        """The columns that the table has for the fields of the model, by the fields' names."""
        name = self.model._meta.db_table
        found = self._backend.columns(self.connection, [name]).get(name, ())
        by_name = {column.name: column for column in found}
        return {
            one.name: TrackedColumn(
                column=column,
                field=one.name,
                value_type=self._backend.value_type(column, _value_type(one)),
                decimal_places=decimal_places_of(one),
            )
            for one in self.model._meta.local_concrete_fields
            if (column := by_name.get(str(one.column))) is not None
        }

    def read(self, condition: Texts, *, is_locking: bool = True) -> list[dict[str, Text]]:
        """Return the rows that hold some texts; by default they are locked."""
        where, values = self._where(condition)
        sql = _PLACEHOLDER.sub(lambda found: VALUE if found[0] == "%s" else "%", where)
        if is_locking and self.connection.features.has_select_for_update:
            sql = f"{sql} {self.connection.ops.for_update_sql()}"
        backend = self._backend
        texts = [
            backend.text(backend.cell("NEW", column.column.name), column)
            for column in self.columns.values()
        ]
        source = backend.existing_rows_source(self.model._meta.db_table, sql, self.columns.values())
        rows = fetch_rows(self.connection, f"SELECT {', '.join(texts)} {source}", values)
        return [dict(zip(self.columns, map(_as_text, row), strict=True)) for row in rows]

    def insert(self, cells: Cells) -> None:
        """Write a new row."""
        columns = ", ".join(self._quoted(name) for name in cells)
        values = ", ".join(sql for sql, _ in cells.values())
        self._execute(f"INSERT INTO {self._table} ({columns}) VALUES ({values})", _all(cells))
        automatic = self.model._meta.auto_field
        if automatic is not None and automatic.name in cells:
            ((key,),) = [cells[automatic.name][1]]
            self._backend.advance_sequence(
                self.connection, self.model._meta.db_table, str(automatic.column), int(key)
            )

    def update(self, condition: Texts, cells: Cells) -> None:
        """Write some fields of a row."""
        where, values = self._where(condition)
        changes = ", ".join(f"{self._quoted(name)} = {sql}" for name, (sql, _) in cells.items())
        self._execute(f"UPDATE {self._table} SET {changes} WHERE {where}", [*_all(cells), *values])

    def delete(self, condition: Texts) -> None:
        """Delete the rows that hold some texts."""
        where, values = self._where(condition)
        self._execute(f"DELETE FROM {self._table} WHERE {where}", values)

    def cell_of_text(self, name: str, text: Text) -> Cell:
        """Return the value that a field had, from its text in the log."""
        if text is None:
            return "%s", [None]
        column = self.columns[name]
        special = self._backend.stored_value(self.model._meta.db_table, column.column, text)
        if special is not None:
            return special[0], [special[1]]
        write = _WRITERS.get(column.value_type, _as_it_is)
        return "%s", [write(text, column.value_type, self.connection)]

    def cell_of_value(self, name: str, value: Any) -> Cell:
        """Return a Python value of a field as Django writes it."""
        one = cast("AnyField", self.model._meta.get_field(name))
        return "%s", [one.get_db_prep_save(value, self.connection)]

    def _where(self, condition: Texts) -> Cell:
        tests: list[str] = []
        values: list[Any] = []
        for name, text in condition.items():
            if text is None:
                tests.append(f"{self._quoted(name)} IS NULL")
                continue
            sql, parameters = self.cell_of_text(name, text)
            tests.append(f"{self._quoted(name)} = {sql}")
            values += parameters
        return " AND ".join(tests), values

    def _execute(self, sql: str, values: Sequence[Any]) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, list(values))

    def _quoted(self, name: str) -> str:
        column = self.columns[name].column.name
        return self._backend.quote(column).replace("%", "%%")

    @property
    def _table(self) -> str:
        return self._backend.quote(self.model._meta.db_table).replace("%", "%%")

    @cached_property
    def _backend(self) -> Backend:
        return backend_of(self.connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A table that holds a part of the rows of a model: its own table, or that of a parent."""

    table: StoredTable
    child: type[models.Model] | None = None
    """The model with the link to this parent; None: this is the model's own table."""
    link: str = ""
    """The field of the child that holds the key of the parent's row."""

    @property
    def model(self) -> type[models.Model]:
        """The model whose table it is."""
        return self.table.model

    def key(self, texts: Texts, own: Texts) -> Texts:
        """Return the condition for the row, from the texts of all parts and the own key."""
        if self.child is None:
            return own
        return {self.model._meta.pk.name: texts.get(self.link)}


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """The rows of a model, with the parts that multi-table inheritance keeps in other tables."""

    model: type[models.Model]
    connection: BaseDatabaseWrapper
    _links: dict[str, StoredTable] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def parts(self) -> Sequence[Part]:
        """The own table, then those of parents, each after its child."""
        return tuple(self._parts(self.model, None, ""))

    def _parts(
        self, model: type[models.Model], child: type[models.Model] | None, link: str
    ) -> Iterator[Part]:
        table = StoredTable(model=model, connection=self.connection)
        yield Part(table=table, child=child, link=link)
        for parent, parent_link in model._meta.parents.items():
            if parent_link is not None:
                yield from self._parts(parent, model, parent_link.name)

    def own_key(self, key: str) -> Texts:
        """Return the condition for the row with a key of the log."""
        names = [one.name for one in self.model._meta.pk_fields]
        return dict(zip(names, key_parts(self.model, key), strict=True))

    def read(self, key: str) -> dict[str, Text] | None:
        """Return the texts of a row, locked, by field; None: there is no row with this key."""
        texts: dict[str, Text] = {}
        for part in self.parts:
            rows = part.table.read(part.key(texts, self.own_key(key)))
            if not rows and part.child is None:
                return None
            for row in rows[:1]:
                texts |= {name: text for name, text in row.items() if name not in texts}
        return texts

    def part_of(self, name: str) -> Part | None:
        """Return the part that has a field; None if no table has it."""
        return next((part for part in self.parts if name in part.table.columns), None)

    def write(self, key: str, texts: Texts, cells: Cells) -> None:
        """Write fields of a row that holds `texts` now."""
        for part in self.parts:
            own = {name: cell for name, cell in cells.items() if self.part_of(name) is part}
            if own:
                part.table.update(part.key(texts, self.own_key(key)), own)

    def lacks_target(self, name: str, text: str) -> bool:
        """Return whether a foreign key with this text would lead nowhere, where that is refused."""
        found: Any = next((one for one in self.model._meta.fields if one.name == name), None)
        if found is None or not found.is_relation or not found.db_constraint:
            return False
        target = found.target_field
        table = StoredTable(model=target.model, connection=self.connection)
        return not table.read({target.name: text}, is_locking=False)

    def unique_together(self) -> list[tuple[str, ...]]:
        """Return the names of fields whose values must be unique, one by one or together."""
        meta = self.model._meta
        unique: list[tuple[str, ...]] = [
            (one.name,) for one in meta.fields if one.unique and not one.primary_key
        ]
        unique += [tuple(names) for names in meta.unique_together]
        return unique + [tuple(one.fields) for one in meta.total_unique_constraints]

    def is_taken(self, names: Sequence[str], texts: Texts) -> bool:
        """Return whether a row has these texts in some fields, all of them in one table."""
        part = self.part_of(names[0])
        if part is None or any(texts.get(name) is None for name in names):
            return False
        if any(name not in part.table.columns for name in names):
            return False
        return bool(part.table.read({name: texts[name] for name in names}, is_locking=False))

    def links(self, name: str) -> tuple[StoredTable, str, str]:
        """Return the table of a many-to-many field, and its fields for source and target."""
        relation: Any = self.model._meta.get_field(name)
        through = relation.remote_field.through
        table = self._links.setdefault(name, StoredTable(model=through, connection=self.connection))
        return table, relation.m2m_field_name(), relation.m2m_reverse_field_name()


_PLACEHOLDER = re.compile("%[s%]")


def _all(cells: Cells) -> list[Any]:
    return [value for _, values in cells.values() for value in values]


def _as_text(value: Any) -> Text:
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)


def _value_type(one: AnyField) -> ValueType | None:
    return value_type_of(one, use_tz=settings.USE_TZ)


Writer = Callable[[str, ValueType, BaseDatabaseWrapper], Any]


def _as_it_is(text: str, value_type: ValueType, connection: BaseDatabaseWrapper) -> str:
    return text


def _decoded(text: str, value_type: ValueType, connection: BaseDatabaseWrapper) -> Any:
    return decode(text, value_type)


def _by_django(name: str) -> Writer:
    """Return a writer that adapts the decoded value as the operations of Django do."""

    def write(text: str, value_type: ValueType, connection: BaseDatabaseWrapper) -> Any:
        value = decode(text, value_type)
        # A text that is not a value of the type, such as "infinity", is left to the database.
        return value if isinstance(value, str) else getattr(connection.ops, name)(value)

    return write


def _by_field(of_django: AnyField) -> Writer:
    def write(text: str, value_type: ValueType, connection: BaseDatabaseWrapper) -> Any:
        value = decode(text, value_type)
        return text if value is text else of_django.get_db_prep_value(value, connection)

    return write


def _duration(text: str, value_type: ValueType, connection: BaseDatabaseWrapper) -> Any:
    value = decode(text, value_type)
    is_number = isinstance(value, timedelta) and not connection.features.has_native_duration_field
    return int(text) if is_number else value


_WRITERS: Mapping[ValueType, Writer] = {
    ValueType.INTEGER: _decoded,
    ValueType.DECIMAL: _decoded,
    ValueType.FLOAT: _decoded,
    ValueType.BOOLEAN: _decoded,
    ValueType.DATE: _by_django("adapt_datefield_value"),
    ValueType.DATETIME: _by_django("adapt_datetimefield_value"),
    ValueType.LOCAL_DATETIME: _by_django("adapt_datetimefield_value"),
    ValueType.TIME: _by_django("adapt_timefield_value"),
    ValueType.DURATION: _duration,
    ValueType.UUID: _by_field(models.UUIDField()),
    ValueType.BINARY: _by_field(models.BinaryField()),
}
