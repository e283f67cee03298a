"""Records that are gone, as the log knew them last: for backends to be asked about."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from django_customer_history.models import Entry
from django_customer_history.registration.registry import registry
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import value_type_of


def deleted_records(label: str, keys: Iterable[str], *, using: str) -> dict[str, models.Model]:
    """Return a stand-in for each record that was deleted, by its key.

    It is not in the database; it bears what the record held last, as far as that was logged.
    A record whose deletion the log does not know has none.
    """
    registration = registry.find(label)
    if registration is None:
        return {}
    deletions = Entry.objects.using(using).filter(
        entity_model=label, entity_id__in=list(keys), kind="delete"
    )
    # One row may have several entries of its deletion, and several deletions under one key.
    return {
        entry.entity_id: _stand_in(registration.model, entry) for entry in deletions.order_by("id")
    }


def _stand_in(model: type[models.Model], entry: Entry) -> models.Model:
    record = model(pk=model._meta.pk.to_python(entry.entity_id))
    for name, (old, _) in entry.changes.items():
        field = _field(model, name)
        if field is not None and old is not None:
            setattr(
                record, field.attname, decode(old, value_type_of(field, use_tz=settings.USE_TZ))
            )
    return record


def _field(model: type[models.Model], name: str) -> Any:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None  # It is gone from the model, or a key of a JSON field.
    return field if getattr(field, "concrete", False) and not field.many_to_many else None
