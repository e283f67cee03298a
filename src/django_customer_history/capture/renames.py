"""Table names during `migrate`: a table to be renamed is tracked under its old name until then."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.migrations import AlterModelTable, Migration, RenameModel

from django_customer_history.registration.registry import Registry

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
