"""What one reader may see of the values in the log, by registration and by run-time marks.

The tab, REST, search, facets and exports all ask here; what is not known is hidden.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
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
from django_customer_history.capture.registration_log import FormerLabels
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
from django_customer_history.registration.options import EventName
from django_customer_history.registration.registry import (
    Registration,
    label_of,
    registry,
)
from django_customer_history.values.encoding import value_type_of
from django_customer_history.values.rendering import sendable_text
from django_customer_history.values.types import ValueType


class FieldAccess:
    """What a reader may see, under the marks of one moment.

    What is shown must come of the very statement that read the marks, or of an earlier one:
    so no value is ever seen under marks that are older than itself. With `is_revealing` it is
    an explicit look, which shows also what stays masked until then.
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
        self._hidden: dict[type[models.Model], tuple[str, ...]] = {}

    def rule(self, entry: Entry, name: str) -> FieldRule:
        """Return the rule for a field of an entry."""
        # What a row held is as confidential as a change of it.
        is_event = entry.kind == "event" and not entry.is_baseline
        return self.rule_of(entry.entity_model, name, is_event=is_event)

    def rule_of(self, model: str, name: str, *, is_event: bool = False) -> FieldRule:
        """Return the rule for a field of a model, given by its label; unknown ones are hidden."""
        asked = (model, name, is_event)
        if asked not in self._rules:
            self._rules[asked] = self._find(registry.find(model), model, name, is_event=is_event)
        return self._rules[asked]

    def is_confidential(self, entry: Entry, name: str) -> bool:
        """Return whether a field of an entry is confidential, to whomever.

        One that no registration knows any more is, as the rule that it had is not known.
        """
        model = entry.entity_model
        return (
            self.rule(entry, name).is_forgotten
            or self._confidential_rules.around(model, name) is not None
            or bool(self._confidential_rules.inside(model, name))
        )

    def withheld(self, models: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the fields of some models that an export would mask."""
        exporting = FieldAccess(self.reader, marks=self._marks, using=self.using, is_revealing=True)
        exporting._key_labels = self._key_labels
        rules = (
            exporting.rule_of(model, name)
            for model in models
            for name in sorted(self._confidential_rules.of_model(model))
        )
        return tuple(dict.fromkeys(rule.label for rule in rules if rule.mask is not None))

    def action(self, entry: Entry) -> str:
        """Return what an entry is called, without what tells a value that the reader may not see.

        Where its name stands for one value of a hidden field, it is called as if the
        registration had not named that value.
        """
        registration = registry.find(entry.entity_model)
        if registration is None or entry.kind == "event":
            return entry.action
        telling = [
            event
            for event in registration.events
            if event.value is not None and self._hides(entry.entity_model, event.field)
        ]
        if all(event.action != entry.action for event in telling):
            return entry.action
        return _action(registration, entry, without=telling)

    def label(self, model: str, label: str | None, *, record: Any = None) -> str | None:
        """Return a record's name, hidden where the reader may not see what it is made of.

        `record` is the record that the name was just made from, where it exists. A name that
        the log has was made of the fields that the registration names, now or formerly; of a
        model without such it was made of nobody knows what.
        """
        if not label:
            return label
        registration = registry.find(model)
        named = () if registration is None else registration.label
        if record is None:
            named = (*named, *self._former_labels.get(model, ()))
            is_hidden = not named and not self._may_see(VIEW_EVERY_CONFIDENTIAL_VALUE)
        else:
            is_hidden = not named and self.hides(label, record=record)
        is_hidden = is_hidden or any(self._hides_in_name(model, name) for name in named)
        return FULL(label) if is_hidden else sendable_text(label)

    def label_then(self, entry: Entry, *, record: models.Model | None = None) -> str | None:
        """Return the name that a row had when an entry was written.

        It may have been made of other fields than the log knows of, so it is hidden as well where
        a hidden value of the entry, or of the record as it is, stands in it.
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
            hidden += [_text_of(record, name) for name in self._hidden_names(type(record))]
        long = [value for value in hidden if value and len(value) >= _SHORTEST_LOOKED_FOR]
        return FULL(label) if any(_is_in(label, value) for value in long) else label

    def hides(self, text: str, *, record: models.Model) -> bool:
        """Return whether a text made of a record has a value in it that the reader may not see.

        A model's own `__str__` and `get_absolute_url` may be made of anything: of the record,
        and of the records that it has led to, which are loaded then.
        """
        return any(
            _is_in(text, _text_of(one, name))
            for one in _loaded(record, {})
            for name in self._hidden_names(type(one))
        )

    def _hidden_names(self, model: type[models.Model]) -> tuple[str, ...]:
        if model not in self._hidden:
            self._hidden[model] = tuple(self._find_hidden_names(label_of(model)))
        return self._hidden[model]

    def _find_hidden_names(self, label: str) -> Iterator[str]:
        registration = registry.find(label)
        if registration is None:
            return
        for name in self._confidential_rules.of_model(label):
            if self.rule_of(label, name).is_hidden:
                yield name
        for field in registration.model._meta.concrete_fields:
            if registry.keeps_secret(registration, field):
                yield field.name

    def _hides(self, model: str, name: str) -> bool:
        rule = self.rule_of(model, name)
        return rule.is_hidden or bool(rule.hidden_keys)

    def _hides_in_name(self, model: str, name: str) -> bool:
        """Return whether a field that a name is made of is hidden, or may lead to what is."""
        rule = self.rule_of(model, name)
        target = getattr(rule.field, "related_model", None)
        return rule.is_hidden or (target is not None and bool(self._hidden_names(target)))

    def _find(
        self, registration: Registration | None, model: str, name: str, *, is_event: bool
    ) -> FieldRule:
        if registration is None:
            # What this package itself writes down about the log is free to be read.
            is_own = is_event and model == Entry._meta.label_lower
            label = str(OWN_FIELD_LABELS.get(name) or _words(name))
            return FieldRule(label=label) if is_own else self._unknown(name)
        root, _, path = name.partition(".")
        known = field_of(registration.model, root)
        if known is not None and registry.keeps_secret(registration, known):
            return FieldRule(label=capfirst(str(known.verbose_name)), field=known, is_secret=True)
        confidential_rule = self._confidential_rules.around(model, name)
        if known is None or (path and not isinstance(known, models.JSONField)):
            # An event may speak of what is no field; its project chose to write it down.
            if not is_event:
                return self._unknown(name)
            return self._protected(
                registration, name, FieldRule(label=_words(name)), confidential_rule
            )
        rule = FieldRule(
            label=self._label(registration, known, path),
            field=None if path else known,
            value_type=_value_type(known, path),
            display=registration.display.get(name),
        )
        return self._protected(registration, name, rule, confidential_rule)

    def _label(self, registration: Registration, field: Any, path: str) -> str:
        label = str(capfirst(str(field.verbose_name)))
        if not path:
            return label
        own = self._labels_of_keys(registration, field.name).get(path)
        return str(own) if own else f"{label}: {path}"

    def _labels_of_keys(self, registration: Registration, name: str) -> Mapping[str, Any]:
        """Return what the host calls the keys of a JSON field; it is asked once a page."""
        place = registration.model._meta.label_lower, name
        if place not in self._key_labels:
            labels_for = registration.key_labels.get(name)
            self._key_labels[place] = {} if labels_for is None else labels_for(self.reader)
        return self._key_labels[place]

    def _protected(
        self,
        registration: Registration,
        name: str,
        rule: FieldRule,
        confidential_rule: tuple[str, ConfidentialRule] | None,
    ) -> FieldRule:
        if confidential_rule is not None:
            protected, how = confidential_rule
            if how.label and protected == name:
                rule = replace(rule, label=how.label)
            if not self._may_see(how.permission):
                return replace(
                    rule,
                    mask=how.mask,
                    permission=how.permission,
                    is_revealable=may_see(self.reader, how.permission),
                    display=None,
                )
        inside = self._confidential_rules.inside(registration.model._meta.label_lower, name)
        hidden = {path: one for path, one in inside.items() if not self._may_see(one.permission)}
        permissions = [one.permission for one in hidden.values()]
        return replace(
            rule,
            hidden_keys={path: one.mask for path, one in hidden.items()} or None,
            permission=permissions[0] if permissions else None,
            is_revealable=any(may_see(self.reader, one) for one in permissions),
        )

    def _unknown(self, name: str) -> FieldRule:
        # The rule that once held is gone with the field or the model: hide it, to be safe.
        if self._may_see(VIEW_EVERY_CONFIDENTIAL_VALUE):
            return FieldRule(label=_words(name), is_forgotten=True)
        return FieldRule(
            label=_words(name),
            mask=FULL,
            permission=VIEW_EVERY_CONFIDENTIAL_VALUE,
            is_forgotten=True,
        )

    def _may_see(self, permission: str) -> bool:
        return self._shows_confidential and may_see(self.reader, permission)


def field_of(model: type[models.Model], name: str) -> Any:
    """Return a model's field, or None where it has none of that name."""
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, models.Field) else None


