"""How the changes of an entry are read: the same for all entries with the same fields.

A plan is made once for each combination of fields, by the rules that hold for the reader.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.field_rules import EntryRules, FieldRule
from django_customer_history.models import Entry
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.values.rendering import json_function, type_of


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How the values of a field are read."""

    name: str
    rule: FieldRule
    type: str
    """The name of the field's type in the JSON."""
    target: tuple[str, str] | None
    """The model that the field refers to, and the attribute that it refers by."""
    json_value: Callable[[str | None], Any]
    """Makes a JSON value of a text."""


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """How the changes of an entry are read."""

    fields: tuple[FieldPlan, ...]
    """The fields in the order of the model; unknown names come last."""
    rules: EntryRules
    references: tuple[tuple[str, tuple[str, str]], ...]
    """The fields that refer to records which the reader may see, with their targets."""


@dataclass(frozen=True, slots=True)
class FieldPlans:
    """The plans for some entries, for one reader."""

    access: FieldAccess
    _plans: dict[EntryRules, EntryPlan] = field(default_factory=dict)
    _positions: dict[str, Mapping[str, int]] = field(default_factory=dict)

    def of(self, entry: Entry) -> EntryPlan:
        """Return the plan for an entry."""
        rules = self.access.rules(entry)
        plan = self._plans.get(rules)
        if plan is None:
            plan = self._plans[rules] = self._made(entry.entity_model, rules)
        return plan

    def _made(self, model: str, rules: EntryRules) -> EntryPlan:
        positions = self._positions_in(model)

        def position(name: str) -> tuple[int, str]:
            return positions.get(name.partition(".")[0], len(positions)), name

        fields = tuple(
            _field_plan(name, rules.by_name[name]) for name in sorted(rules.by_name, key=position)
        )
        in_order = {one.name: one for one in fields}
        references = [
            (name, target)
            for name in rules.by_name
            if not in_order[name].rule.is_hidden and (target := in_order[name].target)
        ]
        return EntryPlan(fields, rules, tuple(references))

    def _positions_in(self, model: str) -> Mapping[str, int]:
        if model not in self._positions:
            registration = registry.find(model)
            fields = registration.model._meta.get_fields() if registration else []
            self._positions[model] = {one.name: number for number, one in enumerate(fields)}
        return self._positions[model]


def target_of(model_field: Any) -> tuple[str, str] | None:
    """Return the model that a field refers to, and the attribute that it refers by; or None."""
    related = getattr(model_field, "related_model", None)
    if related is None:
        return None
    target = getattr(model_field, "target_field", None) if model_field.many_to_one else None
    is_key = target is None or target.primary_key
    return label_of(related), "pk" if is_key else str(getattr(target, "attname", ""))


def _field_plan(name: str, rule: FieldRule) -> FieldPlan:
    return FieldPlan(
        name=name,
        rule=rule,
        type="secret" if rule.is_secret else type_of(rule.field, rule.value_type),
        target=target_of(rule.field),
        json_value=json_function(rule.value_type),
    )
