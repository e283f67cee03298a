"""Who may read and export what: permissions for each subject model and confidential field.

Backends for object permissions are asked with the subject's object. They are in play where
`AUTHENTICATION_BACKENDS` has a backend whose `has_perm` is not Django's own. Then

* a backend that grants `view_<model>_history` for the object lets its history be read;
* a backend that raises `PermissionDenied`, Django's way to say no for good, when it is asked
  for `view_<model>` or `view_<model>_history` of the object, puts the object out of reach,
  whatever permission the reader holds for the model: 404, and no list shows its entries;
* a reader who may not read the history, and holds `view_<model>` neither for the model nor for
  the object, gets 404, so that not even its existence is told. With `view_<model>` it is 403.

The list over all records holds what permissions for whole models open; a reader who is granted
single objects alone reads them one by one. A record that is deleted needs the permission of the
model; whether it is vetoed is asked with a stand-in, made of what the log knew last.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Protocol, cast

from django.apps import apps
from django.contrib import auth
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import connections, models, router
from django.utils import translation

from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import ConfidentialField
from django_customer_history.registration.registry import (
    Registration,
    registry,
)

VIEW_EVERYTHING = "customer_history.view_entry"
VIEW_EVERY_CONFIDENTIAL_VALUE = "customer_history.view_confidential"
EXPORT_EVERYTHING = "customer_history.export_entry"

_LONGEST_CODENAME = 100
_ANSWERS_OF_DJANGO = (BaseBackend.has_perm, ModelBackend.has_perm)


class Reader(Protocol):
    """A user as far as reading goes."""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the user has a permission, globally or for one object."""


def may_read(reader: Reader, model: type[models.Model], *, subject: Any = None) -> bool:
    """Return whether a user may read the history of a subject, or of all of its model.

    The permission may be held for the whole model or, as backends for object permissions
    answer it, for that one record. Raises `NotFoundError` where for this reader the record
    does not exist.
    """
    if subject is not None and is_denied(reader, subject):
        raise NotFoundError(f"There is no such {model._meta.verbose_name}.")
    if reader.has_perm(VIEW_EVERYTHING) or _holds(reader, view_permission(model), subject):
        return True
    if subject is not None and has_object_permissions():
        permission = f"{model._meta.app_label}.view_{model._meta.model_name}"
        if not _holds(reader, permission, subject):
            raise NotFoundError(f"There is no such {model._meta.verbose_name}.")
    return False


def may_export(reader: Reader, model: type[models.Model], *, subject: Any = None) -> bool:
    """Return whether a user may export the history of a subject, or of all of its model."""
    return reader.has_perm(EXPORT_EVERYTHING) or _holds(reader, export_permission(model), subject)


def readable_models(reader: Reader) -> list[str] | None:
    """Return the labels of the subject models whose whole history a user may read; None: all."""
    if reader.has_perm(VIEW_EVERYTHING):
        return None
    return [
        model._meta.label_lower
        for model in subject_models()
        if reader.has_perm(view_permission(model))
    ]


def exportable_models(reader: Reader) -> list[str] | None:
    """Return the labels of the subject models whose history a user may export; None: all."""
    if reader.has_perm(EXPORT_EVERYTHING):
        return None
    return [
        model._meta.label_lower
        for model in subject_models()
        if reader.has_perm(export_permission(model))
    ]


def subject_models() -> list[type[models.Model]]:
    """Return the models whose rows have a History tab."""
    return [registration.model for registration in registry if registration.is_subject]


def has_object_permissions() -> bool:
    """Return whether the project has a backend that may answer for single objects."""
    return any(_answers_for_objects(backend) for backend in auth.get_backends())


def is_denied(reader: Reader, subject: models.Model) -> bool:
    """Return whether a backend says for good that the reader may not see an object."""
    if getattr(reader, "is_superuser", False):
        return False  # Django asks no backend about them either.
    for backend in auth.get_backends():
        if not _answers_for_objects(backend):
            continue
        meta = subject._meta
        for name in (f"view_{meta.model_name}", f"view_{meta.model_name}_history"):
            try:
                backend.has_perm(cast("Any", reader), f"{meta.app_label}.{name}", subject)
            except PermissionDenied:
                return True
    return False


