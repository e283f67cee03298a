"""A row as it was at a moment, for code: without permissions and masks."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import models

from django_customer_history.keys import highest_uuid_at
from django_customer_history.point_in_time.fields import is_many_to_many, state_fields
from django_customer_history.point_in_time.states import RecordState, StateChange
from django_customer_history.registration.fields import field_of, secret_fields
from django_customer_history.registration.own_models import own_model
from django_customer_history.registration.registry import registry
from django_customer_history.registration.renames import renames
from django_customer_history.values.decoding import decode
from django_customer_history.values.python_values import python_key, python_value
from django_customer_history.values.types import ValueType

Text = str | None


def state_of(
    model: type[models.Model],
    key: object,
    moment: datetime,
    *,
    record: models.Model | None = None,
) -> dict[str, Any] | None:
    """Return the fields of a row at a moment, or None if it did not exist.

    `key` is the primary key, `moment` a datetime; a naive one is in the zone of the setting
    `TIME_ZONE`. `record` is the row as it is now, if there is one: the log is read from its
    database. Values are those that the ORM returns; many-to-many fields are lists of keys, and
    a JSON field that is logged by its keys is one dict. The value of a field that is not a field
    of the model any more is text. Secret fields are left out, and so are fields that were set
    before tracking began and did not change since.

    Raises `NotRegisteredError` if the model is not registered.
    """
    registration = registry.of(model._meta.concrete_model or model)
    registered = registration.model
    log = own_model("Entry")
    beside = registered if record is None else record
    entries = log._default_manager.all().beside(beside).of_entity(registered, key)
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
    values = _values(registered, state.values)
    for name, linked in state.links.items():
        values[name] = [_key(registered, name, text) for text in linked]
    if state.is_complete:
        values = {**dict.fromkeys(state_fields(registration)), **values}
    secret = {field.name for field in secret_fields(registration)}
    return {name: value for name, value in values.items() if name not in secret}


def _changes(model: type[models.Model], entries: Any) -> Iterator[StateChange[Text]]:
    for stored in entries.order_by("-id").iterator(chunk_size=500):
        entry = renames.translate(stored, using=entries.db)
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


def _values(model: type[models.Model], texts: Mapping[str, Text]) -> dict[str, Any]:
    """Return the values of the fields; `texts` has the newest first."""
    values: dict[str, Any] = {}
    closed = set()
    for name, text in texts.items():
        root, _, key = name.partition(".")
        field = field_of(model, root)
        if field is None:
            values[name] = text
        elif key:
            # Keys that are older than a change of the whole field are part of that change.
            values.setdefault(root, {})
            if root not in closed:
                values[root][key] = text
        else:
            values[root] = _whole(field, text, newer=values.get(root))
            closed.add(root)
    return {
        name: _from_keys(value) if name not in closed and isinstance(value, dict) else value
        for name, value in values.items()
    }


def _whole(field: Any, text: Text, *, newer: Any) -> Any:
    """Return the value of a field, with the keys that have changed since."""
    value = python_value(field, text)
    if not isinstance(newer, dict):
        return value
    known = value if isinstance(value, dict) else {}
    kept = {name: one for name, one in known.items() if name not in newer}
    return {**kept, **_from_keys(newer)}


def _from_keys(texts: Mapping[str, Text]) -> dict[str, Any]:
    """Return the members of an object. A key without a text was removed."""
    return {key: decode(text, ValueType.JSON) for key, text in texts.items() if text is not None}


def _key(model: type[models.Model], name: str, text: Text) -> Any:
    target: Any = model._meta.get_field(name).related_model
    return None if text is None else python_key(target, text)
