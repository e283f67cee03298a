"""django-simple-history: snapshots of whole rows, with the same user and context as the log.

The log does not depend on them: signals take a snapshot when Django itself saves a row.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history import register
from simple_history.models import HistoricalRecords

from django_customer_history.context.current import current
from django_customer_history.contrib.simple_history.importing import historical_model
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.registration.subject_paths import relations


class AuditedSnapshot(models.Model):
    """The context of a snapshot: a base class for historical models.

    Use it as `HistoricalRecords(bases=[AuditedSnapshot])`.
    """

    history_user_label = models.CharField(_("user"), max_length=255, null=True, editable=False)
    history_source = models.CharField(_("source"), max_length=32, null=True, editable=False)
    history_ip_address = models.GenericIPAddressField(_("IP address"), null=True, editable=False)
    history_request_id = models.UUIDField(_("request"), null=True, editable=False)

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # simple-history creates a snapshot with keywords; Django loads one with positions.
        if kwargs and not args:
            resolved = current().resolve()
            kwargs = {
                "history_user_label": resolved.user_label,
                "history_source": resolved.source,
                "history_ip_address": resolved.ip_address,
                "history_request_id": resolved.request_id,
                **kwargs,
            }
        super().__init__(*args, **kwargs)


class Snapshots(HistoricalRecords):  # type: ignore[misc]
    """Takes snapshots, also when links change from the other side; none during a pause."""

    def create_historical_record(self, *args: Any, **kwargs: Any) -> None:
        """Take a snapshot, unless the history is paused."""
        if current().pause is None:
            super().create_historical_record(*args, **kwargs)

    def m2m_changed(
        self,
        instance: models.Model,
        action: str,
        attr: str,
        pk_set: Iterable[Any] | None,
        **kwargs: Any,
    ) -> None:
        """Take a snapshot of the rows whose links changed."""
        rows: Iterable[models.Model] = [instance]
        if kwargs["reverse"]:
            rows = _rows_on_the_other_side(instance, action, attr, pk_set, **kwargs)
        for row in rows:
            super().m2m_changed(row, action, attr, pk_set, **kwargs)


def _rows_on_the_other_side(
    instance: models.Model,
    action: str,
    attr: str,
    pk_set: Iterable[Any] | None,
    **kwargs: Any,
) -> list[models.Model]:
    rows = kwargs["model"]._base_manager.using(kwargs["using"])
    # The rows of cleared links are known only before they are cleared.
    cleared = instance.__dict__.setdefault("_customer_history_cleared", {})
    if action == "pre_clear":
        cleared[attr] = list(rows.filter(**{attr: instance}).values_list("pk", flat=True))
    keys = cleared.pop(attr, ()) if action == "post_clear" else pk_set or ()
    return list(rows.filter(pk__in=list(keys)))


def register_snapshots() -> None:
    """Register the models that have the option `snapshots` with simple-history.

    A label of an app that is not installed is left to the system check E008.
    """
    for registration in registry:
        app = registration.snapshots
        is_known = app is True or any(one.label == app for one in apps.get_app_configs())
        if is_known and historical_model(registration.model) is None:
            _register(registration)


def current_user(
    instance: models.Model | None = None, request: Any = None, **_kwargs: Any
) -> models.Model | None:
    """Return the user of the context in force, if it is an existing user of the project."""
    resolved = current().resolve()
    if resolved.user_id is None:
        return None
    users = get_user_model()
    try:
        user = users._base_manager.filter(pk=resolved.user_id).first()
    except (ValueError, ValidationError):
        return None  # The user of the context is something else, such as an API key.
    is_same_user = user is not None and str(user.get_username()) == resolved.user_label
    return user if is_same_user else None


def _register(registration: Registration) -> None:
    model, app = registration.model, registration.snapshots
    register(
        model,
        app=apps.get_app_config(app).name if isinstance(app, str) else None,
        records_class=Snapshots,
        bases=[AuditedSnapshot],
        excluded_fields=[
            field.name
            for field in model._meta.fields
            if not field.primary_key
            and (registry.keeps_secret(registration, field) or not registration.tracks(field.name))
        ],
        # The links of a parent's field belong to the parent's rows.
        m2m_fields=[
            field.name
            for field in relations(registration, registry)
            if field in model._meta.local_many_to_many
        ],
        get_user=current_user,
    )
