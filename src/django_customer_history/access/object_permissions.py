"""Permissions for confidential fields, of whole models and of single records."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from django.db import models

from django_customer_history.access.confidential import ConfidentialRule
from django_customer_history.access.permissions import (
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    Reader,
    has_object_permissions,
    object_answer,
)
from django_customer_history.access.records import records_of
from django_customer_history.models import Entry
from django_customer_history.registration.registry import label_of
from django_customer_history.values.encoding import key_text

_Record = tuple[str, str]
"""The label of a model and the key of a record."""


class ObjectPermissions:
    """The answers of permission backends about confidential fields, for one reader.

    A backend can grant the permission for a single record, or deny it by `PermissionDenied`.
    A deleted record has the permissions of its model alone.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._records: dict[_Record, models.Model | None] = {}
        self._of_models: dict[str, bool] = {}
        self._of_objects: dict[tuple[str, _Record], bool] = {}

    @cached_property
    def are_asked(self) -> bool:
        """Whether the project has a backend with object permissions."""
        return has_object_permissions()

    @cached_property
    def may_see_everything(self) -> bool:
        """Whether the reader has the permission for all confidential values."""
        return self._reader.has_perm(VIEW_EVERY_CONFIDENTIAL_VALUE)

    def key_of(self, record: models.Model) -> str | None:
        """Return the key of a record whose permissions are asked for, and keep the record."""
        if not self.are_asked or record.pk is None:
            return None
        key = key_text(record)
        self._records.setdefault((label_of(type(record)), key), record)
        return key

    def loaded(self, model: str, key: str) -> models.Model | None:
        """Return a record that was loaded or kept; None: it was not, or it is deleted."""
        return self._records.get((model, key))

    def load(
        self,
        records: Iterable[_Record],
        *,
        entry: Entry | None = None,
        loaded: Sequence[models.Model] = (),
    ) -> None:
        """Load records, with one statement for each model, if backends are asked about them.

        `entry` is an entry that refers to them, and `loaded` are records that need no statement.
        """
        if not self.are_asked:
            return
        for one in loaded:
            self.key_of(one)
        keys: dict[tuple[str, str], set[str]] = defaultdict(set)
        for model, key in records:
            if (model, key) not in self._records:
                keys[model, "pk"].add(key)
        found = records_of(keys, entry=entry, loaded=loaded)
        for (model, attribute), wanted in keys.items():
            self._records |= dict.fromkeys((model, key) for key in wanted)
            for record in found.get((model, attribute), ()):
                self._records[model, key_text(record)] = record

    def may_see(self, rule: ConfidentialRule, record: _Record | None) -> bool:
        """Return whether the reader has the permission of a rule, for a record if one is given."""
        if self.may_see_everything:
            return True
        if record is not None and rule.model is not None and self.are_asked:
            asked = (rule.permission, record)
            if asked not in self._of_objects:
                self._of_objects[asked] = self._asked(rule, record)
            return self._of_objects[asked]
        return self._of_model(rule.permission)

    def _asked(self, rule: ConfidentialRule, record: _Record) -> bool:
        if record not in self._records:
            self.load([record])
        found = self._records.get(record)
        target = None if found is None or rule.model is None else _as_model(found, rule.model)
        answer = None if target is None else object_answer(self._reader, rule.permission, target)
        return self._of_model(rule.permission) if answer is None else answer

    def _of_model(self, permission: str) -> bool:
        if permission not in self._of_models:
            self._of_models[permission] = self._reader.has_perm(permission)
        return self._of_models[permission]


def _as_model(record: models.Model, model: type[models.Model]) -> models.Model | None:
    """Return a record as one of its parent models; backends refuse objects of other models."""
    if type(record)._meta.concrete_model is model:
        return record
    if not isinstance(record, model):
        return None
    parent: Any = model()
    for field in model._meta.concrete_fields:
        setattr(parent, field.attname, getattr(record, field.attname))
    parent._state.adding, parent._state.db = False, record._state.db
    return parent  # type: ignore[no-any-return]
