"""The system checks: every mistake in a setting, and the list of all checks."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import connections, router
from django.utils.module_loading import import_string

from django_customer_history import conf
from django_customer_history.access.checks import (
    check_confidential,
    check_marks,
    check_probable_secrets,
)
from django_customer_history.backends import SUPPORTED_VENDORS
from django_customer_history.capture.checks import (
    check_cascades,
    check_routers,
    check_triggers,
)
from django_customer_history.capture.registration_checks import check_registrations
from django_customer_history.contrib.checks import check_caches, check_encrypted_fields
from django_customer_history.contrib.simple_history.importing import historical_model
from django_customer_history.exceptions import did_you_mean
from django_customer_history.middleware import HistoryMiddleware
from django_customer_history.registration.registry import (
    Registration,
    registry,
)

TAG = "customer_history"


def register_checks() -> None:
    """Add the checks to Django's."""
    for check in (
        check_settings,
        check_registrations,
        check_confidential,
        check_probable_secrets,
        check_databases,
        check_middleware,
        check_tasks,
        check_cascades,
        check_routers,
        check_snapshots,
        check_encrypted_fields,
        check_caches,
    ):
        checks.register(check, TAG)
    for check in (check_triggers, check_snapshot_tables, check_marks):
        checks.register(check, TAG, checks.Tags.database)


def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E001: an unknown setting, or a wrong value."""
    return [
        checks.Error(
            problem.message, hint=problem.hint, obj=conf.SETTING, id="customer_history.E001"
        )
        for problem in conf.problems()
    ]


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


def check_snapshot_tables(
    databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[checks.CheckMessage]:
    """W010: a model without the table of its snapshots."""
    found: list[checks.CheckMessage] = []
    for alias in databases or ():
        found += _missing_snapshot_tables(alias)
    return found


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
