"""Receivers of Django's signals: a new connection, before `migrate` and after it."""

from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.db import connections

from django_customer_history.backends import SUPPORTED_VENDORS, attach_session
from django_customer_history.capture.flush import patch_flush
from django_customer_history.capture.partitions import partition_log
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.capture.renames import former_tables
from django_customer_history.capture.triggers import synchronize_triggers
from django_customer_history.registration.registry import registry


def on_connection(*, connection: Any, **_kwargs: Any) -> None:
    """Prepare a new connection: its session passes the context to the triggers."""
    attach_session(connection)
    patch_flush(connection)


def before_migrate(*, using: str, **details: Any) -> None:
    """Track tables under the names that they have before the plan renames them."""
    registry.former_tables = former_tables(details.get("plan", ()), details.get("apps"), registry)
    if registry.former_tables and _has_log(using):
        synchronize_triggers(connections[using])


def after_migrate(*, using: str, **details: Any) -> None:
    """Bring partitions, triggers and the entries about registrations up to date."""
    registry.former_tables = {}
    if connections[using].vendor not in SUPPORTED_VENDORS:
        return
    partition_log(connections[using])
    began = datetime.now(UTC)
    synchronize_triggers(connections[using])
    # `flush` also sends the signal, without a plan, and leaves the log empty.
    if "plan" in details and _has_log(using):
        log_registrations(using, since=began)


def _has_log(using: str) -> bool:
    log = apps.get_model("customer_history", "Entry")._meta.db_table
    return log in connections[using].introspection.table_names()
