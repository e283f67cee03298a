"""The labels and URLs of the records that entries refer to, as one reader may see them.

The records of each model are loaded with one statement, as Django would load them, so that a
model's own `__str__` and `get_absolute_url` work. Deleted records have the last label that the
log has for them; one more statement reads these labels.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import unquote

from django.apps import apps
from django.db import connections, models
from django.urls import NoReverseMatch
from django.utils.text import capfirst

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.permissions import has_object_permissions, is_denied
from django_customer_history.access.records import KeysByModel, current_label, records_of
from django_customer_history.labels import OWN_MODEL_LABELS
from django_customer_history.models import Entry
from django_customer_history.reading.entries import RecordName
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.values.encoding import key_text


def model_text(model: str) -> str:
    """Return what a record of a model is called; if the model was removed, the model's label."""
    try:
        return str(apps.get_model(model)._meta.verbose_name)
    except (LookupError, ValueError):
        return str(OWN_MODEL_LABELS.get(model, model))


def model_title(model: str) -> str:
    """Return the same with a capital first letter; the label of a removed model stays as it is."""
    text = model_text(model)
    return text if text == model else str(capfirst(text))


class RecordLabels:
    """The labels and URLs of the records that some entries refer to.

    A record is identified by the label of its model, an attribute of the model (`pk`, or the
    `to_field` of a foreign key) and the value of that attribute, as text.
    """

    def __init__(
        self, entries: Sequence[Entry], access: FieldAccess, *, loaded: Sequence[models.Model] = ()
    ) -> None:
        self._access = access
        self._positions: dict[str, Mapping[str, int]] = {}
        self._labels: dict[tuple[str, str, str], str | None] = {}
        self._names_and_urls: dict[tuple[str, str], tuple[str, str | None]] = {}
        self._records: dict[tuple[str, str, str], models.Model | None] = {
            (label_of(type(record)), "pk", key_text(record)): record for record in loaded
        }
        referenced = self._referenced(entries)
        self._load(referenced, entries)
        self._last_labels = last_labels(self._deleted(referenced), using=access.using)
        self._remove_denied()

    def label(self, model: str, value: str, *, attribute: str = "pk") -> str | None:
        """Return the label that a record has now or, if it is deleted, had last."""
        record = (model, attribute, value)
        if record not in self._labels:
            self._labels[record] = self._find_label(*record)
        return self._labels[record]

    def record(self, model: str, key: str) -> models.Model | None:
        """Return a record, or None if it is deleted or was not loaded."""
        return self._records.get((model, "pk", key))

    def record_name(self, model: str, key: str, label: str | None) -> RecordName:
        """Return a record with this label, as an entry shows it."""
        if (model, key) not in self._names_and_urls:
            self._names_and_urls[model, key] = model_text(model), self._url(model, key)
        name, url = self._names_and_urls[model, key]
        return RecordName(model=model, id=key, label=label, name=name, url=url)

    def positions(self, model: str) -> Mapping[str, int]:
        """Return the positions of a model's fields in the order of the model."""
        if model not in self._positions:
            registration = registry.find(model)
            fields = registration.model._meta.get_fields() if registration else []
            self._positions[model] = {field.name: number for number, field in enumerate(fields)}
        return self._positions[model]

    def _find_label(self, model: str, attribute: str, value: str) -> str | None:
        key = (model, attribute, value)
        record = self._records.get(key)
        if record is not None:
            return self._access.label(model, current_label(record), record=record)
        if key in self._records:
            return None  # The reader may not know of the record.
        return self._access.label(model, self._last_labels.get((model, value)))

    def _url(self, model: str, key: str) -> str | None:
        record: Any = self.record(model, key)
        if not hasattr(record, "get_absolute_url"):
            return None
        try:
            url = str(record.get_absolute_url())
        except NoReverseMatch:
            return None  # The project has no page for this record.
        return None if self._access.has_hidden_value(unquote(url), record=record) else url

    def _referenced(self, entries: Iterable[Entry]) -> dict[tuple[str, str], set[str]]:
        """Return the keys of all records that the entries refer to."""
        keys: dict[tuple[str, str], set[str]] = defaultdict(set)
        for entry in entries:
            if entry.subject_model and entry.subject_id:
                keys[entry.subject_model, "pk"].add(entry.subject_id)
            if _has_url(entry.entity_model):
                keys[entry.entity_model, "pk"].add(entry.entity_id)
            for name, values in entry.changes.items():
                rule = self._access.rule(entry, name)
                if not rule.is_hidden and (target := target_of(rule.field)):
                    keys[target].update(value for value in values if value is not None)
        return keys

    def _load(self, referenced: KeysByModel, entries: Sequence[Entry]) -> None:
        not_loaded = {
            (model, attribute): [
                value for value in values if (model, attribute, value) not in self._records
            ]
            for (model, attribute), values in referenced.items()
        }
        loaded = records_of(not_loaded, entry=entries[0] if entries else None)
        for (model, attribute), records in loaded.items():
            for record in records:
                self._records[model, attribute, key_text(getattr(record, attribute))] = record

    def _deleted(self, referenced: KeysByModel) -> list[tuple[str, str]]:
        return [
            (model, value)
            for (model, attribute), values in referenced.items()
            for value in values
            if attribute == "pk" and (model, attribute, value) not in self._records
        ]

    def _remove_denied(self) -> None:
        if not has_object_permissions():
            return
        for key, record in self._records.items():
            if record is not None and is_denied(self._access.reader, record):
                self._records[key] = None


def target_of(field: Any) -> tuple[str, str] | None:
    """Return the model that a field refers to, and the attribute that it refers by; or None."""
    related = getattr(field, "related_model", None)
    if related is None:
        return None
    target = getattr(field, "target_field", None) if field.many_to_one else None
    is_key = target is None or target.primary_key
    return label_of(related), "pk" if is_key else str(getattr(target, "attname", ""))


def _has_url(model: str) -> bool:
    registration = registry.find(model)
    return registration is not None and hasattr(registration.model, "get_absolute_url")


def last_labels(records: Sequence[tuple[str, str]], *, using: str) -> dict[tuple[str, str], str]:
    """Return the last label that the log has for each record, given by model and key.

    Records without a label in the log are left out. Without registered records there is no
    statement.
    """
    logged = [record for record in records if registry.find(record[0]) is not None]
    labels = {}
    for start in range(0, len(logged), _MOST_TERMS):
        some = logged[start : start + _MOST_TERMS]
        sql = _LAST_LABELS.format(records=_RECORD * len(some))
        with connections[using].cursor() as cursor:
            cursor.execute(sql, list(chain.from_iterable(some)))
            labels.update(
                {
                    (model, key): label
                    for model, key, label in cursor.fetchall()
                    if label is not None
                }
            )
    return labels


_MOST_TERMS = 400
"""Terms of one UNION; SQLite allows 500."""

# The empty first term gives the columns their types and, on MySQL, their collation.
_LAST_LABELS = """
SELECT record.model, record.id, (
    SELECT entry.entity_label
    FROM customer_history_entry AS entry
    WHERE entry.entity_model = record.model AND entry.entity_id = record.id
        AND entry.entity_label IS NOT NULL
    ORDER BY entry.id DESC
    LIMIT 1
)
FROM (
    SELECT entity_model AS model, entity_id AS id FROM customer_history_entry WHERE 1 = 0{records}
) AS record"""
_RECORD = """
    UNION ALL SELECT %s, %s"""
