"""The wiring: what happens when Django starts, when it connects and after `migrate`."""

from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
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
        from django_customer_history.capture.schema import follow_schema_editors
        from django_customer_history.commands import follow_commands
        from django_customer_history.inheritance import register_audited_models

        autodiscover_modules("history")
        register_audited_models(apps.get_models())
        checks.register_checks()
        follow_schema_editors()
        follow_commands()
        _follow_tasks()
        connection_created.connect(_connected, dispatch_uid="customer_history")
        post_migrate.connect(_migrated, sender=self, dispatch_uid="customer_history")
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                _connected(connection=connection)


def _follow_tasks() -> None:
    if find_spec("celery") is not None:
        from django_customer_history.contrib import celery

        celery.follow_tasks()


def _connected(*, connection: Any, **_kwargs: Any) -> None:
    from django_customer_history.capture.session import attach
    from django_customer_history.integrity.guards import let_flush_pass

    attach(connection)
    let_flush_pass(connection)


def _migrated(*, using: str, **_kwargs: Any) -> None:
    from django_customer_history.capture.install import synchronise
    from django_customer_history.dialects import SUPPORTED_VENDORS
    from django_customer_history.permissions import create_permissions

    if connections[using].vendor in SUPPORTED_VENDORS:
        synchronise(connections[using])
    create_permissions(using)
