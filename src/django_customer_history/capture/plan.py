"""From the registry to tracked tables: what to log, for the columns that exist now.

The columns come from the database and not from the models. In the middle of a migration, or of a
rolling deploy, the two differ, and every change must be recorded then too.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from django.apps import apps
from django.contrib.contenttypes.fields import GenericForeignKey
from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import backend_of
from django_customer_history.backends.tables import (
    ContentTypeTest,
    InheritedPart,
    Join,
    Relation,
    SubjectPath,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.capture.paths import Model, Place, Schema
from django_customer_history.capture.rules import (
    action_rules,
    link_reason_rules,
    reason_rules,
)
from django_customer_history.registration.fields import is_logged
from django_customer_history.registration.registry import (
    Registration,
    Registry,
    concrete_model,
)
from django_customer_history.registration.subject_paths import (
    Route,
    label_parts,
    passable_routes,
    relations,
)
from django_customer_history.values.encoding import value_type_of
from django_customer_history.values.types import ValueType


def tracked_tables(
    registry: Registry,
    connection: BaseDatabaseWrapper,
    *,
    around: Collection[str] | None = None,
) -> list[TrackedTable]:
    """Return the tables to track in one database, of those that exist there.

    With `around`, return only tables of models that have to do with these tables.
    """
    planned = planned_registrations(registry, connection.alias)
    names = [(one, _names(one, registry)) for one in planned]
    if around is not None:
        names = [(one, read) for one, read in names if not read.isdisjoint(around)]
    read = {name for _one, several in names for name in several}
    backend = backend_of(connection)
    columns = backend.columns(connection, read) if read else {}
    # A view has columns, and paths to a subject may lead through it, but it has no triggers.
    unsupported = backend.unsupported_tables(connection, read) if read else {}
    planner = _Planner(
        registry=registry,
        schema=Schema(registry=registry, connection=connection, columns=columns),
    )
    tables = [table for one, _read in names for table in planner.tables(one)]
    # In the middle of a migration, a table without a key is tracked when it has one again.
    return _with_roles([one for one in tables if one.name not in unsupported and one.key])


def planned_registrations(registry: Registry, alias: str) -> list[Registration]:
    """Return the registrations of the models that have a table in a database."""
    return [
        one
        for one in registry
        if not one.model._meta.swapped and router.allow_migrate_model(alias, one.model)
    ]


def unrecorded_models(
    registry: Registry, connection: BaseDatabaseWrapper
) -> Iterator[tuple[Model, str | None]]:
    """Yield the registered models without triggers in a database that should have them.

    With each comes what its table is, such as "a view", or None if there is no such table.
    """
    planned = [one.model for one in planned_registrations(registry, connection.alias)]
    tables = {model._meta.db_table for model in planned}
    backend = backend_of(connection)
    present = backend.columns(connection, tables)
    unsupported = backend.unsupported_tables(connection, tables)
    for model in planned:
        table = model._meta.db_table
        if table not in present or table in unsupported:
            yield model, unsupported.get(table)


def _with_roles(tables: Sequence[TrackedTable]) -> list[TrackedTable]:
    """Return the tables, so that no two have triggers of the same name.

    Two many-to-many fields may share their through model.
    """
    planned = Counter((table.name, table.role) for table in tables)
    return [
        table
        if planned[table.name, table.role] == 1
        else replace(table, role=" ".join(filter(None, [table.role, _purpose(table)])))
        for table in tables
    ]


def _purpose(table: TrackedTable) -> str:
    field = "" if table.relation is None else f".{table.relation.field}"
    return f"{table.entity_model}{field}"


def _names(registration: Registration, registry: Registry) -> set[str]:
    """Return the names of all tables that the triggers of a model are on, or read."""
    model = registration.model
    links = relations(registration, registry)
    reached = [model, *(concrete_model(one.remote_field.through) for one in links)]
    followed = [key for one in passable_routes(registration, registry) for key in one.foreign_keys]
    followed += [key for one in label_parts(registration, registry) for key in one.foreign_keys]
    for field in links:
        through = field.remote_field.through._meta
        # The models of a migration may not have renamed them yet: then there is no name.
        own = filter(None, [field.m2m_field_name(), field.m2m_reverse_field_name()])
        followed += map(through.get_field, own)
    reached += [concrete_model(key.related_model) for key in followed]
    reached += [
        one.target
        for one in passable_routes(registration, registry)
        if one.generic is None or _may_have_spellings(one.target)
    ]
    reached += [
        _content_types(one.generic)
        for one in passable_routes(registration, registry)
        if one.generic is not None
    ]
    reached += [parent for one in reached for parent in one._meta.get_parent_list()]
    names = {one._meta.db_table for one in reached}
    return names.union(*(registry.former_tables.get(name, ()) for name in names))


def _may_have_spellings(model: Model) -> bool:
    # A generic foreign key holds any other key as the log has it: its table is not read.
    types = {value_type_of(field, use_tz=True) for field in model._meta.pk_fields}
    return not types.isdisjoint({ValueType.TEXT, None})


def _content_types(field: GenericForeignKey) -> Model:
    # Not from the app registry: a test may have taken the app out of it.
    related: Any = field.model._meta.get_field(field.ct_field)
    return concrete_model(related.related_model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planner:
    registry: Registry
    schema: Schema

    def tables(self, registration: Registration) -> Iterator[TrackedTable]:
        """Yield the model's own table, those of its parents, and those of many-to-many fields."""
        model = registration.model
        if not self.schema.has(self.schema.table_of(model)):
            return
        yield self._own_table(registration)
        for parent in self.schema.parents_of(model):
            yield self._parent_table(registration, parent)
        for field in relations(registration, self.registry):
            yield from self._relation_tables(registration, field)

    def _own_table(self, registration: Registration) -> TrackedTable:
        model = registration.model
        tracked, hidden = self._columns_of(registration, model, via=())
        inherited = []
        for parent in self.schema.parents_of(model):
            via = self.schema.to_part(Place(model=model, part=model), parent).via
            more_tracked, more_hidden = self._columns_of(registration, parent, via=via)
            inherited.append(InheritedPart(via=via, hidden=tuple(more_hidden)))
            tracked += more_tracked
        table = self._table(registration, Place(model=model, part=model), tracked)
        return replace(
            table,
            hidden=tuple(hidden),
            layout=tuple(self.schema.columns[table.name]),
            inherited=tuple(inherited),
        )

    def _parent_table(self, registration: Registration, parent: Model) -> TrackedTable:
        model = registration.model
        place = Place(model=model, part=parent)
        tracked, hidden = self._columns_of(registration, parent, via=())
        return replace(
            self._table(registration, place, tracked),
            hidden=tuple(hidden),
            part_of=self.schema.to_part(place, model).via,
            role=self.schema.table_of(model),
        )

    def _table(
        self, registration: Registration, place: Place, tracked: Sequence[TrackedColumn]
    ) -> TrackedTable:
        return TrackedTable(
            name=self.schema.table_of(place.part),
            entity_model=registration.model._meta.label_lower,
            key=self.schema.key_at(place, registration.model),
            columns=tuple(tracked),
            only_listed=registration.only is not None,
            label=tuple(self._label(registration, place, self.schema.table_of(place.part))),
            subjects=tuple(self._paths(registration, place, self.schema.table_of(place.part))),
            action_rules=tuple(action_rules(registration, tracked)),
            reason_rules=tuple(reason_rules(registration, tracked)),
        )

    def _columns_of(
        self, registration: Registration, model: Model, *, via: tuple[Join, ...]
    ) -> tuple[list[TrackedColumn], list[str]]:
        """Return the columns of a model's table that are logged, and the names of the others."""
        by_column = {field.column: field for field in model._meta.local_concrete_fields}
        keys = {one.column.name for one in self.schema.key_of(model)}
        tracked, hidden = [], []
        for column in self.schema.columns[self.schema.table_of(model)]:
            field = by_column.get(column.name)
            if column.name in keys or not is_logged(registration, field):
                hidden.append(column.name)
            else:
                logged = self.schema.logged_column(column, field, registration)
                tracked.append(replace(logged, via=via))
        return tracked, hidden

    def _relation_tables(self, registration: Registration, field: Any) -> Iterator[TrackedTable]:
        """Yield the table of a many-to-many field and, if its columns are inherited, of parents."""
        through = concrete_model(field.remote_field.through)
        for part in (through, *self.schema.parents_of(through)):
            table = self.schema.table_of(part)
            place = Place(model=through, part=part)
            source_field = through._meta.get_field(field.m2m_field_name())
            target_field: Any = through._meta.get_field(field.m2m_reverse_field_name())
            is_needed = part is through or part in (source_field.model, target_field.model)
            if is_needed and self.schema.has(table):
                yield self._relation_table(registration, field, place, source_field, target_field)

    def _relation_table(
        self,
        registration: Registration,
        field: Any,
        place: Place,
        source_field: Any,
        target_field: Any,
    ) -> TrackedTable:
        schema, model = self.schema, registration.model
        through, table = place.model, self.schema.table_of(place.part)
        owner = self._owner(registration, schema.follow(place, source_field))
        linked = schema.follow(place, target_field)
        source, target_link = (schema.read(place, one) for one in (source_field, target_field))
        keys = schema.key_at(linked, concrete_model(target_field.related_model))
        target = keys[0] if keys else target_link
        whole = schema.to_part(place, through).via
        part_of = schema.to_part(owner, model).via if owner.part is not model else ()
        others = ((model, part_of), (through, whole))
        roles = [schema.table_of(one) for one, is_other in others if is_other]
        return TrackedTable(
            name=table,
            entity_model=model._meta.label_lower,
            key=tuple(_or_link(column, source) for column in schema.key_at(owner, model)),
            columns=(),
            layout=tuple(schema.columns[table]),
            subjects=tuple(self._paths(registration, owner, table)),
            label=tuple(self._label(registration, owner, table)),
            relation=Relation(
                field=field.name,
                source=source,
                target=_or_link(target, target_link),
                target_link=target_link,
                whole=whole,
            ),
            part_of=part_of,
            role=" ".join(roles),
            reason_rules=tuple(link_reason_rules(registration, field.name)),
        )

    def _owner(self, registration: Registration, place: Place) -> Place:
        """Return the place of the row of a link's owner as one of the registered model."""
        # The link may lead to a parent of the model, which has the field.
        label = registration.model._meta.label_lower
        via = [
            replace(join, entity_model=label) if join.entity_model else join for join in place.via
        ]
        return replace(place, model=registration.model, via=tuple(via))

    def _paths(self, registration: Registration, place: Place, table: str) -> Iterator[SubjectPath]:
        """Yield the paths to the subjects, from a table that leads to the record."""
        model = registration.model
        if registration.is_subject:
            yield SubjectPath(model=model._meta.label_lower, key=self.schema.key_at(place, model))
        for route in passable_routes(registration, self.registry):
            reached = place
            for foreign_key in route.foreign_keys:
                reached = self.schema.follow(reached, foreign_key)
            path = self._path(route, reached)
            columns = [*path.key, *([] if path.only_for is None else [path.only_for.column])]
            # In the middle of a migration a step may not exist yet.
            if path.key and all(self.schema.has_all(column, table) for column in columns):
                yield path

    def _path(self, route: Route, reached: Place) -> SubjectPath:
        target = route.target
        if route.generic is None:
            return SubjectPath(
                model=target._meta.label_lower, key=self.schema.key_at(reached, target)
            )
        generic: Any = route.generic
        meta = reached.model._meta
        held = cast("Any", meta.get_field(generic.fk_field))
        key = self.schema.read(reached, held)
        own = self.schema.key_of(target)
        if len(own) == 1 and self.schema.has_spellings(target, own[0]):
            key = replace(
                own[0],
                via=(
                    *key.via,
                    Join(
                        link=key.column.name,
                        table=self.schema.table_of(target),
                        key=own[0].column.name,
                        key_type=own[0].column.type,
                        key_collation=own[0].column.collation,
                    ),
                ),
                or_else=key,
            )
        return SubjectPath(
            model=target._meta.label_lower,
            key=(key,),
            only_for=ContentTypeTest(
                table=_content_types(generic)._meta.db_table,
                column=self.schema.read(reached, cast("Any", meta.get_field(generic.ct_field))),
                app_label=target._meta.app_label,
                models=tuple(_names_of(target, generic)),
            ),
        )

    def _label(
        self, registration: Registration, place: Place, table: str
    ) -> Iterator[TrackedColumn]:
        for part in label_parts(registration, self.registry):
            reached = place
            for foreign_key in part.foreign_keys:
                reached = self.schema.follow(reached, foreign_key)
            column = self.schema.read(reached, part.field)
            if self.schema.has_all(column, table) and not self.registry.keeps_secret(
                registration, part.field
            ):
                yield column


def _or_link(key: TrackedColumn, link: TrackedColumn) -> TrackedColumn:
    """Return the key at an end of a link; if its row was deleted before, what the link holds."""
    return replace(key, or_else=link) if key.via and key.via != link.via else key


def _names_of(target: Model, generic: GenericForeignKey) -> Iterable[str]:
    """Yield the names of a model in the content types of a generic foreign key."""
    yield str(target._meta.model_name)
    if not generic.for_concrete_model:
        for model in apps.get_models():
            if model._meta.proxy and model._meta.concrete_model is target:
                yield str(model._meta.model_name)
