"""Records loaded by their keys, also those that a project's own managers hide."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models

from django_customer_history.access.field_access import field_of
from django_customer_history.models import Entry
from django_customer_history.registration.registry import label_of, registry

KeysByModel = Mapping[tuple[str, str], Iterable[str]]
"""The keys of records, by the label of the model and the attribute that holds the key."""


def records_of(wanted: KeysByModel, *, near: Entry | None) -> dict[tuple[str, str], list[Any]]:
    """Return the records with the wanted keys, with one statement for each model.

    `near` is an entry that names them: routers get it as the hint `instance`, so that the
    records come from the database that belongs to the log. Unknown models and keys that do not
    fit the model are left out.
    """
    found = {}
    for (label, key), values in wanted.items():
        records = _queryset(label, key, values, near)
        if records is not None:
            found[label, key] = list(records)
    return found


def current_label(record: models.Model) -> str:
    """Return the label that a record has now: the registered label fields, else its `str()`."""
    registration = registry.find(label_of(type(record)))
    if registration is None or not registration.label:
        return str(record)
    texts = (getattr(record, name, None) for name in registration.label)
    return " ".join(str(text) for text in texts if text not in (None, ""))


def _queryset(
    label: str, key: str, values: Iterable[str], near: Entry | None
) -> "models.QuerySet[models.Model] | None":
    try:
        model = apps.get_model(label)
    except LookupError:
        return None
    field = model._meta.pk if key == "pk" else field_of(model, key)
    fitting = [value for value in values if _is_key(field, value)]
    if not fitting:
        return None
    # The base manager, as a project's default manager may hide archived records.
    manager = model._base_manager.db_manager(hints={"instance": near} if near else {})
    records: models.QuerySet[models.Model] = manager.filter(**{f"{key}__in": fitting})
    related = _related_for_label(model)
    return records.select_related(*related) if related else records


def _related_for_label(model: type[models.Model]) -> list[str]:
    """Return the relations that the label or the URL of a record may use.

    A model's own `__str__` or `get_absolute_url` may follow any of its foreign keys. Without
    `select_related` each record would then cost a statement of its own.
    """
    registration = registry.find(model._meta.label_lower)
    related = [field.name for field in model._meta.fields if field.is_relation]
    if registration is None or not registration.label or hasattr(model, "get_absolute_url"):
        return related
    return [name for name in related if name in registration.label]


def _is_key(field: Any, value: str) -> bool:
    try:
        field.to_python(value)
    except (ValidationError, ValueError):
        return False
    return True