def view_permission(model: type[models.Model]) -> str:
    """Return the name of the permission to read the history of records of a model."""
    return f"{model._meta.app_label}.view_{model._meta.model_name}_history"


def export_permission(model: type[models.Model]) -> str:
    """Return the name of the permission to export the history of records of a model."""
    return f"{model._meta.app_label}.export_{model._meta.model_name}_history"


def confidential_permission(model: type[models.Model], field: str) -> str:
    """Return the name of the permission to see a confidential field unmasked.

    The key of a JSON field has two underscores for its dots, which no field's name can have.
    """
    codename = f"view_confidential_{model._meta.model_name}_{field.replace('.', '__')}"
    if len(codename) > _LONGEST_CODENAME:
        digest = hashlib.sha256(codename.encode()).hexdigest()[:8]
        codename = f"{codename[: _LONGEST_CODENAME - 9]}_{digest}"
    return f"{model._meta.app_label}.{codename}"


def may_see(reader: Reader, permission: str) -> bool:
    """Return whether a user may see what a permission for confidential values protects."""
    return reader.has_perm(VIEW_EVERY_CONFIDENTIAL_VALUE) or reader.has_perm(permission)


def create_permissions(using: str) -> None:
    """Create the permissions that registrations and marks call for, in one database."""
    permission_model = apps.get_model("auth", "Permission")
    if not router.allow_migrate_model(using, permission_model):
        return
    marks = list(ConfidentialField.objects.using(using)) if _has_marks(using) else []
    for registration in registry:
        if router.allow_migrate_model(using, registration.model):
            label = registration.model._meta.label_lower
            marked = {mark.field: mark.label for mark in marks if mark.model == label}
            _create(using, registration.model, dict(_permissions(registration, marked)))


def create_permission_of(mark: ConfidentialField, *, using: str) -> None:
    """Create the permission to see what was just marked confidential."""
    registration = registry.find(mark.model)
    if registration is None:
        return
    if router.allow_migrate_model(using, apps.get_model("auth", "Permission")):
        named = _confidential(registration.model, mark.field, mark.label)
        _create(using, registration.model, dict([named]))


def _has_marks(using: str) -> bool:
    # Permissions are created after every `migrate`, also after one of other apps alone.
    tables = connections[using].introspection.table_names()
    return ConfidentialField._meta.db_table in tables


def _holds(reader: Reader, permission: str, subject: Any) -> bool:
    return reader.has_perm(permission) or (
        subject is not None and reader.has_perm(permission, subject)
    )


def _answers_for_objects(backend: object) -> bool:
    asked = getattr(type(backend), "has_perm", None)
    return asked is not None and asked not in _ANSWERS_OF_DJANGO


def _create(using: str, model: type[models.Model], named: dict[str, str]) -> None:
    content_types = apps.get_model("contenttypes", "ContentType")._default_manager
    content_type = content_types.db_manager(using).get_for_model(model, for_concrete_model=False)
    permission_model = apps.get_model("auth", "Permission")
    manager = permission_model._default_manager.using(using)
    present = set(manager.filter(content_type=content_type).values_list("codename", flat=True))
    manager.bulk_create(
        permission_model(codename=codename, name=name[:255], content_type=content_type)
        for codename, name in named.items()
        if codename not in present
    )


def _permissions(registration: Registration, marked: dict[str, str]) -> Iterator[tuple[str, str]]:
    model = registration.model
    # As Django does for its own: stored once, in no reader's language.
    with translation.override(None):
        name = str(model._meta.verbose_name)
        if registration.is_subject:
            yield _codename(view_permission(model)), f"Can view the history of {name}"
            yield _codename(export_permission(model)), f"Can export the history of {name}"
        for field in {**dict.fromkeys(registration.confidential, ""), **marked}:
            yield _confidential(model, field, marked.get(field, ""))


def _confidential(model: type[models.Model], field: str, label: str) -> tuple[str, str]:
    with translation.override(None):
        shown = label or _verbose_name(model, field)
        text = f"Can see the {shown} of {model._meta.verbose_name} unmasked"
    return _codename(confidential_permission(model, field)), text


def _verbose_name(model: type[models.Model], field: str) -> str:
    try:
        return str(getattr(model._meta.get_field(field), "verbose_name", field))
    except FieldDoesNotExist:
        return field


def _codename(permission: str) -> str:
    return permission.partition(".")[2]
