"""Who may read and export what: permissions for each subject model and confidential field.

Object permissions are checked if `AUTHENTICATION_BACKENDS` has a backend whose `has_perm` is not
Django's own. Such backends are asked about the subject's object:

* A backend that grants `view_<model>_history` for the object allows to read its history.
* A backend that raises `PermissionDenied` for `view_<model>` or `view_<model>_history` of the
  object denies access to it, even if the reader has the permission for the whole model: its page
  is a 404, and no list shows its entries. (Django asks no further backend after that exception.)
* A reader who may not read the history gets 404 unless they have `view_<model>`, for the model or
  for the object: the answer does not disclose whether the record exists. With it, they get 403.

The list over all records shows the models that the reader has the permission for. A reader who
has permissions for single objects only reads these one by one. The history of a deleted record
needs the permission for the model; backends are asked with an instance rebuilt from the log.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

from django.apps import apps
from django.apps.registry import Apps
from django.contrib import auth
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import connections, models, router
from django.utils import translation

from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.registration.renames import Rename, renames

VIEW_EVERYTHING = "customer_history.view_entry"
VIEW_EVERY_CONFIDENTIAL_VALUE = "customer_history.view_confidential"
NAME_OF_VIEW_EVERY_CONFIDENTIAL_VALUE = dict(Entry._meta.permissions)["view_confidential"]
EXPORT_EVERYTHING = "customer_history.export_entry"
UNDO_EVERYTHING = "customer_history.undo_entry"

_VIEW_CONFIDENTIAL = "view_confidential_"
_LONGEST_CODENAME = 100
_LONGEST_NAME = 255
_DJANGOS_OWN_CHECKS = (BaseBackend.has_perm, ModelBackend.has_perm)


class Reader(Protocol):
    """What the history needs to know of the user who reads it; every Django user has it."""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the user has a permission: for all objects, or for `obj`."""


def may_read(reader: Reader, model: type[models.Model], *, subject: Any = None) -> bool:
    """Return whether a user may read the history of one subject, or of a whole model.

    `subject` is the record; without it, or if it is deleted, only the permission for the model
    counts. Raises `NotFoundError` if the record does not exist for this reader.
    """
    if subject is not None and is_denied(reader, subject):
        raise NotFoundError("There is no such record.")
    if reader.has_perm(VIEW_EVERYTHING) or _has_permission(reader, view_permission(model), subject):
        return True
    if subject is not None and has_object_permissions():
        permission = f"{model._meta.app_label}.view_{model._meta.model_name}"
        if not _has_permission(reader, permission, subject):
            raise NotFoundError("There is no such record.")
    return False


def may_export(reader: Reader, model: type[models.Model], *, subject: Any = None) -> bool:
    """Return whether a user may export the history of one subject, or of a whole model."""
    return reader.has_perm(EXPORT_EVERYTHING) or _has_permission(
        reader, export_permission(model), subject
    )


def may_undo(reader: Reader, model: type[models.Model] | None, *, subject: Any = None) -> bool:
    """Return whether a user may undo changes on the tab of one subject, or of a whole model.

    None: changes without a subject. To undo one of them also takes the permissions of the
    record's own model; see `allows`.
    """
    if reader.has_perm(UNDO_EVERYTHING):
        return True
    return model is not None and allows(reader, undo_permission(model), subject)


def allows(reader: Reader, permission: str, record: Any) -> bool:
    """Return whether a user has a permission for all records of a model, or for one.

    A backend that raises `PermissionDenied` for the record denies it, even if the user has the
    permission for the whole model.
    """
    if record is not None and not getattr(reader, "is_superuser", False):
        for backend in filter(_answers_for_objects, auth.get_backends()):
            try:
                backend.has_perm(cast("Any", reader), permission, record)
            except PermissionDenied:
                return False
    return _has_permission(reader, permission, record)


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


def may_export_all(reader: Reader) -> bool:
    """Return whether a user may export the history of every subject model that they may read."""
    exportable, readable = exportable_models(reader), readable_models(reader)
    return exportable is None or (readable is not None and {*readable} <= {*exportable})


def subject_models() -> list[type[models.Model]]:
    """Return the models whose rows have a History tab."""
    return [registration.model for registration in registry if registration.is_subject]


def has_object_permissions() -> bool:
    """Return whether the project has a backend with object permissions."""
    return any(_answers_for_objects(backend) for backend in auth.get_backends())


def is_denied(reader: Reader, subject: models.Model) -> bool:
    """Return whether a backend denies access to an object by raising `PermissionDenied`."""
    if getattr(reader, "is_superuser", False):
        return False  # Django does not ask backends about superusers either.
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
    return _permission(model._meta.app_label, f"view_{model._meta.model_name}_history")


