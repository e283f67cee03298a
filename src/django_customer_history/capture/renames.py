"""Renames by migrations: of tables while `migrate` runs, and of models and fields in the log.

A table to be renamed is tracked under its old name until then. A renamed model or field gets an
entry, so that its older entries are read under the name of today, and its marks follow.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps as installed_apps
from django.db import connections, models
from django.db.migrations import (
    AlterModelTable,
    Migration,
    RenameField,
    RenameModel,
    SeparateDatabaseAndState,
)
from django.db.migrations.loader import MigrationLoader

from django_customer_history.capture.events import record_about_history
from django_customer_history.context.current import acting
from django_customer_history.registration.own_models import own_model
from django_customer_history.registration.registry import Registry
from django_customer_history.registration.renames import KIND, renames

Plan = Iterable[tuple[Migration, bool]]


def former_tables(plan: Plan, apps: Any, registry: Registry) -> Mapping[str, frozenset[str]]:
    """Return the names that the tables of registered models have during a migration plan.

    `apps` are the models before the plan runs. The result maps the name in the models to all
    names, and leaves out tables that no migration of the plan renames.
    """
    names: dict[tuple[str, str], set[str]] = {}
    for migration, _is_backwards in plan:
        for operation in migration.operations:
            if isinstance(operation, RenameModel):
                _join(names, migration.app_label, operation.old_name, operation.new_name)
            elif isinstance(operation, AlterModelTable):
                _join(names, migration.app_label, operation.name, operation.name)
    return {
        registration.model._meta.db_table: frozenset(
            _table(app_label, name, apps) for name in names[app_label, model_name]
        )
        for registration in registry
        for app_label, model_name in [_place(registration.model)]
        if (app_label, model_name) in names
    }


def _join(names: dict[tuple[str, str], set[str]], app_label: str, one: str, other: str) -> None:
    """Let two names of a model share one set with all its names."""
    keys = (app_label, one.lower()), (app_label, other.lower())
    together = {one.lower(), other.lower()}.union(*(names.get(key, set()) for key in keys))
    for name in together:
        names[app_label, name] = together


def _table(app_label: str, name: str, apps: Any) -> str:
    try:
        return str(apps.get_model(app_label, name)._meta.db_table)
    except LookupError:
        return f"{app_label}_{name}"


def _place(model: Any) -> tuple[str, str]:
    return model._meta.app_label, model._meta.model_name


def log_model_rename(old: str, new: str, *, using: str) -> None:
    """Record that a model has another label, and let the marks of its fields follow."""
    _log("Model Renamed", about=new, changes={"model": [old, new]}, using=using)
    for mark in _marks(using).filter(model=old):
        _move_mark(mark, model=new, field=mark.field, using=using)


def log_field_rename(model: Any, old: str, new: str, *, using: str) -> None:
    """Record that a field of a tracked model has another name, and let its marks follow.

    `model` may be a historical one. Nothing is recorded of a model that was not tracked before.
    """
    label = model._meta.label_lower
    if old == new or not _was_tracked(label, using):
        return
    _log("Field Renamed", about=label, changes={"field": [old, new]}, using=using)
    for mark in _marks(using).filter(model=label):
        root, dot, path = mark.field.partition(".")
        if root == old:
            _move_mark(mark, model=label, field=f"{new}{dot}{path}", using=using)


def log_state_renames(plan: Plan, *, using: str) -> None:
    """Record the fields that migrations rename in their state alone.

    The schema editor does not see these. It records all other renames when they happen.
    """
    for migration, is_backwards in plan:
        for operation in migration.operations:
            for rename in _state_renames(operation):
                old, new = rename.old_name, rename.new_name
                model = _model_named(migration.app_label, rename.model_name)
                if model is not None:
                    names = (new, old) if is_backwards else (old, new)
                    log_field_rename(model, *names, using=using)


def renamed_models(
    stopped: Mapping[str, str | None], started: Iterable[type[models.Model]]
) -> list[tuple[str, str]]:
    """Return the old and the new label of each model that was renamed.

    `stopped` are the labels that are not registered any more, with the names of their tables;
    `started` are the models that the log does not know. They are the same model if a migration
    says so, or if they have the same table, as after a change of the app label.
    """
    found: list[tuple[str, str]] = []
    left = dict(stopped)
    for model in started if stopped else ():
        old = next(filter(left.__contains__, _labels_before(model)), None) or next(
            (label for label, table in left.items() if _is_table_of(model, label, table)), None
        )
        if old is not None:
            del left[old]
            found.append((old, model._meta.label_lower))
    return found


def _is_table_of(model: type[models.Model], label: str, table: str | None) -> bool:
    return model._meta.db_table == (table or label.replace(".", "_"))


def _labels_before(model: type[models.Model]) -> Iterator[str]:
    """Yield the labels that migrations say a model had, the newest first."""
    app_label, name = _place(model)
    migrations = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    operations = [
        operation
        for key in sorted(migrations, reverse=True)
        if key[0] == app_label
        for operation in reversed(migrations[key].operations)
        if isinstance(operation, RenameModel)
    ]
    for operation in operations:
        if operation.new_name.lower() == name:
            name = operation.old_name.lower()
            yield f"{app_label}.{name}"


def _state_renames(operation: Any) -> list[RenameField]:
    if not isinstance(operation, SeparateDatabaseAndState):
        return []
    in_database = [one.deconstruct() for one in operation.database_operations]
    return [
        one
        for one in operation.state_operations
        if isinstance(one, RenameField) and one.deconstruct() not in in_database
    ]


def _model_named(app_label: str, name: str) -> Any:
    try:
        return installed_apps.get_model(app_label, name)
    except LookupError:
        return None


def _was_tracked(label: str, using: str) -> bool:
    log = own_model("Entry")
    if log._meta.db_table not in connections[using].introspection.table_names():
        return False
    entries = log._default_manager.using(using)
    return bool(entries.filter(entity_model=_REGISTRATION, entity_id=label).exists())


def _log(action: str, *, about: str, changes: Mapping[str, list[str | None]], using: str) -> None:
    record_about_history(action, about=(KIND, about), changes=changes, using=using)
    renames.load(using)


def _marks(using: str) -> Any:
    return own_model("ConfidentialField")._default_manager.using(using)


def _move_mark(mark: Any, *, model: str, field: str, using: str) -> None:
    others = _marks(using).filter(model=model, field=field).exclude(pk=mark.pk)
    with acting(source="migration"):
        if others.exists():
            # The new name has a mark already: that one stays.
            mark.delete(using=using)
        else:
            _marks(using).filter(pk=mark.pk).update(model=model, field=field)


_REGISTRATION = "customer_history.registration"
"""The entity model of the entries about registrations."""
