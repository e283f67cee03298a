"""System checks of confidential and secret fields, and of marks."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core import checks
from django.db import connections, models, router

from django_customer_history.exceptions import did_you_mean
from django_customer_history.models import ConfidentialField
from django_customer_history.registration.fields import field_of, is_logged, is_part_of_key
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.registration.subject_paths import label_parts


def check_confidential(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E005 and E010: registrations that show a value that they hide."""
    found: list[checks.CheckMessage] = []
    for registration in registry:
        found += _secrets_in_labels(registration)
        found += _confidential_keys(registration)
    return found


def check_probable_secrets(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W050: values that look like tokens, keys or passwords, and are logged in clear."""
    return [message for registration in registry for message in _probable_secrets(registration)]


def check_marks(
    *, databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[checks.CheckMessage]:
    """W051: marks of models, fields or keys that do not exist, so that they hide nothing."""
    found: list[checks.CheckMessage] = []
    for alias in databases or ():
        if router.allow_migrate_model(alias, ConfidentialField) and _has_marks(alias):
            found += _marks_of_nothing(alias)
    return found


def _has_marks(alias: str) -> bool:
    tables = connections[alias].introspection.table_names()
    return ConfidentialField._meta.db_table in tables


def _marks_of_nothing(alias: str) -> Iterator[checks.CheckMessage]:
    for mark in ConfidentialField.objects.using(alias).order_by("pk"):
        problem = _problem_of(mark)
        if problem:
            yield checks.Warning(
                f"The confidential field {mark} in database {alias!r} hides nothing: {problem}",
                hint="Correct or remove it in the admin, under Confidential fields. Values that"
                " were recorded under it stay masked.",
                obj=ConfidentialField,
                id="customer_history.W051",
            )


def _problem_of(mark: ConfidentialField) -> str:
    registration = registry.find(mark.model)
    if registration is None:
        known = [one.model._meta.label_lower for one in registry]
        return f"{mark.model!r} is not a registered model.{did_you_mean(mark.model, known)}"
    root, _, path = mark.field.partition(".")
    field = field_of(registration.model, root)
    if field is None:
        names = [one.name for one in registration.model._meta.get_fields()]
        return f"field {root!r} does not exist.{did_you_mean(root, names)}"
    if path and not isinstance(field, models.JSONField):
        return f"field {root!r} is not a JSON field, so it has no keys."
    return ""


def _probable_secrets(registration: Registration) -> Iterator[checks.CheckMessage]:
    """Yield a warning for each logged text field whose name is that of a token or a password."""
    for field in _clear_fields(registration):
        if _SECRET_NAME.search(field.name) and not _HARMLESS_NAME.search(field.name):
            yield checks.Warning(
                f"{registration.model._meta.label}: field {field.name!r} looks like a token, a key"
                " or a password, and its values are logged in clear.",
                hint=f'Add secret="{field.name}" to the registration, or leave it out with exclude.'
                " If its values may be read, silence this warning: SILENCED_SYSTEM_CHECKS ="
                ' ["customer_history.W050"].',
                obj=registration.model,
                id="customer_history.W050",
            )


def _clear_fields(registration: Registration) -> "Iterable[models.Field[Any, Any]]":
    return (
        field
        for field in registration.model._meta.concrete_fields
        if isinstance(field, _TEXTS)
        and not (field.primary_key or field.choices)
        and is_logged(registration, field)
        and not registry.keeps_secret(registration, field)
        and field.name not in registration.confidential
    )


_TEXTS = (
    models.CharField,
    models.TextField,
    models.BinaryField,
    models.UUIDField,
    models.JSONField,
)

_SECRET_NAME = re.compile(
    r"token|secret(?!ar)|passw|passphrase|passcode|pwd|(^|_)(pass|passkey|otp|pin_?code)($|_)"
    r"|api_?key|access_?key|private_?key|signing_?key|encryption_?key|auth_?key|ssh_?key"
    r"|credential|bearer",
    re.IGNORECASE,
)
_HARMLESS_NAME = re.compile(
    r"_(type|kind|count|name|label|status|state|scopes?|url|uri)$", re.IGNORECASE
)


def _confidential_keys(registration: Registration) -> Iterator[checks.CheckMessage]:
    for name in registration.confidential:
        field = field_of(registration.model, name)
        if field is not None and is_part_of_key(field):
            yield checks.Error(
                f"{registration.model._meta.label}: field {name!r} in confidential is part of the"
                " primary key, which every entry, link and URL shows.",
                hint="Move the confidential value to another field, and use another primary key.",
                obj=registration.model,
                id="customer_history.E010",
            )


def _secrets_in_labels(registration: Registration) -> Iterator[checks.CheckMessage]:
    for part in label_parts(registration, registry):
        name = part.name
        if registry.keeps_secret(registration, part.field):
            yield checks.Error(
                f"{registration.model._meta.label}: field {name!r} in label is secret, and labels"
                " are shown.",
                hint="Use another field as label.",
                obj=registration.model,
                id="customer_history.E005",
            )
