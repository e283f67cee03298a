"""Everything in a database that keeps the log from being complete or true.

The system checks, `history_triggers` and `health.problems()` all report what is found here.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_customer_history import conf
from django_customer_history.backends import SUPPORTED_VENDORS, backend_of, features_of
from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.capture.clock import clock_problem
from django_customer_history.capture.lag import lag_problem
from django_customer_history.capture.partitions import are_due, is_whole
from django_customer_history.capture.plan import tracked_tables, unrecorded_models
from django_customer_history.capture.triggers import (
    compare_triggers,
    has_log,
    keeps_log,
    log_table,
)
from django_customer_history.registration.registry import registry

_APP = "customer_history"


def problems(alias: str) -> Iterator[DatabaseProblem]:
    """Yield the problems of one database."""
    connection = connections[alias]
    if connection.vendor not in SUPPORTED_VENDORS:
        return  # The system check E006 reports it.
    if not keeps_log(alias):
        yield from models_without_log(alias)
        return
    if not has_log(connection):
        yield _no_log(connection)
        return
    for state in compare_triggers(connection).problems():
        yield DatabaseProblem(
            code="W002",
            text=f"triggers of the history are {state}",
            summary=state,
            hint="Run: manage.py history_triggers --fix",
        )
    yield from _problems_of_partitions(connection)
    yield from _problems_of_models(connection)
    yield from server_problems(connection)
    if problem := clock_problem(connection):
        yield DatabaseProblem(
            code="W040",
            text=problem,
            hint="Set the clock of the database server right. What was changed since then may be"
            " out of order in the history, and history.as_of() may miss it.",
        )
    if problem := lag_problem(connection):
        yield DatabaseProblem(
            code="W041",
            text=problem,
            hint="End the transaction: find out what its session does, and let it commit or roll"
            f" back. The limit is {conf.SETTING}['SETTLED_LAG_LIMIT'], in seconds.",
        )
    backend = backend_of(connection)
    yield from backend.problems_of_log(connection, log_table())
    yield from backend.problems_of_tables(connection, tracked_tables(registry, connection))


def models_without_log(alias: str) -> Iterator[DatabaseProblem]:
    """Yield the registered models that a router allows in a database without the log."""
    if keeps_log(alias):
        return
    for registration in registry:
        if router.allow_migrate_model(alias, registration.model):
            yield DatabaseProblem(
                code="E030",
                text=(
                    f"changes of {registration.model._meta.label} are not recorded, because the"
                    " routers allow the model here, but not the log"
                ),
                hint=(
                    f'Let allow_migrate() of your router return True for "{_APP}" in {alias!r},'
                    f" then run: manage.py migrate --database {alias}. Or let it return False for"
                    f" the model, if {alias!r} never has its rows."
                ),
                model=registration.model,
            )


def _no_log(connection: BaseDatabaseWrapper) -> DatabaseProblem:
    alias = connection.alias
    migrate = f"manage.py migrate {_APP} --database {alias}"
    applied = MigrationRecorder(connection).applied_migrations()
    if any(app == _APP for app, _name in applied):
        return DatabaseProblem(
            code="E032",
            text=(
                f"nothing is recorded, because the table {log_table()!r} does not exist, although"
                " its migrations are recorded as applied: a router refused it when they ran, or"
                " they were faked"
            ),
            hint=f"Run: manage.py migrate {_APP} zero --fake --database {alias}, then: {migrate}",
        )
    return DatabaseProblem(
        code="E032",
        text=f"nothing is recorded, because the table {log_table()!r} does not exist",
        hint=f"Run: {migrate}",
    )


def _problems_of_partitions(connection: BaseDatabaseWrapper) -> Iterator[DatabaseProblem]:
    create = "manage.py history_partitions --create"
    if are_due(connection):
        yield DatabaseProblem(
            code="W006",
            text=(
                "the log has no partition for the coming months, so the last one grows beyond its"
                " month"
            ),
            hint=f"Run once a month: {create}",
        )
    if conf.partitions() and is_whole(connection):
        yield DatabaseProblem(
            code="W007",
            text=f"the log is one table, but {conf.SETTING}['PARTITIONS'] asks for partitions",
            hint=f"Run: {create}",
        )


def server_problems(connection: Any) -> Iterator[DatabaseProblem]:
    """Yield the problems of a server and its storage engines: `migrate` does not begin on them."""
    product, version = connection.display_name, connection.get_database_version()
    minimum = features_of(connection).minimum_versions.get(product, ())
    if version < minimum:
        yield DatabaseProblem(
            code="E011",
            text=(
                f"{product} {_dotted(version)} is too old: the history is tested with {product}"
                f" {_dotted(minimum)} and later only"
            ),
            hint=f"Upgrade the server to {product} {_dotted(minimum)} or later.",
        )
    yield from _problems_of_engines(connection)


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _problems_of_engines(connection: BaseDatabaseWrapper) -> Iterator[DatabaseProblem]:
    allowed = features_of(connection).storage_engines
    if not allowed:
        return
    tracked = [table.name for table in tracked_tables(registry, connection)]
    engines = backend_of(connection).storage_engines(connection, {log_table(), *tracked})
    for table, engine in sorted(engines.items()):
        if engine not in allowed:
            yield DatabaseProblem(
                code="E012",
                text=(
                    f"the table {table!r} has the storage engine {engine}, where a change can stay"
                    " although its entry was not written"
                ),
                hint=f"Run: ALTER TABLE {connection.ops.quote_name(table)}"
                f" ENGINE = {' or '.join(allowed)}",
            )


def _problems_of_models(connection: BaseDatabaseWrapper) -> Iterator[DatabaseProblem]:
    for model, kind in unrecorded_models(registry, connection):
        table = model._meta.db_table
        if kind is None:
            yield DatabaseProblem(
                code="W004",
                text=(
                    f"changes of {model._meta.label} are not recorded, because the table"
                    f" {table!r} does not exist"
                ),
                summary=f"no table {table}",
                hint="Run: manage.py migrate. Or remove the registration.",
                model=model,
            )
        else:
            yield DatabaseProblem(
                code="E031",
                text=(
                    f"changes of {model._meta.label} cannot be recorded, because {table!r} is"
                    f" {kind}: it has no rows of its own"
                ),
                hint=(
                    "Register the models of the tables that hold the rows, and remove this"
                    " registration."
                ),
                model=model,
            )
