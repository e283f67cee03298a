"""Deleted records, rebuilt from the log, so that permission backends can be asked about them."""

from collections.abc import Iterable

from django.conf import settings
from django.db import models

from django_customer_history.models import Entry
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import value_type_of


def deleted_records(label: str, keys: Iterable[str], *, using: str) -> dict[str, models.Model]:
    """Return an unsaved instance for each deleted record of a model, by its key.

    The instance has the values that the log last knew. A record without a "delete" entry in the
    log of the database `using` is left out; so is every record of a model that is not registered.
    """
    registration = registry.find(label)
    if registration is None:
        return {}
    deletions = Entry.objects.using(using).filter(
        entity_model=label, entity_id__in=list(keys), kind="delete"
    )
    # A deletion has one entry for each subject, and a key can be used and deleted again: the
    # newest entry wins.
    return {
        entry.entity_id: _rebuilt(registration.model, entry) for entry in deletions.order_by("id")
    }


def _rebuilt(model: type[models.Model], entry: Entry) -> models.Model:
    record = model(pk=model._meta.pk.to_python(entry.entity_id))
    for name, (old, _) in entry.changes.items():
        field = field_of(model, name)
        if field is not None and field.concrete and not field.many_to_many and old is not None:
            value_type = value_type_of(field, use_tz=settings.USE_TZ)
            setattr(record, field.attname, decode(old, value_type))
    return record