def _action(registration: Registration, entry: Entry, *, without: Sequence[EventName]) -> str:
    """Return what the trigger would have called an entry, had some values no names."""
    for event in registration.events:
        if event not in without and _is_named_by(event, entry):
            return event.action
    for field in registration.model._meta.concrete_fields:
        is_secret = registry.keeps_secret(registration, field)
        if entry.kind == "update" and field.name in entry.changes and is_secret:
            return f"{capfirst(field.name.replace('_', ' '))} changed"
    return DEFAULT_ACTIONS[cast("Kind", entry.kind)]


def _is_named_by(event: EventName, entry: Entry) -> bool:
    if event.field not in entry.changes:
        return event.field == entry.kind
    if event.value is None:
        return entry.kind == "update"
    return entry.kind in ("create", "update") and entry.changes[event.field][1] == event.value


def _loaded(record: models.Model, seen: dict[int, models.Model]) -> Iterator[models.Model]:
    """Yield a record and all that it has at hand by its relations, each once."""
    if id(record) in seen:
        return
    seen[id(record)] = record
    yield record
    for related in list(record._state.fields_cache.values()):
        if isinstance(related, models.Model):
            yield from _loaded(related, seen)


_SHORTEST_LOOKED_FOR = 4
"""Characters: a shorter value may stand in a text by chance."""


def _is_in(text: str, value: str | None) -> bool:
    """Return whether a value is in a text, also if it was written in another way there."""
    if not value:
        return False
    bare = _bare(value)
    return value in text or (len(bare) >= _SHORTEST_LOOKED_FOR and bare in _bare(text))


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _text_of(record: models.Model, name: str) -> str:
    root, *path = name.split(".")
    value = getattr(record, root, None)
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _value_type(field: Any, path: str) -> ValueType | None:
    if path:
        return ValueType.JSON  # A JSON field that is logged key by key has JSON under each.
    return None if field.many_to_many else value_type_of(field, use_tz=settings.USE_TZ)


def _words(name: str) -> str:
    return str(capfirst(name.replace("_", " ")))
