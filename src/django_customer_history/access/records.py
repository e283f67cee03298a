"""Records loaded by their keys, including those that a project's own managers hide."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models

from django_customer_history.models import Entry
from django_customer_history.registration.fields import (
    field_of,
    label_paths,
    label_text,
)
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.registration.subject_paths import label_parts
from django_customer_history.values.encoding import encode
from django_customer_history.values.python_values import python_key, python_value

KeysByModel = Mapping[tuple[str, str], Iterable[str]]
"""Keys of records, by the label of the model and the attribute that holds the key."""


def records_of(
    keys: KeysByModel, *, entry: Entry | None, loaded: Sequence[models.Model] = ()
) -> dict[tuple[str, str], list[Any]]:
    """Return the records with these keys, with one statement for each model.

    `entry` is an entry that refers to them: database routers get it as the hint `instance`, so
    that the records come from the database that belongs to the log. Unknown models, and keys
    that are not valid for the model, are left out. Foreign keys to records that are `loaded`, such
    as those of invoices to their customer, get these and need no join.
    """
    records = {}
    known = {(label_of(type(one)), one.pk): one for one in loaded}
    for (label, attribute), values in keys.items():
        queryset = _queryset(label, attribute, values, entry)
        if queryset is not None:
            records[label, attribute] = _with_related(queryset, known)
    return records


def current_label(record: models.Model) -> str | None:
    """Return the label that a record has now: the registered label fields, else its `str()`.

    None if the project's own `__str__`, of the record or of a related one, raises an error.
    """
    registration = registry.find(label_of(type(record)))
    try:
        if registration is None or not registration.label:
            return str(record)
        return label_text(record, label_paths(registration), text=str)
    except Exception:  # noqa: BLE001 - whatever it raises, the other entries can be read
        return None


def stored_label(record: models.Model) -> str | None:
    """Return the label that the log would get of a record now; None: no label fields."""
    registration = registry.find(label_of(type(record)))
    if registration is None or not registration.label:
        return None
    try:
        return label_text(record, label_paths(registration), text=encode)[:255]
    except Exception:  # noqa: BLE001 - as above
        return None


def _queryset(
    label: str, attribute: str, values: Iterable[str], entry: Entry | None
) -> "models.QuerySet[models.Model] | None":
    try:
        model = apps.get_model(label)
    except LookupError:
        return None
    field = model._meta.pk if attribute == "pk" else field_of(model, attribute)
    read = partial(python_key, model) if attribute == "pk" else partial(python_value, field)
    valid = [read(value) for value in values if _is_valid(field, value)]
    if not valid:
        return None
    # The base manager: the project's default manager may hide archived records.
    manager = model._base_manager.db_manager(hints={"instance": entry} if entry else {})
    # The order of the model would only be more SQL.
    records: models.QuerySet[models.Model] = manager.filter(**{f"{attribute}__in": valid})
    return records.order_by()


def _with_related(
    queryset: "models.QuerySet[models.Model]", known: Mapping[tuple[str, Any], models.Model]
) -> list[models.Model]:
    """Return the records of a queryset with the related ones that their labels may use."""
    names = _related_for_label(queryset.model)
    labels = {label for label, _ in known}
    shared = [
        field
        for name in names
        if (field := _foreign_key(queryset.model, name)) is not None
        and label_of(field.related_model) in labels
        and not any(other.startswith(f"{name}__") for other in names)
    ]
    joined = [name for name in names if name not in {field.name for field in shared}]
    records = list(queryset.select_related(*joined) if joined else queryset)
    for field in shared:
        _link(records, field, known, using=queryset.db)
    return records


def _foreign_key(model: type[models.Model], name: str) -> Any:
    """Return a field that refers to another record by its primary key; or None."""
    field: Any = None if "__" in name else model._meta.get_field(name)
    is_key = field is not None and field.many_to_one and field.concrete
    return field if is_key and field.target_field.primary_key else None


def _link(
    records: Sequence[models.Model],
    field: Any,
    known: Mapping[tuple[str, Any], models.Model],
    *,
    using: str,
) -> None:
    """Give records the related ones that are known, and load the others with one statement."""
    label = label_of(field.related_model)
    values = {getattr(record, field.attname) for record in records}
    missing = [one for one in values if one is not None and (label, one) not in known]
    found = field.related_model._base_manager.using(using).in_bulk(missing) if missing else {}
    for record in records:
        value = getattr(record, field.attname)
        related = known.get((label, value)) or found.get(value)
        if related is not None:
            field.set_cached_value(record, related)


def _related_for_label(model: type[models.Model]) -> list[str]:
    """Return the relations that the label or the URL of a record may use.

    A model's own `__str__` or `get_absolute_url` may follow any of its foreign keys. Without
    `select_related` each record would then cost a statement of its own.
    """
    registration = registry.find(model._meta.label_lower)
    related = [field.name for field in model._meta.fields if field.is_relation]
    if registration is None or not registration.label or hasattr(model, "get_absolute_url"):
        return related
    followed = (
        [*part.foreign_keys, *([part.field] if part.field.is_relation else [])]
        for part in label_parts(registration, registry)
    )
    return list(dict.fromkeys("__".join(one.name for one in keys) for keys in followed if keys))


def _is_valid(field: Any, value: str) -> bool:
    try:
        field.to_python(value)
    except (ValidationError, ValueError):
        return False
    return True
