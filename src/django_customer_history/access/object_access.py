"""Which records one reader may know of, as backends for object permissions say."""

from collections import defaultdict
from collections.abc import Sequence
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
from django_customer_history.values.encoding import key_text


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """The answers of the permission backends about the subjects of entries.

    Backends are asked once about each subject. One instance serves one reader.
    """

    _is_denied: dict[tuple[str, str], bool] = field(default_factory=dict)

    def visible(self, entries: Sequence[Entry], *, reader: Reader, using: str) -> list[Entry]:
        """Return the entries whose subject the reader may know of."""
        unknown: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            if entry.subject_model and entry.subject_id and _subject(entry) not in self._is_denied:
                unknown[entry.subject_model].add(entry.subject_id)
        existing = records_of(
            {(label, "pk"): keys for label, keys in unknown.items()},
            entry=entries[0] if entries else None,
        )
        for label, keys in unknown.items():
            records = {key_text(record): record for record in existing.get((label, "pk"), ())}
            if deleted := keys - records.keys():
                records |= deleted_records(label, deleted, using=using)
            for key in keys:
                self._is_denied[label, key] = key in records and is_denied(reader, records[key])
        return [entry for entry in entries if not self._is_denied.get(_subject(entry))]


def _subject(entry: Entry) -> tuple[str, str]:
    return entry.subject_model or "", entry.subject_id or ""


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
    record = subject or model._base_manager.using(using).filter(pk=text).first()
    if record is None and _is_denied_deleted_record(reader, model, text, using):
        raise NotFoundError(f"There is no such {model._meta.verbose_name}.")
    if not may_read(reader, model, subject=record):
        raise PermissionDenied
    return text, record


def _canonical_key(model: type[models.Model], key: Any) -> str:
    """Return a key as the log writes it: 7 for 007, a UUID in lower case."""
    try:
        text = key_text(model._meta.pk.to_python(key))
    except (ValidationError, ValueError, TypeError) as error:
        raise NotFoundError(f"There is no such {model._meta.verbose_name}.") from error
    if not text or "\x00" in text:
        raise NotFoundError(f"There is no such {model._meta.verbose_name}.")
    return text


def _is_denied_deleted_record(
    reader: Reader, model: type[models.Model], key: str, using: str | None
) -> bool:
    """Return whether a backend denies access to a deleted record, by its last known values."""
    if not has_object_permissions():
        return False
    entries = Entry.objects.using(using)
    records = deleted_records(model._meta.label_lower, [key], using=entries.db)
    return any(is_denied(reader, record) for record in records.values())
