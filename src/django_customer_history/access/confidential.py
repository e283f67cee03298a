"""Which fields are confidential: by registration, and by the marks that staff made."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import models

from django_customer_history.access.permissions import confidential_permission
from django_customer_history.masks import (
    FULL,
    MASKS,
    Mask,
    as_mask,
)
from django_customer_history.models import ConfidentialField
from django_customer_history.registration.registry import (
    column_behind,
    registry,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidentialRule:
    """How a confidential field is masked, and which permission shows it."""

    mask: Mask
    permission: str
    """The permission to see the value."""
    label: str = ""
    """The label that staff gave the field; empty: use the field's own."""


RulesByName = Mapping[str, ConfidentialRule]
"""Rules by the name of a field or of a key in a JSON field: `ssn`, `udf.color`."""


class ConfidentialRules:
    """The confidential fields of all registered models, under one set of marks."""

    def __init__(self, marks: Iterable[ConfidentialField]) -> None:
        self._declared: Mapping[str, dict[str, ConfidentialRule]] = _by_model(marks)
        self._by_model: dict[str, RulesByName] = {}

    def of_model(self, label: str) -> RulesByName:
        """Return the rules for the fields of a model, given by its label: `crm.customer`.

        They include the rules of parent models (multi-table inheritance). A foreign key with
        `to_field` is confidential if the field that it refers to is.
        """
        if label not in self._by_model:
            registration = registry.find(label)
            rules = {} if registration is None else self._rules_for(registration.model)
            self._by_model[label] = rules
        return self._by_model[label]

    def covering(self, label: str, name: str) -> tuple[str, ConfidentialRule] | None:
        """Return the rule that hides a field or JSON key, with the name that it was made for.

        For `udf.address.city` that is a rule for this key, else for `udf.address`, else for
        `udf`. None if there is no such rule.
        """
        rules = self.of_model(label)
        for covering in _name_and_prefixes(name):
            if covering in rules:
                return covering, rules[covering]
        return None

    def inside(self, label: str, name: str) -> RulesByName:
        """Return the rules for keys inside a JSON field, by the path from the field to the key."""
        prefix = f"{name}."
        return {
            other.removeprefix(prefix): rule
            for other, rule in self.of_model(label).items()
            if other.startswith(prefix)
        }

    def _rules_for(self, model: type[models.Model]) -> RulesByName:
        rules = dict(self._with_parents(model))
        for field in model._meta.concrete_fields:
            target = column_behind(field)
            if target is not None and field.name not in rules:
                rule = self._with_parents(target.model).get(target.name)
                if rule is not None:
                    rules[field.name] = replace(rule, label="")
        return rules

    def _with_parents(self, model: type[models.Model]) -> RulesByName:
        rules: dict[str, ConfidentialRule] = {}
        for ancestor in (*reversed(model._meta.get_parent_list()), model):
            rules |= self._declared.get(ancestor._meta.label_lower, {})
        return rules


def is_part_of_a_key(field: "models.Field[Any, Any]") -> bool:
    """Return whether a field is part of the primary key, which no mask can hide."""
    return field.primary_key or field in field.model._meta.pk_fields


def _by_model(marks: Iterable[ConfidentialField]) -> Mapping[str, dict[str, ConfidentialRule]]:
    rules: dict[str, dict[str, ConfidentialRule]] = defaultdict(dict)
    for registration in registry:
        permission = partial(confidential_permission, registration.model)
        rules[registration.model._meta.label_lower] = {
            name: ConfidentialRule(mask=as_mask(mask), permission=permission(name))
            for name, mask in registration.confidential.items()
        }
    for mark in marks:
        marked = registry.find(mark.model)
        if marked is not None:
            rules[mark.model][mark.field] = ConfidentialRule(
                mask=MASKS.get(mark.mask, FULL),  # An unknown mask hides everything.
                permission=confidential_permission(marked.model, mark.field),
                label=mark.label,
            )
    return rules


def _name_and_prefixes(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
