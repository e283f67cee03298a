"""Which permissions a user needs for an undo."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models

from django_customer_history.access.deleted_records import deleted_records
from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.permissions import (
    UNDO_EVERYTHING,
    Reader,
    allows,
    may_undo,
    undo_permission,
)
from django_customer_history.exceptions import UndoDeniedError
from django_customer_history.models import Entry
from django_customer_history.point_in_time.model_rules import ModelRules
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry

_OPPOSITE: Mapping[str, str] = {
    "create": "delete",
    "delete": "add",
    "update": "change",
    "add": "change",
    "remove": "change",
}
"""The permission of a model that an undo needs, by the kind of the entry."""

_OWN: Mapping[str, str] = {**_OPPOSITE, "create": "add", "delete": "delete"}
"""The permission of a model that a change needs, by its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoAccess:
    """The permissions of one user."""

    reader: Reader
    access: FieldAccess
    using: str

    def check(self, entries: Iterable[Entry], *, root: Entry | None = None) -> None:
        """Raise `UndoDeniedError` unless the user may undo some entries.

        `root` is the deletion of a record, if the other entries are what it took along: then the
        permission to undo counts for its subject only.
        """
        missing: dict[str, None] = {}
        subjects = {(one.subject_model, one.subject_id) for one in ([root] if root else entries)}
        for model, key in sorted(subjects, key=str):
            missing |= dict.fromkeys(self._missing_to_undo(model, key))
        missing |= dict.fromkeys(self._missing_for(entries, _OPPOSITE))
        if missing:
            raise UndoDeniedError(missing)

    def check_written(self, entries: Iterable[Entry]) -> None:
        """Raise `UndoDeniedError` unless the user may write what an undo has written."""
        missing = dict.fromkeys(self._missing_for(entries, _OWN))
        if missing:
            raise UndoDeniedError(missing)

    def _missing_to_undo(self, label: str | None, key: str | None) -> Iterator[str]:
        registration = registry.find(label or "")
        if registration is None or key is None:
            if not may_undo(self.reader, None):
                yield UNDO_EVERYTHING
            return
        subject = self._record(registration.model, key)
        if not may_undo(self.reader, registration.model, subject=subject):
            yield undo_permission(registration.model)

    def _missing_for(self, entries: Iterable[Entry], verbs: Mapping[str, str]) -> Iterator[str]:
        asked: set[tuple[str, str, str]] = set()
        for entry in entries:
            registration = registry.find(entry.entity_model)
            if registration is None or entry.kind not in verbs:
                continue
            question = (entry.kind, entry.entity_model, entry.entity_id)
            if question not in asked:
                asked.add(question)
                yield from self._missing_of_model(registration.model, entry, verbs[entry.kind])
            yield from self._missing_for_fields(registration.model, entry)

    def _missing_of_model(
        self, model: type[models.Model], entry: Entry, verb: str
    ) -> Iterator[str]:
        permission = f"{model._meta.app_label}.{verb}_{model._meta.model_name}"
        if not allows(self.reader, permission, self._asked_about(model, entry)):
            yield permission

    def _missing_for_fields(self, model: type[models.Model], entry: Entry) -> Iterator[str]:
        for name, texts in entry.changes.items():
            rule = self.access.rule(entry, name)
            # Secret values and values of former fields are never written.
            is_former = field_of(model, name.partition(".")[0]) is None
            is_written = not rule.is_secret and not is_former
            if not is_written or not rule.permission or not (rule.mask or rule.hidden_keys):
                continue
            # An empty value that its mask shows as empty hides nothing.
            if any(text and rule.redacted(text) != text for text in texts) or any(
                text == "" and rule.redacted(text) for text in texts
            ):
                yield rule.permission

    def _asked_about(self, model: type[models.Model], entry: Entry) -> Any:
        """Return the record that backends are asked about; None: about the model alone.

        A deleted record that belongs to a subject refers to rows that may be gone too, so that a
        backend could not say whose it is. Backends have been asked about the subject.
        """
        is_part = entry.subject_id is not None and (entry.subject_model, entry.subject_id) != (
            entry.entity_model,
            entry.entity_id,
        )
        if entry.kind == "delete" and is_part:
            return None
        return self._record(model, entry.entity_id)

    def _record(self, model: type[models.Model], key: str) -> Any:
        """Return a record, or what the log knows of a deleted one."""
        try:
            return ModelRules(model=model, using=self.using).load(key)
        except ObjectDoesNotExist:
            return deleted_records(model._meta.label_lower, [key], using=self.using).get(key)
