"""Which records one reader may know of, as backends for object permissions say."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models

from django_customer_history.access.deleted_records import deleted_records
from django_customer_history.access.permissions import (
    Reader,
    has_object_permissions,
    is_denied,
    may_read,
)
from django_customer_history.access.records import records_of
from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import Entry
from django_customer_history.registration.registry import registry
from django_customer_history.values.encoding import key_text
from django_customer_history.values.python_values import python_key

_Record = tuple[str, str]
"""The label of a model and the key of a record."""


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """The answers of the permission backends about subjects.

    Backends are asked once about each record. One instance serves one reader.
    """

    _is_denied: dict[_Record, bool] = field(default_factory=dict)

    @property
    def asked_count(self) -> int:
        """About how many records the backends were asked."""
        return len(self._is_denied)

    def visible(self, entries: Sequence[Entry], *, reader: Reader, using: str) -> list[Entry]:
        """Return the entries whose subject and entity the reader may know of."""
        records = {record for entry in entries for record in _records(entry)}
        self._ask(records, reader=reader, using=using, entry=entries[0] if entries else None)
        return [entry for entry in entries if not any(map(self._is_denied.get, _records(entry)))]

    def denied(
        self,
        records: Iterable[_Record],
        *,
        reader: Reader,
        using: str,
        deleted: Collection[_Record] = (),
    ) -> frozenset[_Record]:
        """Return the records that the reader may not know of; they may be deleted.

        `deleted` are those that are known to be.
        """
        wanted = set(records)
        self._ask(wanted, reader=reader, using=using, entry=None, deleted=deleted)
        return frozenset(record for record in wanted if self._is_denied[record])

    def _ask(
        self,
        records: Collection[_Record],
        *,
        reader: Reader,
        using: str,
        entry: Entry | None,
        deleted: Collection[_Record] = (),
    ) -> None:
        unknown: dict[str, set[str]] = defaultdict(set)
        perhaps_existing: dict[tuple[str, str], set[str]] = defaultdict(set)
        for label, key in records:
            if (label, key) not in self._is_denied:
                unknown[label].add(key)
                if (label, key) not in deleted:
                    perhaps_existing[label, "pk"].add(key)
        existing = records_of(perhaps_existing, entry=entry)
        for label, keys in unknown.items():
            found = {key_text(record): record for record in existing.get((label, "pk"), ())}
            if gone := keys - found.keys():
                found |= deleted_records(label, gone, using=using)
            for key in keys:
                self._is_denied[label, key] = (
                    is_denied(reader, found[key])
                    if key in found
                    # Nothing is known of it, so that no backend can be asked.
                    else not getattr(reader, "is_superuser", False)
                )


def _records(entry: Entry) -> Iterator[_Record]:
    """Yield the subject of an entry, and its entity if that has a history of its own."""
    if entry.subject_model and entry.subject_id:
        yield entry.subject_model, entry.subject_id
    registration = registry.find(entry.entity_model)
    if registration is not None and registration.is_subject:
        yield entry.entity_model, entry.entity_id


def readable_subject(
    reader: Reader,
    model: type[models.Model],
    key: Any,
    *,
    subject: models.Model | None,
    using: str | None,
) -> tuple[str, models.Model | None]:
    """Return a subject's key as the log writes it, and its record, or None if it is deleted.

    `key` may be text from a URL. `subject` is the record, if the caller has just loaded it.
    Raises `PermissionDenied` if the reader may not read its history. Raises `NotFoundError` if
    the record does not exist for this reader, or the key is not a valid one of the model.
    """
    text = _canonical_key(model, key)
    # The base manager: the project's own managers may hide archived records.
    value = python_key(model, text)
    record = subject or model._base_manager.using(using).filter(pk=value).first()
    if record is None and _is_denied_deleted_record(reader, model, text, using):
        raise NotFoundError("There is no such record.")
    if not may_read(reader, model, subject=record):
        raise PermissionDenied
    return text, record


def _canonical_key(model: type[models.Model], key: Any) -> str:
    """Return a key as the log writes it: 7 for 007, a UUID in lower case."""
    try:
        text = key_text(model._meta.pk.to_python(key), model=model)
    except (ValidationError, ValueError, TypeError) as error:
        raise NotFoundError("There is no such record.") from error
    if not text or "\x00" in text:
        raise NotFoundError("There is no such record.")
    return text


def _is_denied_deleted_record(
    reader: Reader, model: type[models.Model], key: str, using: str | None
) -> bool:
    """Return whether a backend denies access to a deleted record, by its last known values.

    A record without values in the log is denied: no backend can be asked about it.
    """
    if not has_object_permissions():
        return False
    entries = Entry.objects.using(using).beside(model)
    label = model._meta.label_lower
    return bool(ObjectAccess().denied([(label, key)], reader=reader, using=entries.db))
