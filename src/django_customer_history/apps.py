"""The wiring: what happens when Django starts, when it connects and after `migrate`."""

from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, post_save, pre_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class CustomerHistoryConfig(AppConfig):
    """The app `customer_history`."""

    name = "django_customer_history"
    label = "customer_history"
    verbose_name = _("Customer history")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Find the registrations and put capture in its place."""
        from django_customer_history import checks
        from django_customer_history.capture.schema_editor import patch_schema_editors
        from django_customer_history.context.commands import patch_commands
        from django_customer_history.contrib.simple_history.snapshots import register_snapshots
        from django_customer_history.models import AuditedModel
        from django_customer_history.registration.inheritance import register_subclasses

        autodiscover_modules("history")
        register_subclasses(AuditedModel, apps.get_models())
        register_snapshots()
        checks.register_checks()
        patch_schema_editors()
        patch_commands()
        _patch_task_queues()
        connection_created.connect(_connected, dispatch_uid="customer_history")
        pre_migrate.connect(_migrating, sender=self, dispatch_uid="customer_history")
        post_migrate.connect(_migrated, sender=self, dispatch_uid="customer_history")
        post_save.connect(
            _marked, sender=self.get_model("ConfidentialField"), dispatch_uid="customer_history"
        )
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                _connected(connection=connection)


def _patch_task_queues() -> None:
    if find_spec("celery") is not None:
        from django_customer_history.contrib import celery

        celery.patch_celery()
    from django_customer_history.contrib import tasks

    tasks.patch_tasks()


def _connected(*, connection: Any, **_kwargs: Any) -> None:
    from django_customer_history.backends import attach_session
    from django_customer_history.capture.flush import patch_flush

    attach_session(connection)
    patch_flush(connection)


def _migrating(*, using: str, **details: Any) -> None:
    from django_customer_history.capture.renames import former_tables
    from django_customer_history.capture.triggers import synchronize_triggers
    from django_customer_history.registration.registry import registry

    registry.former_tables = former_tables(details.get("plan", ()), details.get("apps"), registry)
    if registry.former_tables and _has_log(using):
        synchronize_triggers(connections[using])


def _migrated(*, using: str, **details: Any) -> None:
    from django_customer_history.access.permissions import create_permissions
    from django_customer_history.backends import SUPPORTED_VENDORS
    from django_customer_history.capture.partitions import partition_log
    from django_customer_history.capture.registration_log import log_registrations
    from django_customer_history.capture.triggers import synchronize_triggers
    from django_customer_history.registration.registry import registry

    registry.former_tables = {}
    if connections[using].vendor in SUPPORTED_VENDORS:
        partition_log(connections[using])
        began = datetime.now(UTC)
        synchronize_triggers(connections[using])
        # `flush` sends the signal too, without a plan; it leaves the log empty.
        if "plan" in details and _has_log(using):
            log_registrations(using, since=began)
    create_permissions(using)


def _marked(*, instance: Any, using: str, **_kwargs: Any) -> None:
    from django_customer_history.access.permissions import create_permission_of

    create_permission_of(instance, using=using)


def _has_log(using: str) -> bool:
    log = apps.get_model("customer_history", "Entry")._meta.db_table
    return log in connections[using].introspection.table_names()
