"""The names of the records that entries speak of, all in one statement.

It has the records of every model, loaded as Django would load them, so that a model's own
`__str__` and `get_absolute_url` have their say, and the last names that the log knows.
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

from django_customer_history.access.field_access import (
    FieldAccess,
)
from django_customer_history.access.permissions import (
    has_object_permissions,
    is_denied,
)
from django_customer_history.access.records import current_label, records_of
from django_customer_history.labels import OWN_MODEL_LABELS
from django_customer_history.models import Entry
from django_customer_history.reading.entries import RecordName
from django_customer_history.registration.registry import (
    label_of,
    registry,
)
from django_customer_history.values.encoding import encode

Wanted = Mapping[tuple[str, str], set[str]]
"""Model and the attribute that is its key here, to the keys."""


def model_text(model: str) -> str:
    """Return what a record of a model is called; of one that is gone, the model's label."""
    try:
        return str(apps.get_model(model)._meta.verbose_name)
    except (LookupError, ValueError):
        return str(OWN_MODEL_LABELS.get(model, model))


def model_title(model: str) -> str:
    """Return what a model is called where that begins a line."""
    text = model_text(model)
    return text if text == model else str(capfirst(text))


class RecordLabels:
    """The names and addresses of what some entries point to, as one reader may see them.

    A record that is gone has the last name that the log knows of it.
    """

    def __init__(
        self, entries: Sequence[Entry], sight: FieldAccess, *, known: Sequence[models.Model] = ()
    ) -> None:
        self._sight = sight
        self._positions: dict[str, Mapping[str, int]] = {}
        self._labels: dict[tuple[str, str, str], str | None] = {}
        self._places: dict[tuple[str, str], tuple[str, str | None]] = {}
        self._records: dict[tuple[str, str, str], models.Model | None] = {
            (label_of(type(record)), "pk", encode(record.pk) or ""): record for record in known
        }
        wanted = {
            place: values - self._keys_known(*place)
            for place, values in self._wanted(entries).items()
        }
        near = entries[0] if entries else None
        found = records_of(wanted, near=near)
        for (model, key), records in found.items():
            for record in records:
                text = encode(getattr(record, key))
                self._records[model, key, text or ""] = record
        self._last_labels = last_labels(self._missing(wanted), using=sight.using)
        self._remove_out_of_reach()

    def label_of(self, model: str, value: str, *, key: str = "pk") -> str | None:
        """Return the name that a record bears now, or had last."""
        place = (model, key, value)
        if place not in self._labels:
            self._labels[place] = self._label(place)
        return self._labels[place]

    def _label(self, place: tuple[str, str, str]) -> str | None:
        model, _, value = place
        record = self._records.get(place)
        if record is not None:
            return self._sight.label(model, current_label(record), record=record)
        if place in self._records:
            return None  # There, and out of the reader's reach: so is its name.
        return self._sight.label(model, self._last_labels.get((model, value)))

    def record(self, model: str, key: str) -> models.Model | None:
        """Return a record that is loaded, or None where it is not."""
        return self._records.get((model, "pk", key))

    def named(self, model: str, key: str, label: str | None) -> RecordName:
        """Return a record as an entry speaks of it."""
        if (model, key) not in self._places:
            self._places[model, key] = model_text(model), self._url(model, key)
        name, url = self._places[model, key]
        return RecordName(model=model, id=key, label=label, name=name, url=url)

    def positions(self, model: str) -> Mapping[str, int]:
        """Return the places of a model's fields in its own order."""
        if model not in self._positions:
            registration = registry.find(model)
            fields = registration.model._meta.get_fields() if registration else []
            self._positions[model] = {one.name: number for number, one in enumerate(fields)}
        return self._positions[model]

    def _url(self, model: str, key: str) -> str | None:
        record: Any = self.record(model, key)
        if not hasattr(record, "get_absolute_url"):
            return None
        try:
            url = str(record.get_absolute_url())
        except NoReverseMatch:
            return None  # The host has no page for this one.
        return None if self._sight.hides(unquote(url), record=record) else url

    def _wanted(self, entries: Iterable[Entry]) -> Wanted:
        wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
        for entry in entries:
            if entry.subject_model and entry.subject_id:
                wanted[entry.subject_model, "pk"].add(entry.subject_id)
            if _has_address(entry.entity_model):
                wanted[entry.entity_model, "pk"].add(entry.entity_id)
            for name, values in entry.changes.items():
                rule = self._sight.rule(entry, name)
                if not rule.is_hidden and (target := target_of(rule.field)):
                    wanted[target].update(value for value in values if value is not None)
        return wanted

    def _missing(self, wanted: Wanted) -> list[tuple[str, str]]:
        return [
            (model, value)
            for (model, key), values in wanted.items()
            for value in values
            if key == "pk" and (model, key, value) not in self._records
        ]

    def _remove_out_of_reach(self) -> None:
        if not has_object_permissions():
            return
        for place, record in self._records.items():
            if record is not None and is_denied(self._sight.reader, record):
                self._records[place] = None

    def _keys_known(self, model: str, key: str) -> set[str]:
        return {value for known, by, value in self._records if (known, by) == (model, key)}


def target_of(field: Any) -> tuple[str, str] | None:
    """Return the model that a field refers to, and the attribute that it holds; or None."""
    related = getattr(field, "related_model", None)
    if related is None:
        return None
    target = getattr(field, "target_field", None) if field.many_to_one else None
    is_key = target is None or target.primary_key
    return label_of(related), "pk" if is_key else str(getattr(target, "attname", ""))


def _has_address(label: str) -> bool:
    registration = registry.find(label)
    return registration is not None and hasattr(registration.model, "get_absolute_url")


def last_labels(records: Sequence[tuple[str, str]], *, using: str) -> dict[tuple[str, str], str]:
    """Return the last label that the log has for each record, given by model and key.

    Records that the log has no label for are left out.
    """
    logged = [record for record in records if registry.find(record[0]) is not None]
    found = {}
    for start in range(0, len(logged), _MOST_TERMS):
        some = logged[start : start + _MOST_TERMS]
        sql = _LAST_LABELS + " UNION ALL SELECT %s, %s" * len(some) + "\n) AS record"
        with connections[using].cursor() as cursor:
            cursor.execute(sql, list(chain.from_iterable(some)))
            for model, key, label in cursor.fetchall():
                if label is not None:
                    found[model, key] = label
    return found


_MOST_TERMS = 400
"""Of one UNION; SQLite takes 500."""

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
    SELECT entity_model AS model, entity_id AS id FROM customer_history_entry WHERE 1 = 0"""
"""The rows that are none give the columns their types and, on MySQL, their collation."""
