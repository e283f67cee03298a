"""Deleted records, rebuilt from the log, so that permission backends can be asked about them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models

from django_customer_history.models import Entry
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import Registration, label_of, registry
from django_customer_history.registration.renames import renames
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import value_type_of

_MOST_ENTRIES = 1_000
"""Entries that are read at most of records that were deleted without an entry about it."""


def deleted_records(label: str, keys: Iterable[str], *, using: str) -> dict[str, models.Model]:
    """Return an unsaved instance for each deleted record of a model, by its key.

    The instance has the values that the log last knew: of its "delete" entry, or of its newest
    entries if it was deleted while nothing was logged. If the log has no values of the field that
    leads to the subject, it has those of the last known subject. A record that the log of the
    database `using` does not know is left out, and so is every record of a model that is not
    registered.
    """
    registration = registry.find(label)
    if registration is None:
        return {}
    wanted = list(keys)
    log = Entry.objects.using(using).filter(
        renames.matching("entity_model", label, using=using), entity_id__in=wanted
    )
    # A deletion has one entry for each subject, and a key can be used and deleted again: the
    # newest entry wins.
    values: dict[str, Mapping[str, str | None]] = {}
    subjects: dict[str, Entry] = {}
    for entry in log.filter(kind="delete").order_by("id"):
        values[entry.entity_id] = _old_values(entry, using)
        subjects[entry.entity_id] = entry
    left = [key for key in wanted if key not in values]
    if left:
        of_rows = log.filter(entity_id__in=left).exclude(kind__in=("add", "remove"))
        newest = list(of_rows.newest_first()[:_MOST_ENTRIES])
        values |= _last_values(newest, using)
        for entry in newest:
            subjects.setdefault(entry.entity_id, entry)
    rebuilt = {key: _rebuilt(registration.model, key, of_key) for key, of_key in values.items()}
    found = {key: record for key, record in rebuilt.items() if record is not None}
    for key, record in found.items():
        _link_to_subject(record, registration, subjects[key])
    return found


def _old_values(entry: Entry, using: str) -> dict[str, str | None]:
    changes = renames.translate(entry, using=using).changes
    return {name: old for name, (old, _new) in changes.items()}


def _last_values(entries: Iterable[Entry], using: str) -> dict[str, Mapping[str, str | None]]:
    """Return the newest values by key; the newest entries come first."""
    values: dict[str, dict[str, str | None]] = defaultdict(dict)
    for entry in entries:
        if entry.kind == "event" and not entry.is_baseline:
            continue
        for name, (_old, new) in renames.translate(entry, using=using).changes.items():
            values[entry.entity_id].setdefault(name, new)
    return dict(values)


def _rebuilt(
    model: type[models.Model], key: str, values: Mapping[str, str | None]
) -> models.Model | None:
    try:
        record = model(pk=model._meta.pk.to_python(key))
    except (ValidationError, ValueError, TypeError):
        return None
    for name, text in values.items():
        field: Any = field_of(model, name)
        if field is not None and field.concrete and not field.many_to_many and text is not None:
            value_type = value_type_of(field, use_tz=settings.USE_TZ)
            setattr(record, field.attname, decode(text, value_type))
    return record


def _link_to_subject(record: models.Model, registration: Registration, entry: Entry) -> None:
    """Set the field that leads to the subject of an entry, if the log has no value of it.

    With several paths to subjects it is not certain which of them led to this one.
    """
    label, key = entry.subject_model, entry.subject_id
    if label is None or key is None or len(registration.subject) > 1:
        return
    try:
        for path in registration.subject:
            field = registration.model._meta.get_field(path)
            if isinstance(field, GenericForeignKey):
                _link_generically(record, field, label, key)
            elif isinstance(field, models.ForeignKey):
                _link(record, field, label, key)
    except (FieldDoesNotExist, LookupError, ValidationError):
        return  # A longer path, or a model or a key that does not exist any more.


def _link(record: models.Model, field: Any, label: str, key: str) -> None:
    target = field.target_field
    is_of_subject = target.primary_key and label_of(target.model) == label
    if is_of_subject and getattr(record, field.attname) is None:
        setattr(record, field.attname, target.to_python(key))


def _link_generically(record: models.Model, field: GenericForeignKey, label: str, key: str) -> None:
    content_type: Any = record._meta.get_field(field.ct_field)
    held: Any = record._meta.get_field(field.fk_field)
    if None not in (getattr(record, content_type.attname), getattr(record, held.attname)):
        return
    of_subject = ContentType.objects.get_for_model(
        apps.get_model(label), for_concrete_model=field.for_concrete_model
    )
    setattr(record, content_type.attname, of_subject.pk)
    setattr(record, held.attname, held.to_python(key))
