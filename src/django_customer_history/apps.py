"""The app: what happens when Django starts, when it connects, and around `migrate`."""

from importlib.util import find_spec

from django.apps import AppConfig, apps
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, post_save, pre_migrate, pre_save
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

_UID = "customer_history"


class CustomerHistoryConfig(AppConfig):
    """The app `customer_history`."""

    name = "django_customer_history"
    label = "customer_history"
    verbose_name = _("Customer history")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Load the registrations, register the checks, and connect the capture of changes."""
        from django_customer_history import checks
        from django_customer_history.contrib.authentication.receivers import connect_receivers
        from django_customer_history.contrib.simple_history.snapshots import register_snapshots
        from django_customer_history.models import AuditedModel
        from django_customer_history.registration.inheritance import register_subclasses
        from django_customer_history.registration.registry import registry

        autodiscover_modules("history")
        register_subclasses(AuditedModel, apps.get_models())
        registry.apply_to_children(apps.get_models())
        register_snapshots()
        checks.register_checks()
        connect_receivers()
        _patch_django()
        self._connect_receivers()

    def _connect_receivers(self) -> None:
        from django_customer_history.access.permissions import (
            create_permission_of,
            create_permissions,
        )
        from django_customer_history.capture import receivers
        from django_customer_history.capture.fixtures import restore_microseconds

        connection_created.connect(receivers.on_connection, dispatch_uid=_UID)
        pre_migrate.connect(receivers.before_migrate, sender=self, dispatch_uid=_UID)
        post_migrate.connect(receivers.after_migrate, sender=self, dispatch_uid=_UID)
        post_migrate.connect(
            lambda *, using, apps=apps, **_kwargs: create_permissions(using, apps=apps),
            sender=self,
            weak=False,
            dispatch_uid=f"{_UID}_permissions",
        )
        post_save.connect(
            lambda *, instance, using, **_kwargs: create_permission_of(instance, using=using),
            sender=self.get_model("ConfidentialField"),
            weak=False,
            dispatch_uid=_UID,
        )
        pre_save.connect(restore_microseconds, sender=self.get_model("Entry"), dispatch_uid=_UID)
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                receivers.on_connection(connection=connection)


def _patch_django() -> None:
    """Patch the parts of Django and of task queues that have no hook of their own."""
    from django_customer_history.capture.fixtures import patch_loaddata
    from django_customer_history.capture.schema_editor import patch_schema_editors
    from django_customer_history.context.commands import patch_commands
    from django_customer_history.contrib.tasks import patch_tasks

    patch_schema_editors()
    patch_loaddata()
    patch_commands()
    patch_tasks()
    if find_spec("celery") is not None:
        from django_customer_history.contrib.celery import patch_celery

        patch_celery()
