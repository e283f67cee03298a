"""Which values of the log one reader may see, by registration and by the marks of staff.

The tab, REST, search, facets and exports all use this. Fields that are not known are hidden.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from django.conf import settings
from django.db import models
from django.utils.text import capfirst

from django_customer_history.access.confidential import (
    ConfidentialRule,
    ConfidentialRules,
)
from django_customer_history.access.field_rules import FieldRule
from django_customer_history.access.permissions import (
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    Reader,
    may_see,
)
from django_customer_history.capture.registration_log import (
    FormerLabels,
    changed_registrations,
    former_labels,
)
from django_customer_history.conf import mask_until_revealed
from django_customer_history.labels import (
    DEFAULT_ACTIONS,
    OWN_FIELD_LABELS,
    Kind,
)
from django_customer_history.masks import FULL
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.registration.actions import named_actions
from django_customer_history.registration.fields import field_of, secret_fields
from django_customer_history.registration.registry import (
    Registration,
    label_of,
    registry,
)
from django_customer_history.values.encoding import value_type_of
from django_customer_history.values.rendering import sendable_text
from django_customer_history.values.types import ValueType


class FieldAccess:
    """Which fields and labels one reader may see, under one set of marks.

    Read the marks after the entries, so that no value is ever shown under marks that are older
    than the value. `former_labels` are the fields that labels in the log were once made of.
    With `is_revealing`, values are shown that `MASK_UNTIL_REVEALED` masks in lists.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        marks: Sequence[ConfidentialField],
        using: str,
        former_labels: FormerLabels = MappingProxyType({}),
        is_revealing: bool = False,
    ) -> None:
        self.reader = reader
        self.using = using
        self._shows_confidential = is_revealing or not mask_until_revealed()
        self._marks = marks
        self._confidential_rules = ConfidentialRules(marks)
        self._former_labels = former_labels
        self._rules: dict[tuple[str, str, bool], FieldRule] = {}
        self._key_labels: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._hidden_names: dict[type[models.Model], tuple[str, ...]] = {}

    @classmethod
    def load(cls, reader: Reader, *, using: str, is_revealing: bool = False) -> "FieldAccess":
        """Return what a reader may see by the marks that are in the database now.

        It takes two statements: the marks, and the registrations that changed.
        """
        changed = changed_registrations(Entry.objects.using(using))
        return cls(
            reader,
            marks=list(ConfidentialField.objects.using(using).order_by("pk")),
            using=using,
            former_labels=former_labels(changed),
            is_revealing=is_revealing,
        )

    def rule(self, entry: Entry, name: str) -> FieldRule:
        """Return the rule for a field of an entry."""
        # A baseline has the values of fields: it follows the rules of fields, not of events.
        is_event = entry.kind == "event" and not entry.is_baseline
        return self.rule_of(entry.entity_model, name, is_event=is_event)

    def rule_of(self, model: str, name: str, *, is_event: bool = False) -> FieldRule:
        """Return the rule for a field of a model, given by its label; unknown fields are hidden.

        With `is_event` the name comes from an event, which may have names that are not fields.
        """
        key = (model, name, is_event)
        if key not in self._rules:
            self._rules[key] = self._make_rule(registry.find(model), model, name, is_event=is_event)
        return self._rules[key]

    def is_confidential(self, entry: Entry, name: str) -> bool:
        """Return whether a field of an entry is confidential, whether the reader may see it or not.

        A field that no registration knows any more is confidential, because its rule is lost.
        """
        model = entry.entity_model
        return (
            self.rule(entry, name).is_unknown
            or self._confidential_rules.covering(model, name) is not None
            or bool(self._confidential_rules.inside(model, name))
        )

    def masked_in_exports(self, models: Iterable[str]) -> tuple[str, ...]:
        """Return the labels of the fields of some models that an export masks for the reader."""
        exporting = FieldAccess(self.reader, marks=self._marks, using=self.using, is_revealing=True)
        exporting._key_labels = self._key_labels
        rules = (
            exporting.rule_of(model, name)
            for model in models
            for name in sorted(self._confidential_rules.of_model(model))
        )
        return tuple(dict.fromkeys(rule.label for rule in rules if rule.mask is not None))

    def action(self, entry: Entry) -> str:
        """Return the action of an entry, unless it discloses a value that the reader may not see.

        If the action is the name of one value of a hidden field, the answer is the action that
        the entry would have if the registration did not name that value.
        """
        registration = registry.find(entry.entity_model)
        if registration is None or entry.kind == "event":
            return entry.action
        hidden = [
            event
            for event in registration.events
            if event.value is not None and self._hides(entry.entity_model, event.field)
        ]
        if all(event.action != entry.action for event in hidden):
            return entry.action
        shown = tuple(event for event in registration.events if event not in hidden)
        return _action(replace(registration, events=shown), entry)

    def label(self, model: str, label: str | None, *, record: Any = None) -> str | None:
        """Return a record's label, masked if it is made of fields that the reader may not see.

        `record` is the record that the label was just made from. Without it the label comes from
        the log: triggers made it from the label fields of the registration, of today or of
        former times. If there are none, it is not known what the label was made from, and it
        takes the permission for all confidential values to see it.
        """
        if not label:
            return label
        registration = registry.find(model)
        names = () if registration is None else registration.label
        if record is None:
            names = (*names, *self._former_labels.get(model, ()))
            is_hidden = not names and not self._may_see(VIEW_EVERY_CONFIDENTIAL_VALUE)
        else:
            is_hidden = not names and self.has_hidden_value(label, record=record)
        is_hidden = is_hidden or any(self._hides_in_label(model, name) for name in names)
        return FULL(label) if is_hidden else sendable_text(label)

    def logged_label(self, entry: Entry, *, record: models.Model | None = None) -> str | None:
        """Return the label that an entry has for its entity, masked as `label` masks it.

        It may have been made of other fields than those that are known. So it is masked, too, if
        it contains a hidden value of the entry, or of `record`, the entity as it is now.
        """
        label = self.label(entry.entity_model, entry.entity_label)
        if not label:
            return label
        hidden = [
            value
            for name, values in entry.changes.items()
            if self.rule(entry, name).is_hidden
            for value in values
        ]
        if record is not None:
            hidden += [_text_of(record, name) for name in self._hidden_names_of(type(record))]
        values = [value for value in hidden if value and len(value) >= _SHORTEST_VALUE_IN_TEXT]
        return FULL(label) if any(_contains(label, value) for value in values) else label

    def has_hidden_value(self, text: str, *, record: models.Model) -> bool:
        """Return whether a text made from a record contains a value that the reader may not see.

        A model's own `__str__` and `get_absolute_url` may use any field, and follow relations:
        the related records are then loaded, and their values are compared, too.
        """
        return any(
            _contains(text, _text_of(loaded, name))
            for loaded in _loaded_records(record, {})
            for name in self._hidden_names_of(type(loaded))
        )

    def _hidden_names_of(self, model: type[models.Model]) -> tuple[str, ...]:
        if model not in self._hidden_names:
            self._hidden_names[model] = tuple(self._find_hidden_names(label_of(model)))
        return self._hidden_names[model]

    def _find_hidden_names(self, label: str) -> Iterator[str]:
        registration = registry.find(label)
        if registration is None:
            return
        for name in self._confidential_rules.of_model(label):
            if self.rule_of(label, name).is_hidden:
                yield name
        for field in secret_fields(registration):
            yield field.name

    def _hides(self, model: str, name: str) -> bool:
        rule = self.rule_of(model, name)
        return rule.is_hidden or bool(rule.hidden_keys)

    def _hides_in_label(self, model: str, name: str) -> bool:
        """Return whether a label field is hidden, or refers to a model with hidden fields."""
        rule = self.rule_of(model, name)
        target = getattr(rule.field, "related_model", None)
        return rule.is_hidden or (target is not None and bool(self._hidden_names_of(target)))

    def _make_rule(
        self, registration: Registration | None, model: str, name: str, *, is_event: bool
    ) -> FieldRule:
        if registration is None:
            # This package's own events about the log have nothing confidential.
            is_own = is_event and model == Entry._meta.label_lower
            label = str(OWN_FIELD_LABELS.get(name) or _words(name))
            return FieldRule(label=label) if is_own else self._unknown(name)
        root, _, path = name.partition(".")
        field = field_of(registration.model, root)
        if field is not None and registry.keeps_secret(registration, field):
            return FieldRule(label=capfirst(str(field.verbose_name)), field=field, is_secret=True)
        confidential_rule = self._confidential_rules.covering(model, name)
        if field is None or (path and not isinstance(field, models.JSONField)):
            # An event may have names that are not fields: the project chose to log them.
            if not is_event:
                return self._unknown(name)
            return self._masked(
                registration, name, FieldRule(label=_words(name)), confidential_rule
            )
        rule = FieldRule(
            label=self._field_label(registration, field, path),
            field=None if path else field,
            value_type=_value_type(field, path),
            display=registration.display.get(name),
        )
        return self._masked(registration, name, rule, confidential_rule)

    def _field_label(self, registration: Registration, field: Any, path: str) -> str:
        label = str(capfirst(str(field.verbose_name)))
        if not path:
            return label
        own = self._labels_of_keys(registration, field.name).get(path)
        return str(own) if own else f"{label}: {path}"

    def _labels_of_keys(self, registration: Registration, name: str) -> Mapping[str, Any]:
        """Return the project's labels for the keys of a JSON field; its function is called once."""
        key = registration.model._meta.label_lower, name
        if key not in self._key_labels:
            labels_for = registration.key_labels.get(name)
            self._key_labels[key] = {} if labels_for is None else labels_for(self.reader)
        return self._key_labels[key]

    def _masked(
        self,
        registration: Registration,
        name: str,
        rule: FieldRule,
        confidential_rule: tuple[str, ConfidentialRule] | None,
    ) -> FieldRule:
        """Return the rule with the masks that hold for the reader."""
        if confidential_rule is not None:
            covering, confidential = confidential_rule
            if confidential.label and covering == name:
                rule = replace(rule, label=confidential.label)
            if not self._may_see(confidential.permission):
                return replace(
                    rule,
                    mask=confidential.mask,
                    permission=confidential.permission,
                    is_revealable=may_see(self.reader, confidential.permission),
                    display=None,
                )
        inside = self._confidential_rules.inside(registration.model._meta.label_lower, name)
        hidden = {path: key for path, key in inside.items() if not self._may_see(key.permission)}
        permissions = [key.permission for key in hidden.values()]
        return replace(
            rule,
            hidden_keys={path: key.mask for path, key in hidden.items()} or None,
            permission=permissions[0] if permissions else None,
            is_revealable=any(may_see(self.reader, permission) for permission in permissions),
        )

    def _unknown(self, name: str) -> FieldRule:
        # Its rule was lost with the field or the model. It may have been confidential.
        if self._may_see(VIEW_EVERY_CONFIDENTIAL_VALUE):
            return FieldRule(label=_words(name), is_unknown=True)
        return FieldRule(
            label=_words(name),
            mask=FULL,
            permission=VIEW_EVERY_CONFIDENTIAL_VALUE,
            is_unknown=True,
        )

    def _may_see(self, permission: str) -> bool:
        return self._shows_confidential and may_see(self.reader, permission)


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


def _loaded_records(record: models.Model, seen: dict[int, models.Model]) -> Iterator[models.Model]:
    """Yield a record and all related records that are loaded with it, each once."""
    if id(record) in seen:
        return
    seen[id(record)] = record
    yield record
    for related in list(record._state.fields_cache.values()):
        if isinstance(related, models.Model):
            yield from _loaded_records(related, seen)


_SHORTEST_VALUE_IN_TEXT = 4
"""Characters: a shorter value may be part of a text by chance."""


def _contains(text: str, value: str | None) -> bool:
    """Return whether a text contains a value, also if it is punctuated differently there."""
    if not value:
        return False
    letters = _letters_and_digits(value)
    return value in text or (
        len(letters) >= _SHORTEST_VALUE_IN_TEXT and letters in _letters_and_digits(text)
    )


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _text_of(record: models.Model, name: str) -> str:
    root, *path = name.split(".")
    value = getattr(record, root, None)
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _value_type(field: Any, path: str) -> ValueType | None:
    if path:
        return ValueType.JSON  # Keys of a JSON field have JSON values.
    return None if field.many_to_many else value_type_of(field, use_tz=settings.USE_TZ)


def _words(name: str) -> str:
    return str(capfirst(name.replace("_", " ")))
