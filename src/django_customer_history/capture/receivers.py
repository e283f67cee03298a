"""Receivers of Django's signals: a new connection, before `migrate` and after it."""

from typing import Any

from django.db import connections

from django_customer_history.backends import SUPPORTED_VENDORS, attach_session, microsecond_of
from django_customer_history.capture.fixtures import patch_deserialization
from django_customer_history.capture.flush import patch_flush
from django_customer_history.capture.partitions import partition_log
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.capture.renames import former_tables, log_state_renames
from django_customer_history.capture.switches import log_repair
from django_customer_history.capture.triggers import has_log, synchronize_triggers
from django_customer_history.keys import datetime_of
from django_customer_history.registration.registry import registry


def on_connection(*, connection: Any, **_kwargs: Any) -> None:
    """Prepare a new connection: its session passes the context to the triggers."""
    attach_session(connection)
    patch_flush(connection)
    patch_deserialization(connection)


def before_migrate(*, using: str, **details: Any) -> None:
    """Track tables under the names that they have before the plan renames them."""
    registry.former_tables = former_tables(details.get("plan", ()), details.get("apps"), registry)
    if registry.former_tables and has_log(connections[using]):
        synchronize_triggers(connections[using])


def after_migrate(*, using: str, **details: Any) -> None:
    """Bring partitions, triggers and the entries about registrations up to date."""
    registry.former_tables = {}
    connection = connections[using]
    if connection.vendor not in SUPPORTED_VENDORS:
        return
    partition_log(connection)
    began = datetime_of(microsecond_of(connection))
    before = synchronize_triggers(connection)
    # `flush` also sends the signal, without a plan, and leaves the log empty.
    if "plan" in details and has_log(connection):
        log_repair(connection, before)
        log_registrations(using, since=began)
        log_state_renames(details["plan"], using=using)
