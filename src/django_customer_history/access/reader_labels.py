"""Which actions and labels of the log one reader may see: neither discloses a hidden value."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django.db import models

from django_customer_history.access.confidential import ConfidentialRules
from django_customer_history.access.field_rules import EntryRules, FieldRule
from django_customer_history.access.hidden_values import (
    SHORTEST_VALUE_IN_TEXT,
    contains,
    loaded_records,
    texts_of,
)
from django_customer_history.access.object_permissions import ObjectPermissions
from django_customer_history.capture.registration_log import FormerLabels
from django_customer_history.labels import DEFAULT_ACTIONS, Kind
from django_customer_history.masks import FULL
from django_customer_history.models import Entry
from django_customer_history.registration.actions import named_actions
from django_customer_history.registration.fields import secret_fields
from django_customer_history.registration.options import EventName
from django_customer_history.registration.registry import (
    Registration,
    label_of,
    registry,
)
from django_customer_history.registration.renames import renames
from django_customer_history.registration.subject_paths import label_parts
from django_customer_history.values.rendering import sendable_text


class ReaderLabels(ABC):
    """Which actions and labels one reader may see, by the rules for the fields."""

    using: str
    _permissions: ObjectPermissions
    _former_labels: FormerLabels
    _hidden_names: dict[tuple[str, str | None], tuple[str, ...]]
    _hides_label: dict[tuple[Any, ...], bool]
    _events_of_values: dict[str, tuple[EventName, ...]]

    @abstractmethod
    def rule(self, entry: Entry, name: str) -> FieldRule:
        """Return the rule for a field of an entry."""

    @abstractmethod
    def rule_of(
        self,
        model: str,
        name: str,
        *,
        is_event: bool = False,
        at: UUID | None = None,
        key: str | None = None,
    ) -> FieldRule:
        """Return the rule for a field of a model."""

    @abstractmethod
    def rules(self, entry: Entry) -> EntryRules:
        """Return the rules for all fields of an entry."""

    @abstractmethod
    def _circumstances(
        self, model: str, at: UUID | None, key: str | None
    ) -> tuple[int, int, tuple[str, str] | None]:
        """Return what decides about the rules of a field, apart from its name."""

    @abstractmethod
    def _confidential_rules(self, at: UUID | None) -> ConfidentialRules:
        """Return the rules for the values of an entry; None: for values of today."""

    @abstractmethod
    def _may_see_everything(self) -> bool:
        """Return whether the reader may see all confidential values."""

    def action(self, entry: Entry) -> str:
        """Return the action of an entry, unless it discloses a value that the reader may not see.

        If the action is the name of one value of a hidden field, the answer is the action that
        the entry would have if the registration did not name that value.
        """
        events = self._named_after_values(entry.entity_model)
        is_named = any(event.action == entry.action for event in events)
        if not is_named or entry.kind == "event":
            return entry.action
        hidden = [event for event in events if self._hides(entry, event.field)]
        registration = registry.find(entry.entity_model)
        if registration is None or all(event.action != entry.action for event in hidden):
            return entry.action
        shown = tuple(event for event in registration.events if event not in hidden)
        return _action(replace(registration, events=shown), entry)

    @property
    def hides_actions(self) -> bool:
        """Whether some action may disclose a value that the reader may not see."""
        named = {
            (registration.model._meta.label_lower, event.field)
            for registration in registry
            for event in registration.events
            if event.value is not None
        }
        # The first key: marks hold for everything that was recorded under them.
        return bool(named) and (
            self._permissions.are_asked
            or any(self.rule_of(*one, at=UUID(int=0)).conceals for one in named)
        )

    def label(
        self,
        model: str,
        label: str | None,
        *,
        record: Any = None,
        at: UUID | None = None,
        key: str | None = None,
    ) -> str | None:
        """Return a record's label, masked if it is made of fields that the reader may not see.

        `record` is the record that the label was just made from. Without it the label comes from
        the log: triggers made it from the label fields of the registration of that time. `at` is
        the entry that has it; None: any. `key` is the key of the record. If it is not known what
        the label was made from, it takes the permission for all confidential values to see it.
        """
        if not label:
            return label
        if record is None:
            is_hidden = self._hides_logged_label(model, at, key)
        else:
            key = self._permissions.key_of(record)
            names = self._names_in_label(model)
            is_hidden = not names and self.has_hidden_value(label, record=record)
            is_hidden = is_hidden or any(
                self._hides_in_label(model, name, at, key) for name in names
            )
        return FULL(label) if is_hidden else sendable_text(label)

    def _hides_logged_label(self, model: str, at: UUID | None, key: str | None) -> bool:
        known: tuple[Any, ...] | None = None
        if self._has_same_parts(model):
            known = (model, None, *self._circumstances(model, at, key))
            if known in self._hides_label:
                return self._hides_label[known]
        former = [
            one.names for one in self._former_labels.get(model, ()) if at is None or at < one.until
        ]
        names = (*self._names_in_label(model), *(name for one in former for name in one))
        is_hidden = not names and not self._may_see_everything()
        is_hidden = is_hidden or any(self._hides_in_label(model, name, at, key) for name in names)
        if known is not None:
            known = (model, None, *self._circumstances(model, at, key))
            self._hides_label[known] = is_hidden
        return is_hidden

    @staticmethod
    def _names_in_label(model: str) -> tuple[str, ...]:
        registration = registry.find(model)
        return () if registration is None else registration.label

    def has_label(self, model: str) -> bool:
        """Return whether the log has labels of a model's records."""
        registration = registry.find(model)
        has_fields = registration is not None and bool(registration.label)
        return has_fields or bool(self._former_labels.get(model))

    def logged_label(
        self,
        entry: Entry,
        *,
        record: models.Model | None = None,
        rules: EntryRules | None = None,
    ) -> str | None:
        """Return the label that an entry has for its entity, masked as `label` masks it.

        It may have been made of other fields than those that are known. So it is masked, too, if
        it contains a hidden value of the entry, or of `record`, the entity as it is now.
        `rules` are those of `rules`, if the caller has them.
        """
        label = self.label(entry.entity_model, entry.entity_label, at=entry.id, key=entry.entity_id)
        concealing = self.rules(entry).concealing if rules is None else rules.concealing
        if not label or (not concealing and record is None):
            return label
        hidden = [
            text
            for name, rule in concealing
            for value in entry.changes[name]
            for text in rule.hidden_texts(value)
        ]
        if record is not None:
            hidden += [text for name in self._hidden_in(record) for text in texts_of(record, name)]
        values = [value for value in hidden if value and len(value) >= SHORTEST_VALUE_IN_TEXT]
        return FULL(label) if any(contains(label, value) for value in values) else label

    def label_circumstances(self, entry: Entry) -> tuple[Any, ...] | None:
        """Return what `logged_label` depends on, apart from the entity, its label and the rules.

        None if the values of the entry, or its moment, decide as well.
        """
        if not self._has_same_parts(entry.entity_model):
            return None
        return self._circumstances(entry.entity_model, entry.id, entry.entity_id)

    def _has_same_parts(self, model: str) -> bool:
        """Return whether the labels of a model have the same parts at all times."""
        return model not in self._former_labels and not renames.of(self.using)

    def has_hidden_value(self, text: str, *, record: models.Model) -> bool:
        """Return whether a text made from a record contains a value that the reader may not see.

        A model's own `__str__` and `get_absolute_url` may use any field, and follow relations:
        the related records are then loaded, and their values are compared, too.
        """
        return any(
            contains(text, value)
            for loaded in loaded_records(record)
            for name in self._hidden_in(loaded)
            for value in texts_of(loaded, name)
        )

    def _hidden_in(self, record: models.Model) -> tuple[str, ...]:
        return self._hidden_names_of(label_of(type(record)), self._permissions.key_of(record))

    def _hidden_names_of(self, model: str, key: str | None) -> tuple[str, ...]:
        if (model, key) not in self._hidden_names:
            self._hidden_names[model, key] = tuple(self._find_hidden_names(model, key))
        return self._hidden_names[model, key]

    def _find_hidden_names(self, model: str, key: str | None) -> Iterator[str]:
        registration = registry.find(model)
        if registration is None:
            return
        for name in self._confidential_rules(None).of_model(model):
            if self.rule_of(model, name, key=key).is_hidden:
                yield name
        for field in secret_fields(registration):
            yield field.name

    def _named_after_values(self, model: str) -> tuple[EventName, ...]:
        """Return the events of a model that are named after one value of a field."""
        if model not in self._events_of_values:
            registration = registry.find(model)
            events = () if registration is None else registration.events
            self._events_of_values[model] = tuple(one for one in events if one.value is not None)
        return self._events_of_values[model]

    def _hides(self, entry: Entry, name: str) -> bool:
        return self.rule_of(entry.entity_model, name, at=entry.id, key=entry.entity_id).conceals

    def _hides_in_label(self, model: str, name: str, at: UUID | None, key: str | None) -> bool:
        """Return whether a label field is hidden, or refers to a model with hidden fields."""
        if at is not None:
            name = renames.field_now(model, name, at=at, using=self.using)
        known = self._hides_label.get((model, name, *self._circumstances(model, at, key)))
        if known is None:
            known = self._finds_hidden(model, name, at, key)
            self._hides_label[(model, name, *self._circumstances(model, at, key))] = known
        return known

    def _finds_hidden(self, model: str, name: str, at: UUID | None, key: str | None) -> bool:
        registration = registry.find(model)
        parts = [] if registration is None else label_parts(registration, registry)
        ends = {(label_of(one.model), one.field.name) for one in parts if one.name == name}
        if any(self.rule_of(*end).is_hidden for end in ends if registry.find(end[0])):
            return True
        if "__" in name:
            return not ends and not self._may_see_everything()
        rule = self.rule_of(model, name, at=at, key=key)
        target = getattr(rule.field, "related_model", None)
        return (
            rule.is_hidden
            or bool(rule.hidden_keys)
            or (target is not None and bool(self._hidden_names_of(label_of(target), None)))
        )


def _action(registration: Registration, entry: Entry) -> str:
    """Return the action that a trigger gives to an entry under a registration."""
    fields = [field.name for field in registration.model._meta.concrete_fields]
    names = named_actions(
        registration,
        fields=[name for name in fields if name in entry.changes],
        secret=[field.name for field in secret_fields(registration)],
    )
    found = (name.action for name in names if name.is_met_by(entry.kind, entry.changes))
    return next(found, DEFAULT_ACTIONS[cast("Kind", entry.kind)])
