"""What one reader may see of the values in the log, by registration and by run-time marks.

The tab, REST, search, facets and exports all ask here; what is not known is hidden.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.text import capfirst

from django_customer_history.conf import masked_until_revealed
from django_customer_history.masks import FULL, MASKS, Mask, as_mask
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.permissions import (
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    Reader,
    confidential_permission,
    may_see,
)
from django_customer_history.registry import Registration, registry
from django_customer_history.tables import Form
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import form_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is known of a field of an entry, and what the reader may see of it."""

    label: str
    field: Any = None
    form: Form | None = None
    mask: Mask | None = None
    """How the value is masked; None: it is not."""
    permission: str | None = None
    """What would show the value, where it is masked or has hidden keys."""
    is_secret: bool = False
    hidden_keys: Mapping[str, Mask] | None = None
    """Paths inside a JSON value that are masked, with their masks."""

    @property
    def is_hidden(self) -> bool:
        """Whether the reader may see nothing of the value but its mask."""
        return self.is_secret or self.mask is not None

    def redacted(self, text: str | None) -> str | None:
        """Return as much of a text of the log as the reader may see, or None."""
        if text is None or self.is_secret:
            return None
        if self.mask is not None:
            value = decode(text, self.form) if self.form is Form.JSON else text
            return self.mask(value if isinstance(value, str) else text)
        return _without_keys(text, self.hidden_keys) if self.hidden_keys else text


@dataclass(frozen=True, slots=True)
class Protection:
    """That a field, or what is inside it, is confidential."""

    mask: Mask
    label: str = ""


