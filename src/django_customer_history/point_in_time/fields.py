"""Which fields of a record have a state at a point in time."""

from django.db import models

from django_customer_history.registration.fields import field_of, is_logged, is_part_of_key
from django_customer_history.registration.registry import Registration


def state_fields(registration: Registration) -> list[str]:
    """Return the fields that are logged as a whole, in the order of the model.

    The key is not among them, nor are JSON fields that are logged key by key: the log decides
    which keys these have.
    """
    meta = registration.model._meta
    return [
        field.name
        for field in meta.concrete_fields
        if not is_part_of_key(field)
        and field.name not in registration.json_keys
        and is_logged(registration, field)
    ]


def is_many_to_many(model: type[models.Model], name: str) -> bool:
    """Return whether `name` is a many-to-many field of a model."""
    field = field_of(model, name)
    return field is not None and bool(field.many_to_many)
