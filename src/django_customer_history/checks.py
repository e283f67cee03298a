"""The system checks: every mistake in a registration or a setting, with its mend."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models, router
from django.utils.module_loading import import_string

from django_customer_history.access.confidential import is_part_of_a_key
from django_customer_history.access.field_access import field_of
from django_customer_history.backends import SUPPORTED_VENDORS, features_of
from django_customer_history.capture.partitions import (
    are_due,
    is_whole,
)
from django_customer_history.capture.plan import untracked_models
from django_customer_history.capture.rules import logged_names
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.conf import (
    SETTING,
    partitions_enabled,
    propagates_context_to_tasks,
)
from django_customer_history.conf import problems as setting_problems
from django_customer_history.contrib.simple_history.importing import historical_model
from django_customer_history.middleware import HistoryMiddleware
from django_customer_history.registration.registry import (
    OPTIONS,
    ROW_KINDS,
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
    """E001: a wrong key or value in the settings."""
    return [
        checks.Error(problem.message, hint=problem.hint, obj=SETTING, id="customer_history.E001")
        for problem in setting_problems()
    ]


def check_registrations(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E002 to E005, E007, E009, E010: registrations that do not fit their model, or one another."""
    found: list[checks.CheckMessage] = []
    for registration in registry:
        found += _unknown_names(registration)
        found += _no_functions(registration)
        found += _unreachable_subjects(registration)
        found += _secrets_in_labels(registration)
        found += _confidential_keys(registration)
    return [*found, *_unknown_options(), *_conflicts(registry.conflicts)]