def export_permission(model: type[models.Model]) -> str:
    """Return the name of the permission to export the history of records of a model."""
    return _permission(model._meta.app_label, f"export_{model._meta.model_name}_history")


def undo_permission(model: type[models.Model]) -> str:
    """Return the name of the permission to undo changes of records of a model."""
    return _permission(model._meta.app_label, f"undo_{model._meta.model_name}_history")


def confidential_permission(model: type[models.Model], field: str) -> str:
    """Return the name of the permission to see a confidential field unmasked.

    `field` is a field or a key of a JSON field, `udf.color`. Dots become two underscores, which
    the name of a field cannot contain. A name longer than Django allows ends in a digest.
    """
    return confidential_permission_of(model._meta.label_lower, field)


def confidential_permission_of(model: str, field: str) -> str:
    """Return the same for a model that is given by its label, and may be removed."""
    app_label, _, model_name = model.partition(".")
    return _permission(app_label, f"{_VIEW_CONFIDENTIAL}{model_name}_{field.replace('.', '__')}")


@lru_cache(maxsize=1_000)
def confidential_permission_name(model: type[models.Model], field: str, label: str = "") -> str:
    """Return what people call that permission: `Permission.name`.

    `label` is the label that a mark gives the field; empty: the verbose name of the field is used.
    """
    # Like the names of Django's own permissions: stored once, without translation.
    with translation.override(None):
        field_label = label or str(getattr(field_of(model, field), "verbose_name", field))
        return f"Can see the {field_label} of {model._meta.verbose_name} unmasked"[:_LONGEST_NAME]


def _permission(app_label: str, codename: str) -> str:
    if len(codename) > _LONGEST_CODENAME:
        digest = hashlib.sha256(codename.encode()).hexdigest()[:8]
        codename = f"{codename[: _LONGEST_CODENAME - 9]}_{digest}"
    return f"{app_label}.{codename}"


def may_see(reader: Reader, permission: str) -> bool:
    """Return whether a user has a permission for confidential values, or that for all of them."""
    return reader.has_perm(VIEW_EVERY_CONFIDENTIAL_VALUE) or reader.has_perm(permission)


def object_answer(reader: Reader, permission: str, record: models.Model) -> bool | None:
    """Return what backends say about a permission for one object; None: they do not know it."""
    if getattr(reader, "is_superuser", False):
        return None  # Django does not ask backends about superusers either.
    for backend in auth.get_backends():
        if _answers_for_objects(backend):
            try:
                if backend.has_perm(cast("Any", reader), permission, record):
                    return True
            except PermissionDenied:
                return False
    return None


def create_permissions(using: str, *, apps: Apps = apps) -> None:
    """Create the missing permissions for all registrations and marks, in one database.

    `apps` are the models of the moment. After `migrate` of a single app, the tables of content
    types and permissions may not exist yet: a later `migrate` creates the permissions then.
    """
    tables = _tables_of_permissions(using, apps)
    if tables is None or not router.allow_migrate_model(using, tables.permission):
        return
    # Migrations may have changed the rows since they were cached.
    tables.content_type._default_manager.clear_cache()
    has_marks = _has_marks(using)
    marks = list(ConfidentialField.objects.using(using)) if has_marks else []
    if has_marks:
        _follow_renames(using)
    # Permissions are where the users are, whichever database has the rows of a model.
    wanted = {}
    for registration in registry:
        label = registration.model._meta.label_lower
        marked = {mark.field: mark.label for mark in marks if mark.model == label}
        wanted[registration.model] = dict(_permissions(registration, marked))
    _create(using, wanted, tables)


def create_permission_of(mark: ConfidentialField, *, using: str) -> None:
    """Create the permission to see the field that was just marked as confidential."""
    registration = registry.find(mark.model)
    if registration is None:
        return
    for alias in dict.fromkeys([using, router.db_for_write(apps.get_model("auth", "Permission"))]):
        tables = _tables_of_permissions(alias, apps)
        if tables is not None and router.allow_migrate_model(alias, tables.permission):
            codename, name = _confidential(registration.model, mark.field, mark.label)
            _create(alias, {registration.model: {codename: name}}, tables)


def _has_marks(using: str) -> bool:
    # Permissions are created after every `migrate`, even if it did not migrate this app.
    tables = connections[using].introspection.table_names()
    return ConfidentialField._meta.db_table in tables


def _has_permission(reader: Reader, permission: str, subject: Any) -> bool:
    return reader.has_perm(permission) or (
        subject is not None and reader.has_perm(permission, subject)
    )


