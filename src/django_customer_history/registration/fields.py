"""Fields of tracked models: found by name, the secret ones, and those that make up a label."""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from django_customer_history.registration.registry import Registration, registry
from django_customer_history.registration.subject_paths import label_parts
from django_customer_history.values.encoding import AnyField


def field_of(model: type[models.Model], name: str) -> Any:
    """Return the field of a model, or None if the model has no field with that name.

    Reverse relations are not fields of the model. The log can name fields that were removed
    since, and keys of JSON fields (`udf.color`): for these the answer is None, too.
    """
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, models.Field) else None


def secret_fields(registration: Registration) -> list[AnyField]:
    """Return the fields of a registered model whose values never reach the log."""
    fields = registration.model._meta.concrete_fields
    return [field for field in fields if registry.keeps_secret(registration, field)]


def is_logged(registration: Registration, field: "AnyField | None") -> bool:
    """Return whether changes of a column are logged; None is a column without a model field."""
    if field is None:
        return registration.only is None
    return registration.tracks(field.name, auto_now=bool(getattr(field, "auto_now", False)))


def is_part_of_key(field: AnyField) -> bool:
    """Return whether a field is the primary key of its model or of a parent, or a part of it."""
    return bool(field.primary_key) or field in field.model._meta.pk_fields


def label_paths(registration: Registration) -> list[str]:
    """Return the paths to the fields that make up a label, as the triggers read them."""
    return [
        part.path
        for part in label_parts(registration, registry)
        if not registry.keeps_secret(registration, part.field)
    ]


def label_text(
    record: models.Model, names: Iterable[str], *, text: Callable[[Any], str | None]
) -> str:
    """Return the label of a record: the texts of its label fields, joined by blanks.

    `text` turns a value into text: `encode` for a label in the log, as triggers write it, `str`
    for a label that people read. Empty values are left out. A name may be a path over foreign keys,
    such as `field__label`.
    """
    values = (_value_at(record, name) for name in names)
    texts = (text(value) for value in values if value is not None)
    return " ".join(one for one in texts if one)


def _value_at(record: Any, path: str) -> Any:
    for name in path.split("__"):
        record = getattr(record, name, None)
    return record
