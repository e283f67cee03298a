"""What a model itself has to say about a row: validators, relations, `save()` and `delete()`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist, ValidationError
from django.db import models, transaction
from django.db.models.deletion import DO_NOTHING, Collector, ProtectedError, RestrictedError

from django_customer_history.point_in_time.conflicts import Reason
from django_customer_history.point_in_time.stored_rows import key_parts
from django_customer_history.registration.registry import registry

_RULES_OF_FORMS = frozenset({"blank", "null"})
"""Codes of errors that do not make a stored value wrong: what forms ask for, and NOT NULL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRow:
    """A row that was just written."""

    key: str
    fields: frozenset[str]
    """The fields that were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules:
    """The rules of one model."""

    model: type[models.Model]
    using: str

    def load(self, key: str) -> models.Model:
        """Return the record with a key of the log."""
        parts = [
            field.to_python(part)
            for field, part in zip(
                self.model._meta.pk_fields, key_parts(self.model, key), strict=True
            )
        ]
        value = parts[0] if len(parts) == 1 else tuple(parts)
        # The base manager: the project's own managers may hide archived records.
        record: models.Model = self.model._base_manager.using(self.using).get(pk=value)
        return record

    def errors(self, record: models.Model, saved: SavedRow) -> Iterator[tuple[Reason, str, str]]:
        """Yield what `full_clean()` finds wrong: reason, field and detail."""
        others = {one.name for one in self.model._meta.fields} - saved.fields
        try:
            record.full_clean(exclude=others)
        except ValidationError as error:
            for name, problems in error.error_dict.items():
                for problem in problems:
                    if problem.code not in _RULES_OF_FORMS:
                        yield self._error(name, problem)
        except ObjectDoesNotExist as error:
            # The model's own clean() follows a relation to a record that is not there.
            yield "invalid", "", type(error).__name__

    def _error(self, name: str, problem: ValidationError) -> tuple[Reason, str, str]:
        detail = " ".join(problem.messages)
        if name == NON_FIELD_ERRORS:
            return "invalid", "", detail
        field: Any = self.model._meta.get_field(name)
        is_missing = isinstance(field, models.ForeignKey) and problem.code == "invalid"
        if is_missing and field.db_constraint and not field.get_limit_choices_to():
            return "parent", name, detail
        return "invalid", name, detail

    def references(self, key: str) -> str:
        """Return which other rows would be changed by deleting a row; empty: none."""
        record = self.load(key)
        collector = Collector(using=self.using)
        try:
            collector.collect([record], keep_parents=self._keeps_parents)
        except ProtectedError as error:
            return _counted(map(type, error.protected_objects))
        except RestrictedError as error:
            return _counted(map(type, error.restricted_objects))
        others = chain(*collector.data.values(), *map(_first, collector.fast_deletes))
        found = [type(one) for one in others if not self._is_part(one, record)]
        found += [
            type(one)
            for updates in collector.field_updates.values()
            for some in updates
            for one in _first(some)
        ]
        found += [relation.related_model for relation in self._unwatched(record)]
        return _counted(found)

    def delete(self, key: str, *, by_model: bool) -> bool:
        """Delete a row and what belongs to it; return False if a relation forbids it.

        `by_model` says whether the model's own `delete()` does it.
        """
        record = self.load(key)
        try:
            with transaction.atomic(using=self.using):
                if not by_model:
                    collector = Collector(using=self.using)
                    collector.collect([record], keep_parents=self._keeps_parents)
                    collector.delete()
                elif self._keeps_parents:
                    record.delete(keep_parents=True)
                else:
                    record.delete()
        except (ProtectedError, RestrictedError):
            return False
        return True

    def save(self, record: models.Model, *, is_new: bool) -> None:
        """Save a record that was loaded from a row that is not in the table yet, or any more."""
        record._state.adding = is_new
        record.save(using=self.using)

    def change_link(self, key: str, name: str, target: str | None, *, adds: bool) -> None:
        """Add or remove a link as the model does."""
        manager = getattr(self.load(key), name)
        relation: Any = self.model._meta.get_field(name)
        value = relation.related_model._meta.pk.to_python(target)
        (manager.add if adds else manager.remove)(value)

    @property
    def _keeps_parents(self) -> bool:
        # A registered parent has entries of its own.
        return any(parent in registry for parent in self.model._meta.get_parent_list())

    def _is_part(self, one: models.Model, record: models.Model) -> bool:
        """Return whether a record is the same row, or the part of it in a parent's table."""
        if type(one) is self.model:
            return bool(one.pk == record.pk)
        return any(
            link is not None and type(one) is parent and one.pk == getattr(record, link.attname)
            for model in (self.model, *self.model._meta.get_parent_list())
            for parent, link in model._meta.parents.items()
        )

    def _unwatched(self, record: models.Model) -> Iterator[Any]:
        """Yield the relations that Django leaves to the database, if a row has them."""
        for relation in self.model._meta.related_objects:
            key: Any = relation.field
            if relation.on_delete is not DO_NOTHING or not key.db_constraint:
                continue
            value = getattr(record, key.target_field.attname)
            rows = relation.related_model._base_manager.using(self.using)
            if rows.filter(**{key.attname: value}).exists():
                yield relation


_ENOUGH = 100
"""Rows of one kind that are counted at most."""


def _first(some: Any) -> Any:
    """Return the first rows of a query, or of a list."""
    return some[:_ENOUGH]


def _counted(found: Any) -> str:
    counts = Counter(model._meta.label_lower for model in found)
    return ", ".join(f"{count} {label}" for label, count in sorted(counts.items()))
