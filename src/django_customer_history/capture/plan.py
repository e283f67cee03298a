"""From the registry to tracked tables: what to log, for the columns that exist now.

The columns come from the database and not from the models. In the middle of a migration, or of a
rolling deploy, the two differ, and every change must be recorded then too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.db import models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import backend_of
from django_customer_history.backends.tables import (
    Column,
    ContentTypeTest,
    InheritanceJoin,
    Join,
    Relation,
    SubjectPath,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.capture.rules import (
    action_rules,
    link_reason_rules,
    reason_rules,
)
from django_customer_history.registration.fields import is_logged
from django_customer_history.registration.registry import (
    Registration,
    Registry,
    is_password_name,
)
from django_customer_history.registration.subject_paths import (
    Route,
    passable_routes,
    relations,
)
from django_customer_history.values.encoding import (
    AnyField,
    decimal_places_of,
    value_type_of,
)
from django_customer_history.values.types import ValueType

Columns = Mapping[str, Sequence[Column]]


def tracked_tables(registry: Registry, connection: BaseDatabaseWrapper) -> list[TrackedTable]:
    """Return the tables to track in one database, of those that exist there."""
    planned = [
        registration
        for registration in registry
        if router.allow_migrate_model(connection.alias, registration.model)
    ]
    names = _names(planned, registry)
    former = {name for name in names for name in registry.former_tables.get(name, ())}
    columns = backend_of(connection).columns(connection, names | former)
    planner = _Planner(registry=registry, connection=connection, columns=columns)
    tables: dict[tuple[str, str], TrackedTable] = {}
    for registration in planned:
        for table in planner.tables(registration):
            # A table is tracked once for itself, and once for each registered child model.
            child = "" if table.part_of is None else table.part_of.table
            tables.setdefault((table.name, child), table)
    return list(tables.values())


def untracked_models(
    registry: Registry, connection: BaseDatabaseWrapper
) -> list[type[models.Model]]:
    """Return the registered models whose table is not in a database that should have it."""
    planned = [
        registration.model
        for registration in registry
        if router.allow_migrate_model(connection.alias, registration.model)
    ]
    tables = {model._meta.db_table for model in planned}
    present = backend_of(connection).columns(connection, tables)
    return [model for model in planned if model._meta.db_table not in present]


def _names(planned: Iterable[Registration], registry: Registry) -> set[str]:
    names = set()
    for registration in planned:
        names.add(registration.model._meta.db_table)
        names |= {parent._meta.db_table for parent in registration.model._meta.get_parent_list()}
        names |= {
            field.remote_field.through._meta.db_table for field in relations(registration, registry)
        }
        for route in passable_routes(registration, registry):
            names |= {key.related_model._meta.db_table for key in route.foreign_keys}
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planner:
    registry: Registry
    connection: BaseDatabaseWrapper
    columns: Columns

    def table_of(self, model: type[models.Model]) -> str:
        """Return the name of a model's table: the former name if only that table exists."""
        name = model._meta.db_table
        if name in self.columns:
            return name
        former = self.registry.former_tables.get(name, frozenset())
        return next((one for one in sorted(former) if one in self.columns), name)

    def tables(self, registration: Registration) -> Iterator[TrackedTable]:
        """Yield the model's own table and those of its many-to-many fields."""
        name = self.table_of(registration.model)
        parents = [
            parent
            for parent in registration.model._meta.get_parent_list()
            if self._has(self.table_of(parent))
        ]
        if name in self.columns:
            yield self._own_table(registration, parents)
            for parent in parents:
                yield self._parent_table(registration, parent)
        for field in relations(registration, self.registry):
            through = field.remote_field.through
            if through._meta.db_table in self.columns and self._has(name):
                yield self._relation_table(registration, field)

    def _own_table(
        self, registration: Registration, parents: Sequence[type[models.Model]]
    ) -> TrackedTable:
        meta = registration.model._meta
        tracked, hidden = self._columns_of(registration, registration.model, via=None)
        inherited = [self._inheritance_join(registration.model, parent) for parent in parents]
        for parent, inheritance_join in zip(parents, inherited, strict=True):
            more_tracked, more_hidden = self._columns_of(registration, parent, via=inheritance_join)
            tracked += more_tracked
            hidden += more_hidden
        return TrackedTable(
            name=self.table_of(registration.model),
            entity_model=meta.label_lower,
            key=tuple(self._known_column(field) for field in meta.pk_fields),
            columns=tuple(tracked),
            hidden=tuple(hidden),
            layout=tuple(self.columns[self.table_of(registration.model)]),
            only_listed=registration.only is not None,
            label=self._label(registration, registration.model),
            subjects=tuple(self._paths(registration, registration.model)),
            inherited=tuple(inherited),
            action_rules=tuple(action_rules(registration, tracked)),
            reason_rules=tuple(reason_rules(registration, tracked)),
        )

    def _parent_table(self, registration: Registration, parent: type[models.Model]) -> TrackedTable:
        tracked, hidden = self._columns_of(registration, parent, via=None)
        return TrackedTable(
            name=self.table_of(parent),
            entity_model=registration.model._meta.label_lower,
            key=(self._known_column(parent._meta.pk),),
            columns=tuple(tracked),
            hidden=tuple(hidden),
            only_listed=registration.only is not None,
            label=self._label(registration, parent),
            subjects=tuple(self._paths(registration, parent)),
            part_of=self._inheritance_join(parent, registration.model),
            action_rules=tuple(action_rules(registration, tracked)),
            reason_rules=tuple(reason_rules(registration, tracked)),
        )

    def _columns_of(
        self, registration: Registration, model: type[models.Model], *, via: InheritanceJoin | None
    ) -> tuple[list[TrackedColumn], list[str]]:
        """Return the columns of a model's table that are logged, and the names of the others."""
        by_column = {field.column: field for field in model._meta.local_concrete_fields}
        keys = {field.column for field in model._meta.pk_fields}
        tracked, hidden = [], []
        for column in self.columns[self.table_of(model)]:
            field = by_column.get(column.name)
            if column.name in keys or not is_logged(registration, field):
                hidden.append(column.name)
            else:
                tracked.append(replace(self._column(column, field, registration), via=via))
        return tracked, hidden

    def _inheritance_join(
        self, model: type[models.Model], other: type[models.Model]
    ) -> InheritanceJoin:
        """Return how to find the part of a row in the table of a parent, or of a child."""
        is_parent = other in model._meta.get_parent_list()
        child, parent = (model, other) if is_parent else (other, model)
        link = _column_of(cast("AnyField", child._meta.get_ancestor_link(parent)))
        key = _column_of(parent._meta.pk)
        return InheritanceJoin(
            table=self.table_of(other),
            key=key if is_parent else link,
            key_type=self._key_type(parent._meta.pk),
            link=link if is_parent else key,
        )

    def _relation_table(self, registration: Registration, field: Any) -> TrackedTable:
        through = field.remote_field.through._meta
        source = self._known_column(through.get_field(field.m2m_field_name()))
        target = self._known_column(through.get_field(field.m2m_reverse_field_name()))
        own = registration.model._meta
        first = Join(
            table=self.table_of(registration.model),
            key=_column_of(own.pk),
            key_type=self._key_type(own.pk),
            column="",
            entity_model=own.label_lower,
            key_value_type=self._known_column(own.pk).value_type,
        )
        return TrackedTable(
            name=through.db_table,
            entity_model=own.label_lower,
            key=(source,),
            columns=(),
            layout=tuple(self.columns[through.db_table]),
            subjects=tuple(
                _path_of_link(
                    path, first, source.column.name, is_self=path.column == _column_of(own.pk)
                )
                for path in self._paths(registration, registration.model)
                if path.only_for is None
            ),
            label=self._label(registration, registration.model),
            relation=Relation(field=field.name, source=source, target=target, owner=first),
            reason_rules=tuple(link_reason_rules(registration, field.name)),
        )

    def _paths(
        self, registration: Registration, model: type[models.Model]
    ) -> Iterator[SubjectPath]:
        """Yield the paths to the subjects, from the table of the model or of a parent."""
        meta = registration.model._meta
        if registration.is_subject and len(meta.pk_fields) == 1:
            yield SubjectPath(
                model=meta.label_lower,
                column=_column_of(model._meta.pk),
                value_type=self._known_column(meta.pk).value_type,
            )
        for route in passable_routes(registration, self.registry):
            path = self._generic_path(route) if route.generic else self._path(route)
            home = route.generic.model if route.generic else route.foreign_keys[0].model
            if home is not model:
                path = self._path_from(path, home, model)
            if all(self._has(join.table, join.key, join.column) for join in path.joins) and (
                self._has(self.table_of(model), path.column)
            ):
                yield path

    def _path_from(
        self, path: SubjectPath, home: type[models.Model], model: type[models.Model]
    ) -> SubjectPath:
        to_home = self._inheritance_join(model, home)
        first = Join(
            table=to_home.table,
            key=to_home.key,
            key_type=to_home.key_type,
            column=path.column,
        )
        return replace(path, column=to_home.link, joins=(first, *path.joins))

    def _path(self, route: Route) -> SubjectPath:
        joins = []
        for number, foreign_key in enumerate(route.foreign_keys):
            target = foreign_key.target_field
            following = route.foreign_keys[number + 1 : number + 2]
            onward = following[0] if following else route.target._meta.pk
            if following or target != onward:
                joins.append(
                    Join(
                        table=self.table_of(target.model),
                        key=_column_of(target),
                        key_type=self._key_type(target),
                        column=_column_of(onward),
                        entity_model=target.model._meta.label_lower if target.primary_key else "",
                        key_value_type=self._known_column(target).value_type,
                    )
                )
        return SubjectPath(
            model=route.target._meta.label_lower,
            column=_column_of(route.foreign_keys[0]),
            value_type=self._known_column(route.target._meta.pk).value_type,
            joins=tuple(joins),
        )

    def _generic_path(self, route: Route) -> SubjectPath:
        generic, target = cast("GenericForeignKey", route.generic), route.target._meta
        meta = generic.model._meta
        content_type = apps.get_model("contenttypes", "ContentType")
        return SubjectPath(
            model=target.label_lower,
            column=meta.get_field(generic.fk_field).column,
            value_type=self._known_column(meta.get_field(generic.fk_field)).value_type,
            only_for=ContentTypeTest(
                table=content_type._meta.db_table,
                column=meta.get_field(generic.ct_field).column,
                app_label=target.app_label,
                model=str(target.model_name),
            ),
        )

    def _label(
        self, registration: Registration, model: type[models.Model]
    ) -> tuple[TrackedColumn, ...]:
        by_name = {field.name: field for field in registration.model._meta.concrete_fields}
        fields = [by_name[name] for name in registration.label if name in by_name]
        return tuple(
            replace(
                self._known_column(field),
                via=None if field.model is model else self._inheritance_join(model, field.model),
            )
            for field in fields
            if self._has(self.table_of(field.model), _column_of(field))
            and not self.registry.keeps_secret(registration, field)
        )

    def _known_column(self, field: AnyField) -> TrackedColumn:
        """Return a column that the model knows, with the type that the database has for it."""
        name, table = _column_of(field), self.table_of(field.model)
        named = {column.name: column for column in self.columns.get(table, ())}
        fallback = Column(name=name, type=field.db_type(self.connection) or "")
        return self._column(named.get(name, fallback), field, None)

    def _column(
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

    def _key_type(self, field: AnyField) -> str:
        return field.rel_db_type(self.connection) or "text"

    def _has(self, table: str, *columns: str) -> bool:
        names = {column.name for column in self.columns.get(table, ())}
        return table in self.columns and names.issuperset(columns)


def _column_of(field: AnyField) -> str:
    return str(field.column)


def _path_of_link(path: SubjectPath, first: Join, column: str, *, is_self: bool) -> SubjectPath:
    """Return the path of a row, starting from a many-to-many table of the row."""
    joins = path.joins
    if joins or not is_self:
        joins = (replace(first, column=path.column), *joins)
    return SubjectPath(model=path.model, column=column, value_type=path.value_type, joins=joins)
