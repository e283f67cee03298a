"""The system checks: every mistake in a registration or a setting, and how to fix it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import connections, models, router
from django.utils.module_loading import import_string

from django_customer_history import conf
from django_customer_history.access.confidential import is_part_of_a_key
from django_customer_history.backends import SUPPORTED_VENDORS, features_of
from django_customer_history.capture.partitions import (
    are_due,
    is_whole,
)
from django_customer_history.capture.plan import untracked_models
from django_customer_history.capture.rules import logged_names
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.contrib.simple_history.importing import historical_model
from django_customer_history.exceptions import did_you_mean
from django_customer_history.middleware import HistoryMiddleware
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.options import ROW_KINDS
from django_customer_history.registration.registry import (
    OPTIONS,
    Registration,
    registry,
)
from django_customer_history.registration.subject_paths import (
    UnreachableSubjectError,
    routes,
)

TAG = "customer_history"


def register_checks() -> None:
    """Add the checks to Django's."""
    checks.register(check_settings, TAG)
    checks.register(check_registrations, TAG)
    checks.register(check_databases, TAG)
    checks.register(check_middleware, TAG)
    checks.register(check_tasks, TAG)
    checks.register(check_cascades, TAG)
    checks.register(check_snapshots, TAG)
    checks.register(check_triggers, TAG, checks.Tags.database)


def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E001: an unknown setting, or a wrong value."""
    return [
        checks.Error(
            problem.message, hint=problem.hint, obj=conf.SETTING, id="customer_history.E001"
        )
        for problem in conf.problems()
    ]


def check_registrations(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E002 to E005, E007, E009, E010: registrations that do not fit their model or each other."""
    found: list[checks.CheckMessage] = []
    for registration in registry:
        found += _unknown_names(registration)
        found += _invalid_options(registration)
        found += _unreachable_subjects(registration)
        found += _secrets_in_labels(registration)
        found += _confidential_keys(registration)
    return [*found, *_unknown_options(), *_conflicts(registry.conflicts)]


