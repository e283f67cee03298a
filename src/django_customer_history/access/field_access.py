"""Which values of the log one reader may see, by registration and by the marks of staff.

The tab, REST, search, facets and exports all use this. Fields that no registration knows any more
are judged by the registrations that were in force when the entry was written, and later. Fields
that the log does not know are hidden.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext

from django_customer_history.access.confidential import (
    ConfidentialRule,
    ConfidentialRules,
    covering_rule,
    rules_inside,
)
from django_customer_history.access.field_rules import EntryRules, FieldRule
from django_customer_history.access.forgotten_fields import ForgottenFields
from django_customer_history.access.former_marks import KIND as MARK
from django_customer_history.access.former_marks import FormerMark, former_marks
from django_customer_history.access.hidden_keys import shows_key
from django_customer_history.access.object_permissions import ObjectPermissions
from django_customer_history.access.permissions import (
    NAME_OF_VIEW_EVERY_CONFIDENTIAL_VALUE,
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    Reader,
)
from django_customer_history.access.reader_labels import ReaderLabels
from django_customer_history.capture.registration_log import (
    FormerLabels,
    changed_registrations,
    former_labels,
)
from django_customer_history.conf import mask_until_revealed
from django_customer_history.labels import OWN_FIELD_LABELS, OWN_MODEL_LABELS
from django_customer_history.masks import FULL
from django_customer_history.models import (
    ConfidentialField,
    Entry,
    marks_for,
)
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.registration.renames import KIND as RENAME
from django_customer_history.registration.renames import renames
from django_customer_history.values.encoding import value_type_of
from django_customer_history.values.types import ValueType

_OWN_EVENTS = (Entry._meta.label_lower, *OWN_MODEL_LABELS)
"""What this package's own events are about that contain nothing confidential."""


