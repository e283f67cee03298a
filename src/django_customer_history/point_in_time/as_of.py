"""A row as it was at a moment, for code: without permissions and masks."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models

from django_customer_history.keys import highest_uuid_at
from django_customer_history.point_in_time.fields import is_many_to_many, state_fields
from django_customer_history.point_in_time.states import RecordState, StateChange
from django_customer_history.registration.fields import field_of, secret_fields
from django_customer_history.registration.registry import registry
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import value_type_of
from django_customer_history.values.types import ValueType

Text = str | None


def state_of(model: type[models.Model], key: object, moment: datetime) -> dict[str, Any] | None:
    """Return the fields of a row at a moment, or None if it did not exist.

    `key` is the primary key, `moment` a datetime; a naive one is in UTC. Values are Python
    values, with datetimes in UTC; many-to-many fields are lists of keys. The value of a field
    that is not a field of the model any more is text. Secret fields are left out, and so are
    fields that were set before tracking began and did not change since.

    Raises `NotRegisteredError` if the model is not registered.
    """
    registration = registry.of(model._meta.concrete_model or model)
    registered = registration.model
    log = apps.get_model("customer_history", "Entry")
    entries = log._default_manager.of_entity(registered, key)
    last = highest_uuid_at(moment)
    state = RecordState[Text]()
    for change in _changes(registered, entries.filter(id__lte=last)):
        state.look_back(change)
        if state.is_complete:
            break
    else:
        for change in _changes(registered, entries.filter(id__gt=last)):
            state.look_ahead(change)
    state.settle()
    if not state.exists:
        return None
    values = {name: _value(registered, name, text) for name, text in state.values.items()}
    for name, linked in state.links.items():
        values[name] = [_key(registered, name, text) for text in linked]
    if state.is_complete:
        values = {**dict.fromkeys(state_fields(registration)), **values}
    secret = {field.name for field in secret_fields(registration)}
    return {name: value for name, value in values.items() if name not in secret}


def _changes(model: type[models.Model], entries: Any) -> Iterator[StateChange[Text]]:
    for entry in entries.order_by("-id").iterator(chunk_size=500):
        links = {
            name: (new if new is not None else old or "", new if new is not None else old)
            for name, (old, new) in entry.changes.items()
            if is_many_to_many(model, name)
        }
        is_link = entry.kind in ("add", "remove") or entry.is_baseline
        yield StateChange(
            kind=entry.kind,
            is_baseline=entry.is_baseline,
            changes={name: (old, new) for name, (old, new) in entry.changes.items()},
            links=links if is_link else {},
        )


def _value(model: type[models.Model], name: str, text: Text) -> Any:
    root, _, path = name.partition(".")
    field = field_of(model, root)
    if field is None:
        return text
    return decode(text, ValueType.JSON if path else value_type_of(field, use_tz=settings.USE_TZ))


def _key(model: type[models.Model], name: str, text: Text) -> Any:
    target: Any = model._meta.get_field(name).related_model
    return decode(text, value_type_of(target._meta.pk, use_tz=settings.USE_TZ))
