"""System checks of what each database captures: triggers, partitions and native cascades."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections, models, router

from django_customer_history.backends import SUPPORTED_VENDORS, features_of
from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.capture.problems import models_without_log, problems, server_problems
from django_customer_history.capture.triggers import keeps_log
from django_customer_history.context.current import current
from django_customer_history.registration.registry import (
    registry,
)


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


def check_routers(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E030: a router allows registered models in a database, but not the log."""
    return [
        _message(alias, problem, check="customer_history.E030")
        for alias in connections
        if connections[alias].vendor in SUPPORTED_VENDORS
        for problem in models_without_log(alias)
    ]


def check_triggers(
    databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[checks.CheckMessage]:
    """W002, W004, W006, W007, E031 and more: whether a database records every change."""
    # What a database lacks now, `migrate` is about to bring, but not another server.
    is_migrating = current().extra.get("command") == "migrate"
    found = []
    for alias in databases or ():
        if keeps_log(alias) and connections[alias].vendor in SUPPORTED_VENDORS:
            of_alias = server_problems(connections[alias]) if is_migrating else problems(alias)
            for problem in of_alias:
                found.append(_message(alias, problem))  # noqa: PERF401 - read by a test
    return found


def _message(
    alias: str, problem: DatabaseProblem, *, check: str | None = None
) -> checks.CheckMessage:
    kind = checks.Error if problem.is_error else checks.Warning
    return kind(
        f"Database {alias!r}: {problem.text}.",
        hint=problem.hint,
        obj=problem.model,
        id=check or _id_of(problem),
    )


def _id_of(problem: DatabaseProblem) -> str:
    known = (
        "customer_history.E011",
        "customer_history.E012",
        "customer_history.E031",
        "customer_history.E032",
        "customer_history.W002",
        "customer_history.W004",
        "customer_history.W006",
        "customer_history.W007",
        "customer_history.W030",
        "customer_history.W031",
        "customer_history.W032",
        "customer_history.W033",
        "customer_history.W034",
        "customer_history.W035",
        "customer_history.W036",
        "customer_history.W037",
        "customer_history.W040",
        "customer_history.W041",
    )
    (found,) = (one for one in known if one.endswith(problem.code))
    return found
