"""Paths between tables: over foreign keys, and between the tables of one record.

Multi-table inheritance keeps a record in several tables, its parts. A path may start in any of
them, and go on in any of them after each foreign key.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import backend_of, features_of
from django_customer_history.backends.tables import Column, Join, TrackedColumn
from django_customer_history.registration.registry import (
    Registration,
    Registry,
    concrete_model,
    is_password_name,
)
from django_customer_history.values.encoding import (
    AnyField,
    decimal_places_of,
    stored_field,
    value_type_of,
)
from django_customer_history.values.types import ValueType

Model = type[models.Model]
Columns = Mapping[str, Sequence[Column]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a path has come: to the table `part` of a record of `model`."""

    model: Model
    part: Model
    via: tuple[Join, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The models, as far as their tables and columns are in the database now."""

    registry: Registry
    connection: BaseDatabaseWrapper
    columns: Columns

    def table_of(self, model: Model) -> str:
        """Return the name of a model's table: the former name if only that table exists."""
        name = model._meta.db_table
        if name in self.columns:
            return name
        former = self.registry.former_tables.get(name, frozenset())
        return next((one for one in sorted(former) if one in self.columns), name)

    def has(self, table: str, *columns: str) -> bool:
        """Return whether a table exists and has some columns."""
        names = {column.name for column in self.columns.get(table, ())}
        return table in self.columns and names.issuperset(columns)

    def has_all(self, column: TrackedColumn, table: str) -> bool:
        """Return whether every step to a column exists, from a table onwards."""
        tables = [table, *(join.table for join in column.via)]
        links = [*(join.link for join in column.via), column.column.name]
        return all(map(self.has, tables, links)) and all(
            self.has(join.table, join.key) for join in column.via
        )

    def column_of(self, field: AnyField) -> str:
        """Return the column of a field; a key may have another one until it is migrated."""
        name, table = str(field.column), self.table_of(field.model)
        if field.primary_key and not self.has(table, name):
            keys = [column.name for column in self.columns.get(table, ()) if column.is_key]
            if len(keys) == 1:
                return keys[0]
        return name

    def key_of(self, model: Model) -> list[TrackedColumn]:
        """Return the columns that identify a row of a model's own table.

        That is the primary key of the model, unless a migration has yet to make it the key of the
        table: then what is the key in the database.
        """
        table = self.table_of(model)
        fields = {str(field.column): field for field in model._meta.pk_fields}
        stored = {column.name: column for column in self.columns.get(table, ())}
        keys = [name for name, column in stored.items() if column.is_key]
        # A key of the database may have more columns, as in a partitioned table.
        is_migrated = not keys or not model._meta.managed or fields.keys() <= set(keys)
        if stored and not (is_migrated and fields.keys() <= stored.keys()):
            # Without any key, in the middle of a migration, no column identifies the row.
            return [self._tracked(stored[name], fields.get(name), None) for name in keys]
        return [self.known_column(field) for field in fields.values()]

    def is_key(self, model: Model, column: str) -> bool:
        """Return whether a column is the whole key of a model's own table."""
        return [one.column.name for one in self.key_of(model)] == [column]

    # -- columns --------------------------------------------------------------------------

    def known_column(self, field: AnyField) -> TrackedColumn:
        """Return a column that the model knows, with the type that the database has for it."""
        name = self.column_of(field)
        stored = self._stored(self.table_of(field.model), name)
        fallback = Column(name=name, type=field.db_type(self.connection) or "")
        return self._tracked(stored or fallback, field, None)

    def logged_column(
        self, column: Column, field: "AnyField | None", registration: Registration
    ) -> TrackedColumn:
        """Return a column whose values go into entries, with the options of a registration."""
        return self._tracked(column, field, registration)

    def _stored(self, table: str, name: str) -> Column | None:
        return next((one for one in self.columns.get(table, ()) if one.name == name), None)

    def _tracked(
        self, column: Column, field: "AnyField | None", registration: Registration | None
    ) -> TrackedColumn:
        hint: ValueType | None = None
        secret, by_key = is_password_name(column.name), False
        if field is not None:
            hint = value_type_of(field, use_tz=settings.USE_TZ)
        if field is not None and registration is not None:
            secret = self.registry.keeps_secret(registration, field)
            # The keys of a secret value would reveal something about it.
            by_key = field.name in registration.json_keys and not secret
        return TrackedColumn(
            column=column,
            field=column.name if field is None else field.name,
            value_type=backend_of(self.connection).value_type(column, hint),
            decimal_places=0 if field is None else decimal_places_of(field),
            secret=secret,
            by_key=by_key,
        )

    # -- paths ----------------------------------------------------------------------------

    def parents_of(self, model: Model) -> list[Model]:
        """Return the parents of a model that have tables, as far as these exist."""
        return [
            parent
            for parent in model._meta.get_parent_list()
            if not parent._meta.proxy and self.has(self.table_of(parent))
        ]

    def follow(self, place: Place, foreign_key: AnyField) -> Place:
        """Return where a foreign key leads, or the way over a part of the record to it."""
        place = self.to_part(place, foreign_key.model)
        key: Any = foreign_key
        target = key.target_field
        is_key = self.is_key(target.model, self.column_of(target))
        join = Join(
            link=self.column_of(foreign_key),
            table=self.table_of(target.model),
            key=self.column_of(target),
            key_type=self._key_type(target),
            entity_model=target.model._meta.label_lower if is_key else "",
            key_value_type=self.known_column(target).value_type,
        )
        return Place(
            model=concrete_model(key.related_model),
            part=concrete_model(target.model),
            via=_extended(place.via, join),
        )

    def to_part(self, place: Place, part: Model) -> Place:
        """Return the way to another part of the record."""
        via = place.via
        for join in self._between(place.model, place.part, concrete_model(part)):
            via = _extended(via, join)
        return replace(place, part=concrete_model(part), via=via)

    def read(self, place: Place, field: AnyField) -> TrackedColumn:
        """Return a field of the record that a path has reached, as a column."""
        found = self.to_part(place, field.model)
        return _at_end(found.via, self.known_column(field))

    def key_at(self, place: Place, model: Model) -> tuple[TrackedColumn, ...]:
        """Return the key of a record, as columns at the end of a path."""
        found = self.to_part(place, model)
        return tuple(self._key_column(found, model, column) for column in self.key_of(model))

    def _key_column(self, place: Place, model: Model, column: TrackedColumn) -> TrackedColumn:
        at_end = _at_end(place.via, column)
        if not place.via or all(join.is_part for join in place.via):
            return at_end
        if at_end.via == place.via:
            return at_end
        # The link equals the key, but a collation may take 'ACME' for 'acme', and the log does
        # not.
        return (
            replace(column, via=place.via, or_else=at_end)
            if self.has_spellings(model, column)
            else at_end
        )

    def has_spellings(self, model: Model, column: TrackedColumn) -> bool:
        """Return whether links may write a key in another way than the row that has it."""
        if column.value_type is not ValueType.TEXT:
            return False
        fields = [stored_field(field) for field in model._meta.pk_fields]
        return features_of(self.connection).text_keys_ignore_case or any(
            getattr(field, "db_collation", None) for field in fields
        )

    def _between(self, model: Model, start: Model, end: Model) -> Sequence[Join]:
        """Return the shortest way between two parts of a record of `model`."""
        ways: dict[Model, tuple[Join, ...]] = {start: ()}
        waiting = deque([start])
        links = list(self._links(model))
        while waiting and end not in ways:
            here = waiting.popleft()
            for one, other, join in links:
                if one is here and other not in ways:
                    ways[other] = (*ways[here], join)
                    waiting.append(other)
        return ways[end]

    def _links(self, model: Model) -> Iterator[tuple[Model, Model, Join]]:
        """Yield the steps between the tables of a record: up first, as parents always exist."""
        downwards = []
        for child in (model, *model._meta.get_parent_list()):
            for given in child._meta.parents.values():
                link: Any = given
                if link is not None and link.model._meta.abstract:
                    # Django keeps the link of the abstract base, not the copy of the model.
                    link = child._meta.get_field(link.name)
                # Among the links are those of the parents, too.
                if link is None or link.model is not child:
                    continue
                target = link.target_field
                yield child, target.model, self._part_join(link, target)
                downwards.append((target.model, child, self._part_join(target, link)))
        yield from downwards

    def _part_join(self, link: AnyField, key: AnyField) -> Join:
        return Join(
            link=self.column_of(link),
            table=self.table_of(key.model),
            key=self.column_of(key),
            key_type=self._key_type(key),
            is_part=True,
        )

    def _key_type(self, field: AnyField) -> str:
        stored = self._stored(self.table_of(field.model), self.column_of(field))
        name = stored.type if stored else field.rel_db_type(self.connection) or "text"
        # Without a length, these would be cut to one character or bit.
        return _TYPES_WITHOUT_LENGTH.get(name, name)


_TYPES_WITHOUT_LENGTH = {"character": "bpchar", "bit": "varbit"}


def _extended(via: tuple[Join, ...], join: Join) -> tuple[Join, ...]:
    """Return a way with one more step; a step that only reads its own key is left out."""
    if via and via[-1].key == join.link:
        last = via[-1]
        shorter = replace(
            join,
            link=last.link,
            is_part=join.is_part and last.is_part,
            entity_model=last.entity_model or join.entity_model,
        )
        return (*via[:-1], shorter)
    return (*via, join)


def _at_end(via: tuple[Join, ...], column: TrackedColumn) -> TrackedColumn:
    """Return a column at the end of a way, or the equal one that the step before has."""
    if via and via[-1].key == column.column.name:
        return replace(column, column=replace(column.column, name=via[-1].link), via=via[:-1])
    return replace(column, via=via)