def check_databases(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E006: a database on which changes cannot be captured."""
    return [
        checks.Error(
            f"Database {alias!r} is {connections[alias].vendor!r}, where changes cannot be"
            " captured.",
            hint="Move the registered models to a supported database"
            f" ({', '.join(SUPPORTED_VENDORS)}), or keep them off this one with a router.",
            id="customer_history.E006",
        )
        for alias in connections
        if connections[alias].vendor not in SUPPORTED_VENDORS
        and any(router.allow_migrate_model(alias, one.model) for one in registry)
    ]


def check_cascades(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W003: cascades of the database itself, where they run no triggers: on MariaDB and MySQL."""
    silent = [
        alias
        for alias in connections
        if connections[alias].vendor in SUPPORTED_VENDORS
        and not features_of(connections[alias]).runs_triggers_for_native_cascades
    ]
    return [
        checks.Warning(
            f"{field}: {connections[alias].display_name} deletes or changes rows by this field's"
            " on_delete without running triggers, so the log misses these changes.",
            hint="Use models.CASCADE or models.SET_NULL, which Django executes itself.",
            obj=registration.model,
            id="customer_history.W003",
        )
        for alias in silent
        for registration in registry
        if router.allow_migrate_model(alias, registration.model)
        for field in registration.model._meta.local_concrete_fields
        if is_database_cascade(field)
    ]


def is_database_cascade(field: "models.Field[Any, Any]") -> bool:
    """Return whether the database itself acts when the row that a field points to is deleted."""
    on_delete = getattr(field.remote_field, "on_delete", None)
    return getattr(on_delete, "__name__", "").startswith("DB_") or hasattr(
        on_delete, "on_delete_sql"
    )


def check_middleware(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W001: without the middleware, changes in requests have no user and no IP address."""
    for path in settings.MIDDLEWARE:
        try:
            middleware = import_string(path)
        except ImportError:
            continue  # Django itself reports it.
        if isinstance(middleware, type) and issubclass(middleware, HistoryMiddleware):
            return []
    return [
        checks.Warning(
            "MIDDLEWARE does not contain HistoryMiddleware, so changes made in requests have the"
            " user System and no IP address.",
            hint='Add "django_customer_history.middleware.HistoryMiddleware" after'
            " AuthenticationMiddleware.",
            id="customer_history.W001",
        )
    ]


def check_tasks(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W005: tasks of Django run in another process, without the context of their sender."""
    if conf.propagate_context_to_tasks():
        return []
    backends = [one.get("BACKEND", "") for one in getattr(settings, "TASKS", {}).values()]
    return [
        checks.Warning(
            f"Changes made in tasks of {backend} do not name the user who enqueued the task.",
            hint=f'Set {conf.SETTING}["PROPAGATE_CONTEXT_TO_TASKS"] = True when'
            " django_customer_history is installed on every worker.",
            id="customer_history.W005",
        )
        for backend in backends
        if not backend.endswith((".ImmediateBackend", ".DummyBackend"))
    ]


def check_snapshots(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E008 and W009: snapshots that are not taken, or that have no pages."""
    wanted = [registration for registration in registry if registration.snapshots]
    found: list[checks.CheckMessage] = [
        _no_snapshots(registration)
        for registration in wanted
        if historical_model(registration.model) is None
    ]
    if wanted and not apps.is_installed("simple_history"):
        found.append(
            checks.Warning(
                "Models are registered with snapshots, but INSTALLED_APPS does not contain"
                ' "simple_history": its admin, templates and commands are missing.',
                hint='Add "simple_history" to INSTALLED_APPS.',
                id="customer_history.W009",
            )
        )
    return found


def _no_snapshots(registration: Registration) -> checks.CheckMessage:
    label, app = registration.model._meta.label, registration.snapshots
    known = [config.label for config in apps.get_app_configs()]
    if isinstance(app, str) and app not in known:
        message = f"{label}: app {app!r} in snapshots is not installed.{did_you_mean(app, known)}"
        hint = "Give the label of an installed app, or True for the app of the model."
    else:
        message = f"{label}: no snapshots are taken, because it was registered too late."
        hint = "Register it in models.py, or in the history.py of an app."
    return checks.Error(message, hint=hint, obj=registration.model, id="customer_history.E008")


def check_triggers(
    databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[checks.CheckMessage]:
    """W002, W004, W006, W007 and W010: the state of triggers, partitions and tables."""
    found: list[checks.CheckMessage] = []
    for alias in databases or ():
        if connections[alias].vendor in SUPPORTED_VENDORS and router.allow_migrate_model(
            alias, apps.get_model("customer_history", "Entry")
        ):
            found += _trigger_problems(alias)
    return found


def _trigger_problems(alias: str) -> Iterator[checks.CheckMessage]:
    if problems := compare_triggers(connections[alias]).problems():
        yield checks.Warning(
            f"Database {alias!r}: triggers of the history are missing, stale or orphaned:"
            f" {'; '.join(problems)}.",
            hint="Run: manage.py history_triggers --fix",
            id="customer_history.W002",
        )
    if are_due(connections[alias]):
        yield checks.Warning(
            f"Database {alias!r}: the log has no partition for the coming months, so the last one"
            " grows beyond its month.",
            hint="Run once a month: manage.py history_partitions --create",
            id="customer_history.W006",
        )
    if conf.partitions() and is_whole(connections[alias]):
        yield checks.Warning(
            f"Database {alias!r}: the log is one table, but"
            f" {conf.SETTING}['PARTITIONS'] asks for partitions.",
            hint="Run: manage.py history_partitions --create",
            id="customer_history.W007",
        )
    for model in untracked_models(registry, connections[alias]):
        yield checks.Warning(
            f"Database {alias!r}: changes of {model._meta.label} are not recorded, because the"
            f" table {model._meta.db_table!r} does not exist.",
            hint="Run: manage.py migrate. Or remove the registration.",
            obj=model,
            id="customer_history.W004",
        )
    yield from _missing_snapshot_tables(alias)


def _missing_snapshot_tables(alias: str) -> Iterator[checks.CheckMessage]:
    snapshots = {
        model._meta.db_table: registration.model
        for registration in registry
        if registration.snapshots
        and (model := historical_model(registration.model)) is not None
        and router.allow_migrate_model(alias, model)
    }
    present = connections[alias].introspection.table_names() if snapshots else []
    for table in sorted(snapshots.keys() - set(present)):
        yield checks.Warning(
            f"Database {alias!r}: {snapshots[table]._meta.label} cannot be saved, because the"
            f" table {table!r} for its snapshots does not exist.",
            hint="Run: manage.py makemigrations, then manage.py migrate",
            obj=snapshots[table],
            id="customer_history.W010",
        )


def _unknown_names(registration: Registration) -> Iterator[checks.CheckMessage]:
    meta = registration.model._meta
    existing = {field.name for field in meta.get_fields()}
    special = _names_that_fit(registration)
    for option, names in _names_in_options(registration).items():
        fitting = special.get(option, existing)
        for name in sorted(set(names) - fitting):
            is_misspelled = name not in existing
            problem = "does not exist" if is_misspelled else _MISFITS[option]
            suggestion = did_you_mean(name, fitting) if is_misspelled else ""
            yield checks.Error(
                f"{meta.label}: field {name!r} in {option} {problem}.{suggestion}",
                hint=f"Names that {option} accepts: {', '.join(sorted(fitting)) or 'none'}.",
                obj=registration.model,
                id="customer_history.E002",
            )


def _names_in_options(registration: Registration) -> Mapping[str, Iterable[str]]:
    return {
        "label": registration.label,
        "exclude": registration.exclude,
        "only": registration.only or (),
        "confidential": registration.confidential,
        "secret": registration.secret,
        "m2m": registration.m2m or (),
        "events": (event.field for event in registration.events),
        "json_keys": registration.json_keys,
        "key_labels": registration.key_labels,
        "display": (_root(name, registration) for name in registration.display),
        "reason_required": registration.reason_required,
    }


def _names_that_fit(registration: Registration) -> Mapping[str, set[str]]:
    """Return the names that an option accepts, for the options that do not accept all fields."""
    meta = registration.model._meta
    concrete = meta.concrete_fields
    return {
        "m2m": {field.name for field in meta.many_to_many},
        "events": {field.name for field in concrete} | {"create", "update", "delete"},
        "json_keys": {field.name for field in concrete if isinstance(field, models.JSONField)},
        "key_labels": set(registration.json_keys),
        "display": {field.name for field in concrete if not field.is_relation},
        "reason_required": {*ROW_KINDS, *logged_names(registration, registry)},
    }


_MISFITS: Mapping[str, str] = {
    "m2m": "is not a many-to-many field",
    "events": "does not have a column of its own",
    "json_keys": "is not a JSONField",
    "key_labels": "is not in json_keys",
    "display": "is a relation, which has no value to format",
    "reason_required": "is not logged",
}
"""Why an existing field is wrong for an option."""


def _root(name: str, registration: Registration) -> str:
    """Return the field of a name, which may be a key of a JSON field."""
    root = name.partition(".")[0]
    return root if root in registration.json_keys else name


def _invalid_options(registration: Registration) -> Iterator[checks.CheckMessage]:
    for invalid in registration.invalid_options:
        yield checks.Error(
            f"{registration.model._meta.label}: {invalid.option} is {invalid.value!r}, which is"
            " not valid.",
            hint=invalid.expected,
            obj=registration.model,
            id="customer_history.E009",
        )


def _unknown_options() -> Iterator[checks.CheckMessage]:
    for model, name in registry.unknown_options:
        yield checks.Error(
            f"{model._meta.label}: option {name!r} of class History does not exist."
            f"{did_you_mean(name, OPTIONS)}",
            hint=f"The options are: {', '.join(OPTIONS)}.",
            obj=model,
            id="customer_history.E007",
        )


def _unreachable_subjects(registration: Registration) -> Iterator[checks.CheckMessage]:
    try:
        list(routes(registration, registry))
    except UnreachableSubjectError as error:
        yield checks.Error(
            f"{registration.model._meta.label}: {error}",
            hint='Give "self", or foreign keys that lead to a model registered with'
            ' subject="self".',
            obj=registration.model,
            id="customer_history.E003",
        )


def _confidential_keys(registration: Registration) -> Iterator[checks.CheckMessage]:
    for name in registration.confidential:
        field = field_of(registration.model, name)
        if field is not None and is_part_of_a_key(field):
            yield checks.Error(
                f"{registration.model._meta.label}: field {name!r} in confidential is part of the"
                " primary key, which every entry, link and URL shows.",
                hint="Move the confidential value to another field, and use another primary key.",
                obj=registration.model,
                id="customer_history.E010",
            )


def _secrets_in_labels(registration: Registration) -> Iterator[checks.CheckMessage]:
    for name in registration.label:
        field = field_of(registration.model, name)
        if field is not None and field.concrete and registry.keeps_secret(registration, field):
            yield checks.Error(
                f"{registration.model._meta.label}: field {name!r} in label is secret, and labels"
                " are shown.",
                hint="Use another field as label.",
                obj=registration.model,
                id="customer_history.E005",
            )


def _conflicts(conflicts: Iterable[Registration]) -> Iterator[checks.CheckMessage]:
    for conflict in conflicts:
        yield checks.Error(
            f"{conflict.model._meta.label} is registered twice with different options.",
            hint="Remove one of the two registrations.",
            obj=conflict.model,
            id="customer_history.E004",
        )