class Sight:
    """What a reader may see, under the marks of one moment.

    What is shown must come of the very statement that read the marks, or of an earlier one:
    so no value is ever seen under marks that are older than itself. With `is_revealing` it is
    an explicit look, which shows also what stays masked until then.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        marks: Iterable[ConfidentialField],
        using: str,
        is_revealing: bool = False,
    ) -> None:
        self.reader = reader
        self._shows_confidential = is_revealing or not masked_until_revealed()
        self._marks = marks
        self.using = using
        self._rules: dict[tuple[str, str, bool], Rule] = {}

    def rule(self, entry: Entry, name: str) -> Rule:
        """Return the rule for a field of an entry."""
        return self.rule_of(entry.entity_model, name, is_event=entry.kind == "event")

    def rule_of(self, model: str, name: str, *, is_event: bool = False) -> Rule:
        """Return the rule for a field of a model, given by its label; unknown ones are hidden."""
        asked = (model, name, is_event)
        if asked not in self._rules:
            self._rules[asked] = self._find(registry.find(model), model, name, is_event=is_event)
        return self._rules[asked]

    def is_confidential(self, entry: Entry, name: str) -> bool:
        """Return whether a field of an entry is confidential, to whomever."""
        return self._protection(entry.entity_model, name) is not None or any(
            protected.startswith(f"{name}.") for protected in self._protections[entry.entity_model]
        )

    def label(self, model: str, label: str | None, *, record: Any = None) -> str | None:
        """Return a record's name, hidden where the reader may not see what it is made of.

        `record` is the record that the name was just made from, where it exists.
        """
        registration = registry.find(model)
        if registration is None or not label:
            return label
        if any(self.rule_of(model, name).is_hidden for name in registration.label):
            return FULL(label)
        if not registration.label and record is not None and self._shows(model, record, label):
            return FULL(label)
        return label

    def _shows(self, model: str, record: Any, label: str) -> bool:
        # A model's own __str__ may be made of anything.
        for name in self._protections[model]:
            value = getattr(record, name, None)
            if (
                value not in (None, "")
                and str(value) in label
                and self.rule_of(model, name).is_hidden
            ):
                return True
        return False

    def _find(
        self, registration: Registration | None, model: str, name: str, *, is_event: bool
    ) -> Rule:
        if registration is None:
            # What this package itself writes down about the log is free to be read.
            is_own = is_event and model == Entry._meta.label_lower
            return Rule(label=_words(name)) if is_own else self._unknown(name)
        root, _, path = name.partition(".")
        known = field_of(registration.model, root)
        if known is not None and registration.is_secret(known):
            return Rule(label=capfirst(str(known.verbose_name)), field=known, is_secret=True)
        protection = self._protection(model, name)
        if known is None or (path and not isinstance(known, models.JSONField)):
            # An event may speak of what is no field; its project chose to write it down.
            if not is_event:
                return self._unknown(name)
            return self._protected(registration, name, Rule(label=_words(name)), protection)
        rule = Rule(
            label=_label(known, path),
            field=None if path else known,
            form=_form(known, path),
        )
        return self._protected(registration, name, rule, protection)

    def _protected(
        self,
        registration: Registration,
        name: str,
        rule: Rule,
        protection: tuple[str, Protection] | None,
    ) -> Rule:
        label = rule.label
        if protection is not None:
            protected, how = protection
            if how.label and protected == name:
                label = how.label
            permission = confidential_permission(registration.model, protected)
            if not self._may_see(permission):
                return Rule(
                    label=label,
                    field=rule.field,
                    form=rule.form,
                    mask=how.mask,
                    permission=permission,
                )
        hidden = self._hidden_keys(registration, name)
        permissions = [
            confidential_permission(registration.model, f"{name}.{key}") for key in hidden
        ]
        return Rule(
            label=label,
            field=rule.field,
            form=rule.form,
            hidden_keys=hidden or None,
            permission=permissions[0] if permissions else None,
        )

    def _hidden_keys(self, registration: Registration, name: str) -> dict[str, Mask]:
        start = f"{name}."
        return {
            protected.removeprefix(start): how.mask
            for protected, how in self._protections[registration.model._meta.label_lower].items()
            if protected.startswith(start)
            and not self._may_see(confidential_permission(registration.model, protected))
        }

    def _unknown(self, name: str) -> Rule:
        # The rule that once held is gone with the field or the model: hide it, to be safe.
        if self._may_see(VIEW_EVERY_CONFIDENTIAL_VALUE):
            return Rule(label=_words(name))
        return Rule(label=_words(name), mask=FULL, permission=VIEW_EVERY_CONFIDENTIAL_VALUE)

    def _may_see(self, permission: str) -> bool:
        return self._shows_confidential and may_see(self.reader, permission)

    def _protection(self, model: str, name: str) -> tuple[str, Protection] | None:
        """Return the protection of the name itself, or the nearest one around it."""
        protections = self._protections[model]
        for around in _itself_and_around(name):
            if around in protections:
                return around, protections[around]
        return None

    @cached_property
    def _protections(self) -> Mapping[str, Mapping[str, Protection]]:
        found: dict[str, dict[str, Protection]] = defaultdict(dict)
        for registration in registry:
            label = registration.model._meta.label_lower
            for name, mask in registration.confidential.items():
                found[label][name] = Protection(as_mask(mask))
        for mark in self._marks:
            # A mask that is known no longer hides all.
            found[mark.model][mark.field] = Protection(MASKS.get(mark.mask, FULL), mark.label)
        return found


def field_of(model: type[models.Model], name: str) -> Any:
    """Return a model's field, or None where it has none of that name."""
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, models.Field) else None


def _itself_and_around(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _without_keys(text: str, hidden: Mapping[str, Mask]) -> str | None:
    try:
        value = json.loads(text)
    except ValueError:
        return FULL(text)
    for path, mask in hidden.items():
        value = _without_key(value, path, mask)
    return json.dumps(value, ensure_ascii=False)


def _without_key(value: Any, path: str, mask: Mask) -> Any:
    if isinstance(value, list):
        return [_without_key(one, path, mask) for one in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for key, inner in value.items():
        if key == path:
            text = inner if isinstance(inner, str | None) else json.dumps(inner)
            shown[key] = mask(text)
        elif path.startswith(f"{key}."):
            shown[key] = _without_key(inner, path.removeprefix(f"{key}."), mask)
        else:
            shown[key] = inner
    return shown


def _form(field: Any, path: str) -> Form | None:
    if path:
        return Form.JSON  # A JSON field that is logged key by key has JSON under each.
    return None if field.many_to_many else form_of(field, use_tz=settings.USE_TZ)


def _label(field: Any, path: str) -> str:
    label = capfirst(str(field.verbose_name))
    return f"{label}: {path}" if path else str(label)


def _words(name: str) -> str:
    return str(capfirst(name.replace("_", " ")))