def _answers_for_objects(backend: object) -> bool:
    check = getattr(type(backend), "has_perm", None)
    return check is not None and check not in _DJANGOS_OWN_CHECKS


def _follow_renames(using: str) -> None:
    """Let users keep the permissions for models and fields that were renamed."""
    permissions = apps.get_model("auth", "Permission")._default_manager.using(using)
    for rename in renames.of(using):
        registration = registry.find(renames.label_now(rename.model, at=rename.id, using=using))
        if registration is None:
            continue
        model = registration.model
        of_model = permissions.filter(content_type=_content_type(using, model))
        for old, new in _renamed_codenames(rename, registration):
            old_one = of_model.filter(codename=old).first() or (
                permissions.filter(
                    codename=old, content_type__app_label=rename.old.partition(".")[0]
                ).first()
                if rename.is_model
                else None
            )
            if old_one is not None and not of_model.filter(codename=new).exists():
                permissions.filter(pk=old_one.pk).update(
                    codename=new, content_type=_content_type(using, model)
                )


def _renamed_codenames(rename: Rename, registration: Registration) -> Iterator[tuple[str, str]]:
    model = registration.model._meta.label_lower
    if not rename.is_model:
        yield (
            _codename(confidential_permission_of(model, rename.old)),
            _codename(confidential_permission_of(model, rename.new)),
        )
        return
    old, new = rename.old.partition(".")[2], model.partition(".")[2]
    yield f"view_{old}_history", f"view_{new}_history"
    yield f"export_{old}_history", f"export_{new}_history"
    marks = ConfidentialField.objects.filter(model=model).values_list("field", flat=True)
    for name in {*registration.confidential, *marks}:
        yield (
            _codename(confidential_permission_of(rename.old, name)),
            _codename(confidential_permission_of(model, name)),
        )


def _content_type(using: str, model: type[models.Model]) -> Any:
    content_types = apps.get_model("contenttypes", "ContentType")._default_manager
    return content_types.db_manager(using).get_for_model(model, for_concrete_model=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    content_type: Any
    permission: Any


def _tables_of_permissions(using: str, apps: Apps) -> _Tables | None:
    """Return the models of content types and permissions, or None if a table does not exist."""
    try:
        found = _Tables(
            content_type=apps.get_model("contenttypes", "ContentType"),
            permission=apps.get_model("auth", "Permission"),
        )
    except LookupError:
        return None
    names = {model._meta.db_table for model in (found.content_type, found.permission)}
    present = connections[using].introspection.table_names()
    return found if names.issubset(present) else None


def _create(
    using: str, wanted: Mapping[type[models.Model], Mapping[str, str]], tables: _Tables
) -> None:
    """Create the permissions of models, given by codename and name, that are missing."""
    content_types = tables.content_type._default_manager.db_manager(using)
    types = content_types.get_for_models(*wanted, for_concrete_models=False)
    manager = tables.permission._default_manager.using(using)
    of_types = manager.filter(content_type__in=types.values()) if len(types) == 1 else manager.all()
    existing = {(one.content_type_id, one.codename): one for one in of_types}
    named = [
        (types[model], codename, name)
        for model, names in wanted.items()
        for codename, name in names.items()
    ]
    manager.bulk_create(
        tables.permission(codename=codename, name=name[:_LONGEST_NAME], content_type=content_type)
        for content_type, codename, name in named
        if (content_type.pk, codename) not in existing
    )
    # Pages name these permissions to readers, who must find them under the same name.
    for content_type, codename, name in named:
        known = existing.get((content_type.pk, codename))
        if known is not None and known.name != name and codename.startswith(_VIEW_CONFIDENTIAL):
            manager.filter(pk=known.pk).update(name=name)


def _permissions(registration: Registration, marked: dict[str, str]) -> Iterator[tuple[str, str]]:
    model = registration.model
    # Like Django's own permissions: the name is stored once, without translation.
    with translation.override(None):
        name = str(model._meta.verbose_name)
        if registration.is_subject:
            yield _codename(view_permission(model)), f"Can view the history of {name}"
            yield _codename(export_permission(model)), f"Can export the history of {name}"
            yield _codename(undo_permission(model)), f"Can undo changes in the history of {name}"
        for field in {**dict.fromkeys(registration.confidential, ""), **marked}:
            yield _confidential(model, field, marked.get(field, ""))


def _confidential(model: type[models.Model], field: str, label: str) -> tuple[str, str]:
    name = confidential_permission_name(model, field, label)
    return _codename(confidential_permission(model, field)), name


def _codename(permission: str) -> str:
    return permission.partition(".")[2]
