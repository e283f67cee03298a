"""A row as the log tells that it was at a moment, for code: nothing is masked."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from django_customer_history.keys import highest_uuid_at
from django_customer_history.point_in_time.states import (
    RecordState,
    StateChange,
)
from django_customer_history.registration.registry import registry
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import (
    encode,
    value_type_of,
)
from django_customer_history.values.types import ValueType

Text = str | None


def state_of(model: type[models.Model], key: object, moment: datetime) -> dict[str, Any] | None:
    """Return what a row held at a moment, by field; None: it was not there.

    Raises `NotRegisteredError` for a model without history.
    """
    tracked = registry.of(model._meta.concrete_model or model)
    registered = tracked.model
    log = apps.get_model("customer_history", "Entry")
    entries = log._default_manager.of_entity(registered, encode(key))
    place = highest_uuid_at(moment)
    state = RecordState[Text]()
    for told in _told(registered, entries.filter(id__lte=place)):
        state.look_back(told)
        if state.is_complete:
            break
    else:
        for told in _told(registered, entries.filter(id__gt=place)):
            state.look_ahead(told)
    state.settle()
    if not state.exists:
        return None
    values = {name: _value(registered, name, text) for name, text in state.values.items()}
    for name, linked in state.links.items():
        values[name] = [_key(registered, name, text) for text in linked]
    if state.is_complete:
        values = {**dict.fromkeys(_tracked(registered)), **values}
    fields = registered._meta.concrete_fields
    secret = {field.name for field in fields if registry.keeps_secret(tracked, field)}
    return {name: value for name, value in values.items() if name not in secret}


def _tracked(model: type[models.Model]) -> Iterator[str]:
    """Yield the fields that are null where a complete row has no value of them."""
    registration = registry.of(model)
    for field in model._meta.concrete_fields:
        is_tracked = registration.tracks(
            field.name, auto_now=bool(getattr(field, "auto_now", False))
        )
        if is_tracked and not field.primary_key and field.name not in registration.json_keys:
            yield field.name


def _told(model: type[models.Model], entries: Any) -> Iterator[StateChange[Text]]:
    for entry in entries.order_by("-id").iterator(chunk_size=500):
        links = {
            name: (new if new is not None else old or "", new if new is not None else old)
            for name, (old, new) in entry.changes.items()
            if _is_relation(model, name)
        }
        is_link = entry.kind in ("add", "remove") or entry.is_baseline
        yield StateChange(
            kind=entry.kind,
            is_baseline=entry.is_baseline,
            changes={name: (old, new) for name, (old, new) in entry.changes.items()},
            links=links if is_link else {},
        )


def _is_relation(model: type[models.Model], name: str) -> bool:
    try:
        return bool(model._meta.get_field(name).many_to_many)
    except FieldDoesNotExist:
        return False


def _value(model: type[models.Model], name: str, text: Text) -> Any:
    root, _, path = name.partition(".")
    try:
        field: Any = model._meta.get_field(root)
    except FieldDoesNotExist:
        return text
    return decode(text, ValueType.JSON if path else value_type_of(field, use_tz=settings.USE_TZ))


def _key(model: type[models.Model], name: str, text: Text) -> Any:
    target: Any = model._meta.get_field(name).related_model
    return decode(text, value_type_of(target._meta.pk, use_tz=settings.USE_TZ))
