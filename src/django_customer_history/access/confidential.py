"""What is confidential, to whomever: by registration, and by the marks of one moment."""

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
    """That a field, or what is inside it, is confidential."""

    mask: Mask
    permission: str
    """What shows it."""
    label: str = ""
    """What staff call the field; empty: its own name."""


RulesByName = Mapping[str, ConfidentialRule]
"""The names of fields, and of keys in JSON fields: `ssn`, `udf.colour`."""


class ConfidentialRules:
    """What is confidential in the models that are registered."""

    def __init__(self, marks: Iterable[ConfidentialField]) -> None:
        self._own: Mapping[str, dict[str, ConfidentialRule]] = _by_model(marks)
        self._found: dict[str, RulesByName] = {}

    def of_model(self, label: str) -> RulesByName:
        """Return what is confidential in a model, given by its label: `crm.customer`.

        That is also what is in a model that it inherits from, with a table of its own, and what
        a foreign key holds that points to a confidential column.
        """
        if label not in self._found:
            registration = registry.find(label)
            found = {} if registration is None else self._in(registration.model)
            self._found[label] = found
        return self._found[label]

    def around(self, label: str, name: str) -> tuple[str, ConfidentialRule] | None:
        """Return the protection of the name itself, or the nearest one around it; or None."""
        confidential_rules = self.of_model(label)
        for one in _itself_and_around(name):
            if one in confidential_rules:
                return one, confidential_rules[one]
        return None

    def inside(self, label: str, name: str) -> RulesByName:
        """Return the protections of what is inside a JSON field, by the paths that lead there."""
        start = f"{name}."
        return {
            protected.removeprefix(start): how
            for protected, how in self.of_model(label).items()
            if protected.startswith(start)
        }

    def _in(self, model: type[models.Model]) -> RulesByName:
        found = dict(self._with_parents(model))
        for field in model._meta.concrete_fields:
            target = column_behind(field)
            if target is not None and field.name not in found:
                held = self._with_parents(target.model).get(target.name)
                if held is not None:
                    found[field.name] = replace(held, label="")
        return found

    def _with_parents(self, model: type[models.Model]) -> RulesByName:
        found: dict[str, ConfidentialRule] = {}
        for one in (*reversed(model._meta.get_parent_list()), model):
            found |= self._own.get(one._meta.label_lower, {})
        return found


def is_part_of_a_key(field: "models.Field[Any, Any]") -> bool:
    """Return whether a field's values are in keys of rows, which no mask can hide."""
    return field.primary_key or field in field.model._meta.pk_fields


def _by_model(marks: Iterable[ConfidentialField]) -> Mapping[str, dict[str, ConfidentialRule]]:
    found: dict[str, dict[str, ConfidentialRule]] = defaultdict(dict)
    for registration in registry:
        permission = partial(confidential_permission, registration.model)
        found[registration.model._meta.label_lower] = {
            name: ConfidentialRule(mask=as_mask(mask), permission=permission(name))
            for name, mask in registration.confidential.items()
        }
    for mark in marks:
        marked = registry.find(mark.model)
        if marked is not None:
            found[mark.model][mark.field] = ConfidentialRule(
                mask=MASKS.get(mark.mask, FULL),  # A mask that is known no longer hides all.
                permission=confidential_permission(marked.model, mark.field),
                label=mark.label,
            )
    return found


def _itself_and_around(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
