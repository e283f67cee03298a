"""The entries of the deletion of a record, and of what it took along."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.point_in_time.undo_steps import Row
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.values.encoding import key_text

_TAKEN_ALONG = ("delete", "update", "remove")


def entries_of_deletion(model: type[models.Model], key: object, *, using: str) -> list[Entry]:
    """Return the last deletion of a record and what it took along, the oldest entry first.

    Raises `NotFoundError` if the log has no deletion of the record.
    """
    registered = registry.of(model._meta.concrete_model or model).model
    log = Entry.objects.using(using)
    last = log.of_entity(registered, key).filter(kind="delete").order_by("id").last()
    if last is None:
        raise NotFoundError(
            f"The log has no deletion of {registered._meta.label_lower} {key_text(key)}."
        )
    return sorted(_Deletion(last, using=using).entries(), key=lambda entry: entry.id)


class _Deletion:
    """The rows that are gone, as the entries of the deletion are read."""

    def __init__(self, last: Entry, *, using: str) -> None:
        self._last = last
        self._using = using
        self._gone: set[Row] = set()
        self._cleared: set[Row] = set()
        """Rows whose reference was cleared before they were deleted, as Django does on databases
        that check each statement."""
        self._content_types: dict[str, str] = {}

    def entries(self) -> list[Entry]:
        """Return the entries about rows that refer to a deleted one, until there are no more.

        Django deletes the rows of children before those of parents, the database after them.
        """
        self._add(self._last)
        found = {self._last.id: self._last}
        candidates = [entry for entry in self._candidates() if entry.id != self._last.id]
        while True:
            more = [one for one in candidates if one.id not in found and self._belongs(one)]
            if not more:
                return list(found.values())
            for entry in more:
                found[entry.id] = entry
                if entry.kind == "delete":
                    self._add(entry)

    def _candidates(self) -> Iterable[Entry]:
        log: EntryQuerySet = Entry.objects.using(self._using)
        started = (
            log.of_entity(self._last.entity_model, self._last.entity_id)
            .filter(kind="create", id__lt=self._last.id)
            .order_by("id")
            .values_list("id", flat=True)
            .last()
        )
        candidates = log.filter(kind__in=_TAKEN_ALONG)
        if started is not None:
            candidates = candidates.filter(id__gt=started)
        if self._last.request_id is not None:
            return candidates.filter(request_id=self._last.request_id).order_by("-id")
        return self._without_request(candidates.filter(request_id=None))

    def _without_request(self, candidates: EntryQuerySet) -> list[Entry]:
        """Return the entries beside the deletion, as nothing else says what belongs together."""
        before = candidates.filter(id__lte=self._last.id).order_by("-id")
        after = candidates.filter(id__gt=self._last.id).order_by("id")
        return [*self._beside(before), *self._beside(after)]

    def _beside(self, entries: EntryQuerySet) -> Iterator[Entry]:
        previous = self._last
        for entry in entries.iterator(chunk_size=500):
            if abs(entry.timestamp - previous.timestamp).total_seconds() > _LONGEST_GAP:
                return
            previous = entry
            yield entry

    def _belongs(self, entry: Entry) -> bool:
        registration = registry.find(entry.entity_model)
        if registration is None:
            return False
        row = entry.entity_model, entry.entity_id
        if entry.kind == "delete" and row in self._gone | self._cleared:
            return True  # For another subject, or the part of the row in a parent's table.
        if entry.kind == "remove" and row in self._gone:
            return True
        for name, (old, new) in entry.changes.items():
            field = field_of(registration.model, name)
            related = getattr(field, "related_model", None)
            if related is None or old is None or old == new:
                continue
            if any((label, old) in self._gone for label in _labels(related)):
                if getattr(field.remote_field, "on_delete", None) is models.CASCADE:
                    self._cleared.add(row)
                return True
        return entry.kind == "delete" and self._is_generic(registration.model, entry)

    def _is_generic(self, model: type[models.Model], entry: Entry) -> bool:
        """Return whether a generic foreign key of a deleted row led to a row that is gone."""
        if any(
            isinstance(one, GenericForeignKey) and self._generic_target(one, entry) in self._gone
            for one in model._meta.private_fields
        ):
            return True
        # The two fields may be excluded from the log. Then the subject says it.
        registration = registry.of(model)
        generic = {one.name for one in model._meta.private_fields}
        is_by_subject = bool(generic.intersection(registration.subject))
        return is_by_subject and (entry.subject_model, entry.subject_id) in self._gone

    def _generic_target(self, generic: Any, entry: Entry) -> Row:
        content_type = (entry.changes.get(generic.ct_field) or [None])[0]
        key = (entry.changes.get(generic.fk_field) or [None])[0]
        return self._content_type(content_type), str(key)

    def _content_type(self, key: str | None) -> str:
        if key is None:
            return ""
        if key not in self._content_types:
            found = ContentType.objects.db_manager(self._using).filter(pk=key).first()
            self._content_types[key] = "" if found is None else f"{found.app_label}.{found.model}"
        return self._content_types[key]

    def _add(self, entry: Entry) -> None:
        registration = registry.find(entry.entity_model)
        parents = [] if registration is None else registration.model._meta.get_parent_list()
        labels = [entry.entity_model, *(label_of(parent) for parent in parents)]
        self._gone |= {(label, entry.entity_id) for label in labels}


_LONGEST_GAP = 2
"""Seconds between two entries of one deletion."""


def _labels(model: type[models.Model]) -> list[str]:
    """Return the labels under which a row can be deleted: those of the model and its parents."""
    return [label_of(one) for one in (model, *model._meta.get_parent_list())]
