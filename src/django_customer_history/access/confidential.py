"""Which fields are confidential: by registration, and by the marks that staff made.

A mark can only hide more. Where a registration and marks are about the same values, the
registration's permission shows them, and their masks show no more than the registration's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from django.db import models

from django_customer_history.access.former_marks import FormerMark
from django_customer_history.access.permissions import (
    confidential_permission,
    confidential_permission_name,
)
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
    sources_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidentialRule:
    """How a confidential field is masked, and which permission shows it."""

    mask: Mask
    permission: str
    """The permission to see the value."""
    name_of_permission: str = ""
    """`Permission.name` of it; empty: it is not known, as the field or the mark was removed."""
    label: str = ""
    """The label that staff gave the field; empty: use the field's own."""
    model: type[models.Model] | None = None
    """The model of the objects that the permission can be given for; None: not for objects."""
    is_mark: bool = False
    """Whether staff made it, and no registration has one for the same name."""

    @property
    def permission_name(self) -> str:
        """What people call the permission that shows the value."""
        return self.name_of_permission or self.permission


RulesByName = Mapping[str, ConfidentialRule]
"""Rules by the name of a field or of a key in a JSON field: `ssn`, `udf.color`."""


class ConfidentialRules:
    """The confidential fields of all registered models, under one set of marks."""

    def __init__(
        self, marks: Iterable[ConfidentialField], *, former: Iterable[FormerMark] = ()
    ) -> None:
        self._declared: Mapping[str, dict[str, ConfidentialRule]] = _by_model(marks, former)
        self._by_model: dict[str, RulesByName] = {}

    def of_model(self, label: str) -> RulesByName:
        """Return the rules for the fields of a model, given by its label: `crm.customer`.

        They include the rules of parent models (multi-table inheritance), and those of children
        for fields of the model. A foreign key with `to_field` is confidential if the field that it
        refers to is, and a generated field if a field that it is made of is.
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
        return covering_rule(self.of_model(label), name)

    def inside(self, label: str, name: str) -> RulesByName:
        """Return the rules for keys inside a JSON field, by the path from the field to the key."""
        return rules_inside(self.of_model(label), name)

    def _rules_for(self, model: type[models.Model]) -> RulesByName:
        rules = dict(self._with_parents(model))
        for field in model._meta.concrete_fields:
            target = column_behind(field)
            if target is not None and field.name not in rules:
                rule = self._with_parents(target.model).get(target.name)
                if rule is not None:
                    rules[field.name] = replace(rule, label="", model=None)
        for field in model._meta.concrete_fields:
            for source in sources_of(field):
                if field.name not in rules and source.name in rules:
                    # The mask is made for the value of the source.
                    rules[field.name] = replace(rules[source.name], mask=FULL, label="")
        return rules

    def _with_parents(self, model: type[models.Model]) -> RulesByName:
        rules: dict[str, ConfidentialRule] = {}
        names = {field.name for field in model._meta.get_fields()}
        for registration in registry:
            if registration.model is not model and issubclass(registration.model, model):
                # A child's rule for a field of the parent: the entries of both have its value.
                of_child = self._declared.get(registration.model._meta.label_lower, {})
                for name, rule in of_child.items():
                    if name.partition(".")[0] in names:
                        rules.setdefault(name, rule)
        for ancestor in (*reversed(model._meta.get_parent_list()), model):
            for name, rule in self._declared.get(ancestor._meta.label_lower, {}).items():
                inherited = rules.get(name)
                is_weaker = rule.is_mark and inherited is not None
                rules[name] = _with_mark(inherited, rule) if is_weaker and inherited else rule
        return rules


def covering_rule(rules: RulesByName, name: str) -> tuple[str, ConfidentialRule] | None:
    """Return the rule that hides a field or JSON key, with the name that it was made for."""
    found = [(one, rules[one]) for one in _name_and_prefixes(name) if one in rules]
    if not found:
        return None
    covering, rule = found[0]
    broader = [other for _name, other in found[1:] if rule.is_mark or other.is_mark]
    for other in broader:
        rule = _with_mark(other, rule) if rule.is_mark else _with_mark(rule, other)
    return covering, rule


def rules_inside(rules: RulesByName, name: str) -> RulesByName:
    """Return the rules for keys inside a JSON field, by the path from the field to the key."""
    prefix = f"{name}."
    return {
        other.removeprefix(prefix): rule
        for other, rule in rules.items()
        if other.startswith(prefix)
    }


def is_weaker(mask: str, registered: Mask) -> bool:
    """Return whether a mark with a mask would show more than the registered mask does."""
    return mask not in (FULL.name, registered.name)


def _by_model(
    marks: Iterable[ConfidentialField], former: Iterable[FormerMark]
) -> Mapping[str, dict[str, ConfidentialRule]]:
    rules: dict[str, dict[str, ConfidentialRule]] = defaultdict(dict)
    for registration in registry:
        permission = partial(confidential_permission, registration.model)
        name_of_permission = partial(confidential_permission_name, registration.model)
        rules[registration.model._meta.label_lower] = {
            name: ConfidentialRule(
                mask=as_mask(mask),
                permission=permission(name),
                name_of_permission=name_of_permission(name),
                model=registration.model,
            )
            for name, mask in registration.confidential.items()
        }
    all_marks: list[ConfidentialField | FormerMark] = [*marks, *former]
    for mark in all_marks:
        marked = registry.find(mark.model)
        if marked is not None:
            own = rules[mark.model]
            rule = ConfidentialRule(
                mask=MASKS.get(mark.mask, FULL),  # An unknown mask hides everything.
                permission=confidential_permission(marked.model, mark.field),
                name_of_permission=_name_of_permission(mark),
                label=getattr(mark, "label", ""),
                model=marked.model,
                is_mark=True,
            )
            known = own.get(mark.field)
            if known is not None:
                name = rule.name_of_permission or known.name_of_permission
                rule = replace(_with_mark(known, rule), name_of_permission=name)
            own[mark.field] = rule
    return rules


def _name_of_permission(mark: ConfidentialField | FormerMark) -> str:
    registration = registry.find(mark.model)
    if registration is None or isinstance(mark, FormerMark):
        return ""
    return confidential_permission_name(registration.model, mark.field, mark.label)


def _with_mark(rule: ConfidentialRule, mark: ConfidentialRule) -> ConfidentialRule:
    """Return a rule that a mark makes stricter, never weaker."""
    is_same = mark.mask == rule.mask
    # Another mark's mask, or that of a former mark, may show other characters: hide them all.
    both = rule.mask if is_same or (not rule.is_mark and mark.mask is not FULL) else FULL
    return replace(rule, mask=both, label=mark.label or rule.label)


def _name_and_prefixes(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
