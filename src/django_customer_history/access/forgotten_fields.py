"""Fields that no registration knows any more, judged by the registrations that did.

A value is as confidential as its field was when the entry was written, or at any later time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django_customer_history.access.confidential import ConfidentialRule
from django_customer_history.access.permissions import confidential_permission_of
from django_customer_history.capture.registration_log import (
    FormerOptions,
    former_options,
    options_since,
)
from django_customer_history.masks import FULL, MASKS
from django_customer_history.registration.registry import is_password_name, registry

_OWN = "customer_history."
"""Begins the names of what this package's own events are about. These never were models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerRules:
    """What registrations said about fields that are gone."""

    confidential: Mapping[str, ConfidentialRule]
    secret: frozenset[str]
    fields: frozenset[str]
    """The fields that the model had when the entry was written."""

    def has_field(self, name: str) -> bool:
        """Return whether the registration of that time knew a field."""
        return name.partition(".")[0] in self.fields

    def is_secret(self, name: str) -> bool:
        """Return whether the log never had values of a field."""
        root = name.partition(".")[0]
        return root in self.secret or is_password_name(root)


class ForgottenFields:
    """The former registrations in one log. Each model is read when it is first needed."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._options: dict[str, Sequence[FormerOptions]] = {}
        self._rules: dict[tuple[str, int], FormerRules | None] = {}

    def period(self, model: str, at: UUID | None) -> int:
        """Return a number that is the same for entries with the same rules."""
        # Nothing is read for this: entries of models without forgotten fields are the rule.
        known = self._options.get(model)
        return -1 if known is None else len(self._since(model, at))

    def rules(self, model: str, at: UUID | None) -> FormerRules | None:
        """Return the rules for the forgotten fields of an entry; None: nothing is known.

        Without `at` they are the rules of the first registration and of all later ones.
        """
        if model not in self._options:
            is_own = model.startswith(_OWN) and registry.find(model) is None
            self._options[model] = () if is_own else former_options(model, using=self._using)
        since = self._since(model, at)
        if (model, len(since)) not in self._rules:
            self._rules[model, len(since)] = _rules(model, since) if since else None
        return self._rules[model, len(since)]

    def _since(self, model: str, at: UUID | None) -> Sequence[FormerOptions]:
        options = self._options[model]
        return options if at is None else options_since(options, at)


def _rules(model: str, options: Sequence[FormerOptions]) -> FormerRules:
    rules: dict[str, ConfidentialRule] = {}
    for one in options:
        for name, mask_name in one.confidential.items():
            mask = MASKS.get(mask_name, FULL)  # A mask of the project is not known any more.
            if name in rules and rules[name].mask != mask:
                mask = FULL
            rules[name] = ConfidentialRule(
                mask=mask, permission=confidential_permission_of(model, name)
            )
    return FormerRules(
        confidential=rules,
        secret=frozenset(name for one in options for name in one.secret),
        fields=options[0].fields,
    )