class FieldAccess(ReaderLabels):
    """Which fields and labels one reader may see, under one set of marks.

    Read the marks after the entries, so that no value is ever shown under marks that are older
    than the value. `former_labels` are the fields that labels in the log were once made of.
    `former_marks` still hold for what was recorded under them. With `is_revealing`, values are
    shown that `MASK_UNTIL_REVEALED` masks in lists.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        marks: Sequence[ConfidentialField],
        using: str,
        former_labels: FormerLabels = MappingProxyType({}),
        former_marks: Sequence[FormerMark] = (),
        is_revealing: bool = False,
    ) -> None:
        self.reader = reader
        self.using = using
        self._shows_confidential = is_revealing or not mask_until_revealed()
        self._marks = marks
        self._former_marks = former_marks
        self._ends_of_marks = [one.until for one in former_marks]
        self._rules_by_epoch: dict[int, ConfidentialRules] = {}
        self._former_labels = former_labels
        self._permissions = ObjectPermissions(reader)
        self._forgotten = ForgottenFields(using)
        self._rules: dict[tuple[Any, ...], FieldRule] = {}
        self._rules_of_entries: dict[tuple[Any, ...], EntryRules] = {}
        self._are_fields: dict[tuple[str, str], bool] = {}
        self._key_labels: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._hidden_names = {}
        self._hides_label = {}
        self._events_of_values = {}

    @classmethod
    def load(cls, reader: Reader, *, using: str, is_revealing: bool = False) -> Self:
        """Return what a reader may see by the marks that are in the database now.

        It takes two statements: the marks, and the entries about marks, renames and
        registrations that changed.
        """
        marks = marks_for(using)
        entries = list(changed_registrations(MARK, RENAME).using(using))
        renames.read((one for one in entries if one.entity_model == RENAME), using=using)
        return cls(
            reader,
            marks=marks,
            using=using,
            former_labels=former_labels(entries, using=using),
            former_marks=former_marks((one for one in entries if one.entity_model == MARK), marks),
            is_revealing=is_revealing,
        )

    def prepare(self, entries: Sequence[Entry], *, loaded: Sequence[models.Model] = ()) -> None:
        """Load what backends for object permissions have to be asked about, at once.

        `loaded` are records that need no statement.
        """
        about = (
            (one.entity_model, one.entity_id)
            for one in entries
            if self._confidential_rules(one.id).of_model(one.entity_model)
        )
        self._permissions.load(about, entry=entries[0] if entries else None, loaded=loaded)

    def prepared(self, model: str, key: str) -> models.Model | None:
        """Return a record that `prepare` loaded, or None."""
        return self._permissions.loaded(model, key)

    def rule(self, entry: Entry, name: str) -> FieldRule:
        """Return the rule for a field of an entry."""
        # A baseline has the values of fields: it follows the rules of fields, not of events.
        is_event = entry.kind == "event" and not entry.is_baseline
        return self.rule_of(
            entry.entity_model, name, is_event=is_event, at=entry.id, key=entry.entity_id
        )

    def rule_of(
        self,
        model: str,
        name: str,
        *,
        is_event: bool = False,
        at: UUID | None = None,
        key: str | None = None,
    ) -> FieldRule:
        """Return the rule for a field of a model, given by its label; unknown fields are hidden.

        With `is_event` the name comes from an event, which may have names that are not fields.
        `at` is the entry that has the value, None for a value of today; `key` is the key of the
        record, for permissions that readers have for single records.
        """
        circumstances = self._circumstances_of((name,), model, at, key)
        cached = (model, name, is_event, *circumstances)
        if cached not in self._rules:
            record = circumstances[-1]
            rule = self._make_rule(
                registry.find(model), model, name, is_event=is_event, at=at, record=record
            )
            # The period of a model is known once a forgotten field of it was looked up.
            cached = (model, name, is_event, *self._circumstances_of((name,), model, at, key))
            self._rules[cached] = rule
        return self._rules[cached]

    def rules(self, entry: Entry) -> EntryRules:
        """Return the rules for all fields of an entry, in its order.

        Entries with the same fields share them, unless something else holds for their values.
        """
        is_event = entry.kind == "event" and not entry.is_baseline
        model, names = entry.entity_model, tuple(entry.changes)
        about = (names, model, entry.id, entry.entity_id)
        cached = (model, is_event, names, *self._circumstances_of(*about))
        found = self._rules_of_entries.get(cached)
        if found is None:
            found = EntryRules(by_name={name: self.rule(entry, name) for name in names})
            circumstances = self._circumstances_of(*about)
            self._rules_of_entries[(model, is_event, names, *circumstances)] = found
        return found

    def _circumstances(
        self, model: str, at: UUID | None, key: str | None
    ) -> tuple[int, int, tuple[str, str] | None]:
        """Return what decides about the rules of a field, apart from its name."""
        record = (model, key) if key is not None and self._permissions.are_asked else None
        epoch = self._epoch(at) if self._former_marks else 0
        return epoch, self._forgotten.period(model, at), record

    def _circumstances_of(
        self, names: Iterable[str], model: str, at: UUID | None, key: str | None
    ) -> tuple[int, int, tuple[str, str] | None]:
        """Return the same for some fields: without the record, unless one can be confidential.

        Of a name that is not a field any more, an old registration may say that it was.
        """
        if key is not None and self._permissions.are_asked:
            is_open = not self._confidential_rules(at).of_model(model)
            if is_open and all(self._is_field(model, name) for name in names):
                key = None
        return self._circumstances(model, at, key)

    def _is_field(self, model: str, name: str) -> bool:
        if (model, name) not in self._are_fields:
            registration = registry.find(model)
            root, _, path = name.partition(".")
            field = None if registration is None else field_of(registration.model, root)
            self._are_fields[model, name] = _is_known(field, path)
        return self._are_fields[model, name]

    def revealed(self, entry: Entry) -> list[str]:
        """Return the fields and JSON keys whose confidential values the reader sees in an entry."""
        shown = []
        for name, rule in self.rules(entry).by_name.items():
            old, new = entry.changes[name]
            if rule.is_hidden or (old is None and new is None):
                continue
            if rule.is_confidential:
                shown.append(name)
            shown += [
                f"{name}.{path}"
                for path in rule.shown_keys
                if shows_key(old, path) or shows_key(new, path)
            ]
        return sorted(shown)

    def masked_in_exports(self, models: Iterable[str]) -> tuple[str, ...]:
        """Return the labels of the fields of some models that an export masks for the reader."""
        exporting = FieldAccess(self.reader, marks=self._marks, using=self.using, is_revealing=True)
        exporting._key_labels = self._key_labels
        rules = (
            exporting.rule_of(model, name)
            for model in models
            for name in sorted(self._confidential_rules(None).of_model(model))
        )
        return tuple(dict.fromkeys(rule.label for rule in rules if rule.mask is not None))

    def _make_rule(
        self,
        registration: Registration | None,
        model: str,
        name: str,
        *,
        is_event: bool,
        at: UUID | None,
        record: tuple[str, str] | None,
    ) -> FieldRule:
        if registration is None and is_event and model in _OWN_EVENTS:
            return FieldRule(label=str(OWN_FIELD_LABELS.get(name) or _words(name)))
        root, _, path = name.partition(".")
        field = None if registration is None else field_of(registration.model, root)
        if field is not None and registration is not None:
            if registry.keeps_secret(registration, field):
                return FieldRule(
                    label=capfirst(str(field.verbose_name)), field=field, is_secret=True
                )
            if _is_known(field, path):
                rule = FieldRule(
                    label=self._field_label(registration, field, path),
                    field=None if path else field,
                    value_type=_value_type(field, path),
                    display=registration.display.get(name),
                )
                rules = self._confidential_rules(at).of_model(model)
                return self._masked(rule, name, rules, record)
        return self._forgotten_rule(model, name, is_event=is_event, at=at, record=record)

    def _forgotten_rule(
        self,
        model: str,
        name: str,
        *,
        is_event: bool,
        at: UUID | None,
        record: tuple[str, str] | None,
    ) -> FieldRule:
        """Return the rule for a name that is not a field of a registered model, or not any more."""
        if registry.find(model) is None:
            return self._unknown(name)
        former = self._forgotten.rules(model, at)
        # An event may have names that are not fields: the project chose to log them.
        if not is_event and (former is None or not former.has_field(name)):
            return self._unknown(name)
        if former is not None and former.is_secret(name):
            return FieldRule(label=_words(name), is_secret=True)
        rules = {
            **({} if former is None else former.confidential),
            **self._confidential_rules(at).of_model(model),
        }
        return self._masked(FieldRule(label=_words(name)), name, rules, record)

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
        rule: FieldRule,
        name: str,
        rules: Mapping[str, ConfidentialRule],
        record: tuple[str, str] | None,
    ) -> FieldRule:
        """Return the rule with the masks that hold for the reader."""
        covered = covering_rule(rules, name)
        if covered is not None:
            covering, confidential = covered
            if confidential.label and covering == name:
                rule = replace(rule, label=confidential.label)
            rule = replace(rule, is_confidential=True)
            if not self._may_see(confidential, record):
                return replace(
                    rule,
                    mask=confidential.mask,
                    permission=confidential.permission,
                    permission_name=confidential.permission_name,
                    is_revealable=self._permissions.may_see(confidential, record),
                    display=None,
                )
        inside = rules_inside(rules, name)
        if not inside:
            return rule
        hidden = {path: one for path, one in inside.items() if not self._may_see(one, record)}
        first = next(iter(hidden.values()), None)
        return replace(
            rule,
            hidden_keys={path: one.mask for path, one in hidden.items()} or None,
            shown_keys=tuple(path for path in inside if path not in hidden),
            permission=None if first is None else first.permission,
            permission_name=None if first is None else first.permission_name,
            is_revealable=any(self._permissions.may_see(one, record) for one in hidden.values()),
        )

    def _unknown(self, name: str) -> FieldRule:
        # Its rule was lost with the field or the model. It may have been confidential.
        if self._may_see_everything():
            return FieldRule(label=_words(name), is_confidential=True)
        return FieldRule(
            label=_words(name),
            mask=FULL,
            permission=VIEW_EVERY_CONFIDENTIAL_VALUE,
            permission_name=NAME_OF_VIEW_EVERY_CONFIDENTIAL_VALUE,
            is_confidential=True,
        )

    def _may_see(self, rule: ConfidentialRule, record: tuple[str, str] | None) -> bool:
        return self._shows_confidential and self._permissions.may_see(rule, record)

    def _may_see_everything(self) -> bool:
        return self._shows_confidential and self._permissions.may_see_everything

    def _epoch(self, at: UUID | None) -> int:
        """Return how many former marks do not hold any more for an entry."""
        return len(self._former_marks) if at is None else bisect_right(self._ends_of_marks, at)

    def _confidential_rules(self, at: UUID | None) -> ConfidentialRules:
        """Return the rules for the values of an entry; None: for values of today."""
        epoch = self._epoch(at)
        if epoch not in self._rules_by_epoch:
            former = self._former_marks[epoch:]
            self._rules_by_epoch[epoch] = ConfidentialRules(self._marks, former=former)
        return self._rules_by_epoch[epoch]


def _is_known(field: Any, path: str) -> bool:
    """Return whether a model has a field, and may have a key in it."""
    return field is not None and (not path or isinstance(field, models.JSONField))


def _value_type(field: Any, path: str) -> ValueType | None:
    if path:
        return ValueType.JSON  # Keys of a JSON field have JSON values.
    return None if field.many_to_many else value_type_of(field, use_tz=settings.USE_TZ)


def _words(name: str) -> str:
    """Return the name of a field that has no label, in words. The project may translate them."""
    words = str(capfirst(name.replace("_", " ")))
    return gettext(words) if words else words