def check_databases(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E006: a database on which changes cannot be captured."""
    return [
        checks.Error(
            f"Changes cannot be captured in the database {alias!r}, which is"
            f" {connections[alias].vendor!r}.",
            hint=f"Keep the registered models on one of: {', '.join(SUPPORTED_VENDORS)}.",
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
            f"What the database removes or changes by {field} is not in the history on"
            f" {connections[alias].display_name}, whose triggers are not run for it.",
            hint="Use on_delete=CASCADE (or SET_NULL), which Django carries out itself.",
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
    """Return whether the database itself acts when the row that a field points to goes."""
    on_delete = getattr(field.remote_field, "on_delete", None)
    return getattr(on_delete, "__name__", "").startswith("DB_") or hasattr(
        on_delete, "on_delete_sql"
    )


def check_middleware(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W001: without the middleware, changes in requests have no user and no address."""
    for path in settings.MIDDLEWARE:
        try:
            middleware = import_string(path)
        except ImportError:
            continue  # Django itself says so, and better.
        if isinstance(middleware, type) and issubclass(middleware, HistoryMiddleware):
            return []
    return [
        checks.Warning(
            "HistoryMiddleware is not in MIDDLEWARE: changes made in requests are shown as"
            " System, without an address.",
            hint='Add "django_customer_history.middleware.HistoryMiddleware" after'
            " AuthenticationMiddleware.",
            id="customer_history.W001",
        )
    ]


def check_tasks(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W005: tasks of Django that run elsewhere, and take nothing along of who enqueued them."""
    if propagates_context_to_tasks():
        return []
    backends = [one.get("BACKEND", "") for one in getattr(settings, "TASKS", {}).values()]
    return [
        checks.Warning(
            f"Changes that tasks of {backend} make do not bear who enqueued the task.",
            hint=f'Set {SETTING}["PROPAGATE_CONTEXT_TO_TASKS"] = True, once every worker runs with'
            " django_customer_history installed.",
            id="customer_history.W005",
        )
        for backend in backends
        if not backend.endswith((".ImmediateBackend", ".DummyBackend"))
    ]


def check_snapshots(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E008 and W009: snapshots that are not taken, or that have no pages."""
    wanted = [registration.model for registration in registry if registration.snapshots]
    found: list[checks.CheckMessage] = [
        checks.Error(
            f"No snapshots are taken of {model._meta.label}: it was registered with snapshots after"
            " Django had started.",
            hint="Register it in models.py, or in the history.py of an app.",
            obj=model,
            id="customer_history.E008",
        )
        for model in wanted
        if historical_model(model) is None
    ]
    if wanted and not apps.is_installed("simple_history"):
        found.append(
            checks.Warning(
                "Models are registered with snapshots, and simple_history is no installed app:"
                " its admin, templates and commands are missing.",
                hint='Add "simple_history" to INSTALLED_APPS.',
                id="customer_history.W009",
            )
        )
    return found


def check_triggers(
    databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[checks.CheckMessage]:
    """W002, W004 and W010: triggers that are not as they should be, and missing tables."""
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
            f"In the database {alias!r} the triggers that keep the history are not as they"
            f" should be: {'; '.join(problems)}.",
            hint="Run: manage.py history_triggers --fix",
            id="customer_history.W002",
        )
    if are_due(connections[alias]):
        yield checks.Warning(
            f"In the database {alias!r} the last partition of the log is in use already, and"
            " grows beyond its month.",
            hint="Run once a month: manage.py history_partitions --create",
            id="customer_history.W006",
        )
    if partitions_enabled() and is_whole(connections[alias]):
        yield checks.Warning(
            f"In the database {alias!r} the log is one table, though it shall have partitions.",
            hint="Run: manage.py history_partitions --create",
            id="customer_history.W007",
        )
    for model in untracked_models(registry, connections[alias]):
        yield checks.Warning(
            f"In the database {alias!r} there is no table {model._meta.db_table!r}, so changes of"
            f" {model._meta.label} are not recorded.",
            hint="Run migrate, or unregister the model.",
            obj=model,
            id="customer_history.W004",
        )
    snapshots = {
        historical_model(registration.model)._meta.db_table: registration.model
        for registration in registry
        if registration.snapshots
        and (model := historical_model(registration.model)) is not None
        and router.allow_migrate_model(alias, model)
    }
    present = connections[alias].introspection.table_names() if snapshots else []
    for table in sorted(snapshots.keys() - set(present)):
        yield checks.Warning(
            f"In the database {alias!r} there is no table {table!r} for the snapshots of"
            f" {snapshots[table]._meta.label}, which cannot be saved without it.",
            hint="Run makemigrations and migrate.",
            obj=snapshots[table],
            id="customer_history.W010",
        )


def _unknown_names(registration: Registration) -> Iterator[checks.CheckMessage]:
    options: dict[str, Iterable[str]] = {
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
    meta = registration.model._meta
    columns = {field.name for field in meta.concrete_fields}
    plain = {field.name for field in meta.concrete_fields if not field.is_relation}
    special = {
        "m2m": {field.name for field in meta.many_to_many},
        "events": columns | {"create", "update", "delete"},
        "json_keys": {
            field.name for field in meta.concrete_fields if isinstance(field, models.JSONField)
        },
        "key_labels": registration.json_keys,
        "display": plain,
        "reason_required": ROW_KINDS | set(logged_names(registration, registry)),
    }
    known = {field.name for field in meta.get_fields()}
    for option, names in options.items():
        fitting = special.get(option, known)
        for name in sorted(set(names) - fitting):
            yield checks.Error(
                f"{option}={name!r} names no {_KINDS.get(option, 'field')} of {meta.label}.",
                hint=f"Its fields are: {', '.join(sorted(fitting))}.",
                obj=registration.model,
                id="customer_history.E002",
            )


_KINDS = {
    "m2m": "many-to-many field",
    "events": "column",
    "json_keys": "JSON field",
    "key_labels": "field that is logged key by key",
    "display": "column without a relation",
    "reason_required": "logged field",
}


def _root(name: str, registration: Registration) -> str:
    """Return the field of a name that may be one of its keys."""
    root = name.partition(".")[0]
    return root if root in registration.json_keys else name


def _no_functions(registration: Registration) -> Iterator[checks.CheckMessage]:
    for option in ("key_labels", "display"):
        for name, given in getattr(registration, option).items():
            if not callable(given):
                yield checks.Error(
                    f"{option}[{name!r}] of {registration.model._meta.label} is {given!r}.",
                    hint=f"Give a function that takes the {_ARGUMENTS[option]}.",
                    obj=registration.model,
                    id="customer_history.E009",
                )


_ARGUMENTS = {"key_labels": "reader", "display": "value"}


def _unknown_options() -> Iterator[checks.CheckMessage]:
    for model, name in registry.unknown_options:
        yield checks.Error(
            f"{model._meta.label}.History has the unknown option {name!r}.",
            hint=f"Known options: {', '.join(OPTIONS)}.",
            obj=model,
            id="customer_history.E007",
        )


def _unreachable_subjects(registration: Registration) -> Iterator[checks.CheckMessage]:
    try:
        list(routes(registration, registry))
    except UnreachableSubjectError as error:
        yield checks.Error(
            f"The subject of {registration.model._meta.label} cannot be found: {error}.",
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
                f"{registration.model._meta.label} calls its key {name!r} confidential,"
                " which stands in every entry, link and address.",
                hint="Keep the confidential value in a field of its own, beside another key.",
                obj=registration.model,
                id="customer_history.E010",
            )


def _secrets_in_labels(registration: Registration) -> Iterator[checks.CheckMessage]:
    for name in registration.label:
        try:
            field = registration.model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if field.concrete and registry.keeps_secret(registration, field):
            yield checks.Error(
                f"The label of {registration.model._meta.label} would show the secret"
                f" field {name!r}.",
                hint="Name another field as label.",
                obj=registration.model,
                id="customer_history.E005",
            )


def _conflicts(conflicts: Iterable[Registration]) -> Iterator[checks.CheckMessage]:
    for conflict in conflicts:
        yield checks.Error(
            f"{conflict.model._meta.label} is registered twice, with different options.",
            hint="Keep one of the two registrations.",
            obj=conflict.model,
            id="customer_history.E004",
        )
