"""The labels and URLs of the records that entries refer to, as one reader may see them.

The records of each model are loaded with one statement, as Django would load them, so that a
model's own `__str__` and `get_absolute_url` work. An entry names a record as it was called then:
one more statement reads these labels from the log.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django.apps import apps
from django.db import models
from django.utils.text import capfirst

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.field_rules import EntryRules
from django_customer_history.access.object_access import ObjectAccess
from django_customer_history.access.permissions import has_object_permissions, is_denied
from django_customer_history.access.records import (
    KeysByModel,
    current_label,
    records_of,
    stored_label,
)
from django_customer_history.labels import OWN_MODEL_LABELS
from django_customer_history.masks import FULL
from django_customer_history.models import Entry
from django_customer_history.reading.entries import RecordName
from django_customer_history.reading.field_plans import EntryPlan
from django_customer_history.reading.logged_labels import LoggedLabel, logged_labels
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.values.encoding import field_text, key_text


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


@dataclass(slots=True)
class KnownRecords:
    """Records that were loaded for earlier entries, at most `MOST_KNOWN`, for the next ones."""

    records: dict[tuple[str, str, str], models.Model] = field(default_factory=dict)
    _labels: dict[tuple[str, str, str], tuple[str | None, str | None]] = field(default_factory=dict)

    def keep(self, records: "Mapping[tuple[str, str, str], models.Model | None]") -> None:
        """Keep records in place of those that were loaded first."""
        for key, record in records.items():
            if record is not None:
                self.records.pop(key, None)
                self.records[key] = record
        for key in list(self.records)[: max(len(self.records) - MOST_KNOWN, 0)]:
            del self.records[key]
        for key in self._labels.keys() - self.records.keys():
            del self._labels[key]

    def labels(
        self, key: tuple[str, str, str], record: models.Model
    ) -> tuple[str | None, str | None]:
        """Return the label of a record now, and the one that the log would get."""
        if self.records.get(key) is not record:
            return current_label(record), stored_label(record)
        if key not in self._labels:
            self._labels[key] = current_label(record), stored_label(record)
        return self._labels[key]


MOST_KNOWN = 4_000
"""Records that are kept between the chunks of an export."""


class RecordLabels:
    """The labels and URLs of the records that some entries refer to.

    A record is identified by the label of its model, an attribute of the model (`pk`, or the
    `to_field` of a foreign key) and the value of that attribute, as text.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        plans: Sequence[EntryPlan],
        access: FieldAccess,
        *,
        loaded: Sequence[models.Model] = (),
        known: KnownRecords | None = None,
    ) -> None:
        self._access = access
        self._known = KnownRecords() if known is None else known
        self._subjects: set[tuple[str, str, str]] = set()
        self._labels_now: dict[tuple[str, str, str], _LabelsNow] = {}
        self._labels: dict[tuple[str, str, str, UUID], str | None] = {}
        self._names: dict[tuple[Any, ...], tuple[RecordName | None, RecordName]] = {}
        self._model_texts: dict[str, str] = {}
        self._urls: dict[tuple[str, str], str | None] = {}
        self._denied: frozenset[tuple[str, str]] = frozenset()
        self._deleted: set[tuple[str, str]] = set()
        self._records: dict[tuple[str, str, str], models.Model | None] = {
            (label_of(type(record)), "pk", key_text(record)): record for record in loaded
        }
        references = self._references(entries, plans)
        self._load(references, entries)
        self._remove_denied(references)
        self._logged = logged_labels(self._moments(references), using=access.using)

    def label(self, model: str, value: str, *, at: UUID, attribute: str = "pk") -> str | None:
        """Return the label that a record had at the time of the entry `at`.

        If the log has no label of that time, it is the first later one, else the one of today.
        """
        record = (model, attribute, value, at)
        if record not in self._labels:
            self._labels[record] = self._find_label(*record)
        return self._labels[record]

    def names(self, entry: Entry, rules: EntryRules) -> tuple[RecordName | None, RecordName]:
        """Return the subject and the entity of an entry; its subject can be None.

        The names of an entity that is its own subject are made once for each label.
        """
        circumstances = None
        if not rules.concealing and _has_label_of_subject(entry):
            circumstances = self._access.label_circumstances(entry)
        if circumstances is None:
            return self._subject(entry), self._entity(entry, rules)
        about = (entry.entity_model, entry.entity_id, entry.entity_label, rules, circumstances)
        if about not in self._names:
            self._names[about] = self._subject(entry), self._entity(entry, rules)
        return self._names[about]

    def _subject(self, entry: Entry) -> RecordName | None:
        model, key = entry.subject_model, entry.subject_id
        if model is None or key is None:
            return None
        return self._name(model, key, self._subject_label(entry))

    def _entity(self, entry: Entry, rules: EntryRules) -> RecordName:
        model, key = entry.entity_model, entry.entity_id
        if (model, key) in self._denied:
            return self._name(model, key, None)
        record = self._records.get((model, "pk", key))
        label = self._access.logged_label(entry, record=record, rules=rules)
        return self._name(model, key, label)

    def _subject_label(self, entry: Entry) -> str | None:
        model, key = str(entry.subject_model), str(entry.subject_id)
        if _has_label_of_subject(entry):
            logged = LoggedLabel(text=entry.entity_label or "", entry=entry.id)
            return self._shown_label((model, "pk", key), logged)
        return self.label(model, key, at=entry.id)

    def _name(self, model: str, key: str, label: str | None) -> RecordName:
        if model not in self._model_texts:
            self._model_texts[model] = model_text(model)
        if (model, key) not in self._urls:
            self._urls[model, key] = self._url(model, key)
        name, url = self._model_texts[model], self._urls[model, key]
        return RecordName(model=model, id=key, label=label, name=name, url=url)

    def _find_label(self, model: str, attribute: str, value: str, at: UUID) -> str | None:
        key = (model, attribute, value)
        record = self._records.get(key)
        key_of_record = value if attribute == "pk" else None if record is None else key_text(record)
        logged = None if key_of_record is None else self._logged.get((model, key_of_record, at))
        return self._shown_label(key, logged)

    def _shown_label(self, key: tuple[str, str, str], logged: LoggedLabel | None) -> str | None:
        model, attribute, value = key
        record = self._records.get(key)
        if record is None and key in self._records:
            return None  # The reader may not know of the record.
        key_of_record = value if attribute == "pk" else None if record is None else key_text(record)
        if key_of_record is None or (model, key_of_record) in self._denied:
            return None
        if record is not None:
            now = self._label_now(key, record)
            if now.shown is not None and (logged is None or logged.text == now.stored):
                # The same label as today's, which people can read better.
                return now.shown.text
        if logged is None:
            return None
        if record is not None and self._access.has_hidden_value(logged.text, record=record):
            return FULL(logged.text)
        return self._access.label(model, logged.text, at=logged.entry, key=key_of_record)

    def _label_now(self, key: tuple[str, str, str], record: models.Model) -> "_LabelsNow":
        if key not in self._labels_now:
            current, stored = self._known.labels(key, record)
            label = self._access.label(key[0], current, record=record)
            self._labels_now[key] = _LabelsNow(stored, None if current is None else _Shown(label))
        return self._labels_now[key]

    def _url(self, model: str, key: str) -> str | None:
        record: Any = self._records.get((model, "pk", key))
        if not hasattr(record, "get_absolute_url"):
            return None
        try:
            url = str(record.get_absolute_url())
        except Exception:  # noqa: BLE001 - no page for this record, or an error of the project
            return None
        return None if self._access.has_hidden_value(unquote(url), record=record) else url

    def _references(self, entries: Sequence[Entry], plans: Iterable[EntryPlan]) -> "References":
        """Return the records that the entries refer to, each with the entries that do so."""
        found: References = defaultdict(set)
        models_of_entities = {entry.entity_model for entry in entries}
        needed = {one for one in models_of_entities if _has_url(one) or _is_subject(one)}
        for entry, plan in zip(entries, plans, strict=True):
            entity = (entry.entity_model, "pk", entry.entity_id)
            if _has_label_of_subject(entry):
                self._subjects.add(entity)
                found[entity].update()
            else:
                if entry.subject_model and entry.subject_id:
                    found[entry.subject_model, "pk", entry.subject_id].add(entry.id)
                if entry.entity_model in needed:
                    found[entity].update()
            for name, target in plan.references:
                for value in entry.changes[name]:
                    if value is not None:
                        found[(*target, value)].add(entry.id)
        return found

    def _moments(self, references: "References") -> list[tuple[str, str, UUID]]:
        """Return the records whose labels are in the log, each with the entries that need them."""
        moments = []
        for (model, attribute, value), keys in references.items():
            if not keys or not self._access.has_label(model):
                continue
            record = self._records.get((model, attribute, value))
            key = value if attribute == "pk" else None if record is None else key_text(record)
            if key is not None and (model, key) not in self._denied:
                moments += [(model, key, at) for at in keys]
        return moments

    def _load(self, references: "References", entries: Sequence[Entry]) -> None:
        not_loaded: dict[tuple[str, str], list[str]] = defaultdict(list)
        for model, attribute, value in references:
            # The label of the entity itself is in its entry.
            key = (model, attribute, value)
            is_needed = references[key] or key in self._subjects or _has_url(model)
            if not is_needed or key in self._records:
                continue
            known = self._known.records.get(key)
            if known is None and attribute == "pk":
                known = self._access.prepared(model, value)
            if known is None:
                not_loaded[model, attribute].append(value)
            else:
                self._records[key] = known
        subjects = [one for one in self._records.values() if one is not None]
        loaded = records_of(not_loaded, entry=entries[0] if entries else None, loaded=subjects)
        for (model, attribute), records in loaded.items():
            for record in records:
                self._records[model, attribute, _logged_key(record, attribute)] = record
            self._records |= _other_spellings(model, attribute, not_loaded, records)
        self._deleted = {
            (model, value)
            for (model, attribute), values in not_loaded.items()
            for value in values
            if attribute == "pk" and (model, "pk", value) not in self._records
        }
        self._known.keep(self._records)

    def _remove_denied(self, references: "References") -> None:
        """Ask the backends about all records, also about those that are deleted."""
        if not has_object_permissions():
            return
        access = self._access
        for key, record in self._records.items():
            if record is not None and is_denied(access.reader, record):
                self._records[key] = None
        unloaded = [
            (model, value)
            for model, attribute, value in references
            if attribute == "pk"
            and (model, attribute, value) not in self._records
            and registry.find(model) is not None
        ]
        denied = ObjectAccess().denied(
            unloaded, reader=access.reader, using=access.using, deleted=self._deleted
        )
        self._denied = denied | {
            (model, value)
            for (model, attribute, value), record in self._records.items()
            if record is None and attribute == "pk"
        }


