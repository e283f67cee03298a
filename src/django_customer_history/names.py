"""The names of the records that entries speak of, all in one statement.

It has the records of every model, loaded as Django would load them, so that a model's own
`__str__` and `get_absolute_url` have their say, and the last names that the log knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import unquote

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import NoReverseMatch
from django.utils.text import capfirst

from django_customer_history.confidentiality import Sight, field_of
from django_customer_history.fetching import Question, answers, question_of
from django_customer_history.models import Entry
from django_customer_history.permissions import is_vetoed, object_permissions_are_in_play
from django_customer_history.registry import label_of, registry
from django_customer_history.rows import RecordName
from django_customer_history.values.encoding import encode
from django_customer_history.wording import OWN_RECORDS

Wanted = Mapping[tuple[str, str], set[str]]
"""Model and the attribute that is its key here, to the keys."""


def model_text(model: str) -> str:
    """Return what a record of a model is called; of one that is gone, the model's label."""
    try:
        return str(apps.get_model(model)._meta.verbose_name)
    except (LookupError, ValueError):
        return str(OWN_RECORDS.get(model, model))


def model_title(model: str) -> str:
    """Return what a model is called where that begins a line."""
    text = model_text(model)
    return text if text == model else str(capfirst(text))


class Names:
    """The names and addresses of what some entries point to, as one reader may see them.

    A record that is gone has the last name that the log knows of it.
    """

    def __init__(
        self, entries: Sequence[Entry], sight: Sight, *, known: Sequence[models.Model] = ()
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
        places = [
            (model, value)
            for (model, key), values in wanted.items()
            for value in values
            if key == "pk"
        ]
        near = entries[0] if entries else None
        found, self._last_labels = _found(wanted, places, using=sight.using, near=near)
        for (model, key), records in found.items():
            for record in records:
                text = encode(getattr(record, key))
                self._records[model, key, text or ""] = record
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
            return self._sight.label(model, label_now(record), record=record)
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

    def _remove_out_of_reach(self) -> None:
        if not object_permissions_are_in_play():
            return
        for place, record in self._records.items():
            if record is not None and is_vetoed(self._sight.reader, record):
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


def records_of(wanted: Wanted, *, near: Entry | None) -> dict[tuple[str, str], list[models.Model]]:
    """Return the records whose keys are wanted: a statement for each database.

    They are read where the routers say or else, as Django does with what belongs together,
    from the database of the entry `near`.
    """
    return _found(wanted, [], using=None, near=near)[0]


def _found(
    wanted: Wanted, places: Sequence[tuple[str, str]], *, using: str | None, near: Entry | None
) -> tuple[dict[tuple[str, str], list[models.Model]], dict[tuple[str, str], str]]:
    """Return the records whose keys are wanted, and the last names of those in `places`."""
    asked: dict[str, dict[tuple[str, str], Question]] = defaultdict(dict)
    for (label, key), values in wanted.items():
        records = _records(label, key, values, near)
        question = None if records is None else question_of(records)
        if records is not None and question is not None:
            asked[records.db][label, key] = question
    if using is not None:
        asked[using].update(_questions_of_last_labels(places))
    found: dict[tuple[str, str], list[Any]] = {}
    for alias, questions in asked.items():
        found |= zip(questions, answers(list(questions.values()), using=alias), strict=True)
    labels = [one for place in list(found) if place[0] == _LABELS for one in found.pop(place)]
    return found, {(model, key): label for model, key, label in labels if label is not None}


def _records(
    label: str, key: str, values: Iterable[str], near: Entry | None
) -> "models.QuerySet[models.Model] | None":
    try:
        model = apps.get_model(label)
    except LookupError:
        return None
    field = model._meta.pk if key == "pk" else field_of(model, key)
    fitting = [value for value in values if _fits(field, value)]
    if not fitting:
        return None
    # The base manager: a host's own may hide archived records.
    manager = model._base_manager.db_manager(hints={"instance": near} if near else {})
    records: models.QuerySet[models.Model] = manager.filter(**{f"{key}__in": fitting})
    related = _named_after(model)
    return records.select_related(*related) if related else records


def _questions_of_last_labels(
    places: Sequence[tuple[str, str]],
) -> Iterator[tuple[tuple[str, str], Question]]:
    logged = [place for place in places if registry.find(place[0]) is not None]
    for start in range(0, len(logged), _MOST_TERMS):
        some = logged[start : start + _MOST_TERMS]
        yield (
            (_LABELS, str(start)),
            Question(
                sql=_LAST_LABELS + " UNION ALL SELECT %s, %s" * len(some) + ") AS place",
                parameters=tuple(chain.from_iterable(some)),
                types=("text", "text", "text"),
                read=list,
            ),
        )


_LABELS = ""
"""Stands for the model where last names are asked for; no model is called so."""

_MOST_TERMS = 400
"""Of one UNION; SQLite takes 500."""

_LAST_LABELS = """
SELECT place.model, place.id, (
    SELECT entry.entity_label
    FROM customer_history_entry AS entry
    WHERE entry.entity_model = place.model AND entry.entity_id = place.id
        AND entry.entity_label IS NOT NULL
    ORDER BY entry.id DESC
    LIMIT 1
)
FROM (
    SELECT entity_model AS model, entity_id AS id FROM customer_history_entry WHERE 1 = 0"""
"""The rows that are none give the columns their types and, on MySQL, their collation."""


def _named_after(model: type[models.Model]) -> list[str]:
    """Return the relations that a record's name or address may be made of.

    A model's own `__str__` or `get_absolute_url` may follow any of its foreign keys; without
    them at hand, each row would cost a statement.
    """
    registration = registry.find(model._meta.label_lower)
    related = [field.name for field in model._meta.fields if field.is_relation]
    if registration is None or not registration.label or hasattr(model, "get_absolute_url"):
        return related
    return [name for name in related if name in registration.label]


def _fits(field: Any, value: str) -> bool:
    try:
        field.to_python(value)
    except (ValidationError, ValueError):
        return False
    return True


def label_now(record: models.Model) -> str:
    """Return the name of a record as it is, for no reader in particular."""
    registration = registry.find(label_of(type(record)))
    if registration is None or not registration.label:
        return str(record)
    texts = (getattr(record, name, None) for name in registration.label)
    return " ".join(str(text) for text in texts if text not in (None, ""))
