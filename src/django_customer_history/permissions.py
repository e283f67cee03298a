"""Who may read what: permissions for each subject model and each confidential field."""

from collections.abc import Iterator
from typing import Any, Protocol

from django.apps import apps
from django.db import models, router

from django_customer_history.registry import Registration, registry

VIEW_EVERYTHING = "customer_history.view_entry"
VIEW_EVERY_CONFIDENTIAL_VALUE = "customer_history.view_confidential"


class Reader(Protocol):
    """A user as far as reading goes."""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the user has a permission, globally or for one object."""


def may_read(reader: Reader, model: type[models.Model], *, subject: Any = None) -> bool:
    """Return whether a user may read the history of a subject, or of all of its model.

    The permission may be held for the whole model or, as backends for object permissions
    answer it, for that one record.
    """
    if reader.has_perm(VIEW_EVERYTHING):
        return True
    permission = view_permission(model)
    return reader.has_perm(permission) or (
        subject is not None and reader.has_perm(permission, subject)
    )


def readable_models(reader: Reader) -> list[str] | None:
    """Return the labels of the subject models whose whole history a user may read; None: all."""
    if reader.has_perm(VIEW_EVERYTHING):
        return None
    return [
        registration.model._meta.label_lower
        for registration in registry
        if registration.is_subject and reader.has_perm(view_permission(registration.model))
    ]


def view_permission(model: type[models.Model]) -> str:
    """Return the name of the permission to read the history of records of a model."""
    return f"{model._meta.app_label}.view_{model._meta.model_name}_history"


def confidential_permission(model: type[models.Model], field: str) -> str:
    """Return the name of the permission to see a confidential field unmasked."""
    return f"{model._meta.app_label}.view_confidential_{model._meta.model_name}_{field}"


def may_see(reader: Reader, permission: str) -> bool:
    """Return whether a user may see what a permission for confidential values protects."""
    return reader.has_perm(VIEW_EVERY_CONFIDENTIAL_VALUE) or reader.has_perm(permission)


def create_permissions(using: str) -> None:
    """Create the permissions that the registrations call for, in one database."""
    permission_model = apps.get_model("auth", "Permission")
    content_types = apps.get_model("contenttypes", "ContentType")
    if not router.allow_migrate_model(using, permission_model):
        return
    manager = permission_model._default_manager.using(using)
    for registration in registry:
        if not router.allow_migrate_model(using, registration.model):
            continue
        content_type = content_types._default_manager.db_manager(using).get_for_model(
            registration.model, for_concrete_model=False
        )
        present = set(manager.filter(content_type=content_type).values_list("codename", flat=True))
        manager.bulk_create(
            permission_model(codename=codename, name=name, content_type=content_type)
            for codename, name in _permissions(registration)
            if codename not in present
        )


def _permissions(registration: Registration) -> Iterator[tuple[str, str]]:
    meta = registration.model._meta
    if registration.is_subject:
        codename = view_permission(registration.model).partition(".")[2]
        yield codename, f"Can view the history of {meta.verbose_name}"
    for field in registration.confidential:
        codename = confidential_permission(registration.model, field).partition(".")[2]
        yield codename[:100], f"Can see the {field} of {meta.verbose_name} unmasked"[:255]