@dataclass(frozen=True, slots=True)
class _Shown:
    text: str | None


@dataclass(frozen=True, slots=True)
class _LabelsNow:
    """The label that the log would get of a record now, and the one that the reader sees."""

    stored: str | None
    shown: _Shown | None
    """None: the project's own `__str__` raises an error."""


References = dict[tuple[str, str, str], set[UUID]]
"""The entries that refer to a record, by model, attribute and value of the attribute."""


def _other_spellings(
    model: str, attribute: str, keys: KeysByModel, records: Sequence[models.Model]
) -> dict[tuple[str, str, str], models.Model | None]:
    """Return the records whose key a foreign key writes in another case, as a collation allows."""
    by_key = {_logged_key(record, attribute): record for record in records}
    folded = {key.casefold().rstrip(): record for key, record in by_key.items()}
    return {
        (model, attribute, key): folded[key.casefold().rstrip()]
        for key in keys[model, attribute]
        if key not in by_key and key.casefold().rstrip() in folded
    }


def _logged_key(record: models.Model, attribute: str) -> str:
    if attribute == "pk":
        return key_text(record)
    field: Any = field_of(type(record), attribute)
    return field_text(field, getattr(record, attribute)) or ""


def _has_label_of_subject(entry: Entry) -> bool:
    """Return whether an entry is about its own subject, and has the label of that time."""
    return (
        entry.entity_id == entry.subject_id
        and entry.entity_model == entry.subject_model
        and entry.entity_label is not None
    )


def _has_url(model: str) -> bool:
    registration = registry.find(model)
    return registration is not None and hasattr(registration.model, "get_absolute_url")


def _is_subject(model: str) -> bool:
    registration = registry.find(model)
    return registration is not None and registration.is_subject and has_object_permissions()


def last_label(model: str, key: str | None, access: FieldAccess) -> str | None:
    """Return the last label that the log has of a record, as a reader may see it, or None."""
    moment = (model, key or "", _HIGHEST_KEY)
    logged = logged_labels([moment], using=access.using).get(moment)
    if logged is None:
        return None
    return access.label(model, logged.text, at=logged.entry, key=key)


_HIGHEST_KEY = UUID(int=2**128 - 1)
