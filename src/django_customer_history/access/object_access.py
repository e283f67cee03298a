"""Which records are out of a reader's reach, as backends for single objects say; asked in bulk."""

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
from django_customer_history.values.encoding import encode


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """The answers of the backends about the subjects of entries, each asked once."""

    _vetoes: dict[tuple[str, str], bool] = field(default_factory=dict)

    def within(self, entries: Sequence[Entry], *, reader: Reader, using: str) -> list[Entry]:
        """Return the entries whose subject the reader may know of; it is always the same reader."""
        asked: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            if entry.subject_model and entry.subject_id and _place(entry) not in self._vetoes:
                asked[entry.subject_model].add(entry.subject_id)
        near = entries[0] if entries else None
        subjects = records_of({(label, "pk"): keys for label, keys in asked.items()}, near=near)
        for label, keys in asked.items():
            found = {encode(one.pk) or "": one for one in subjects.get((label, "pk"), ())}
            if gone := keys - found.keys():
                found |= deleted_records(label, gone, using=using)
            for key in keys:
                is_out = key in found and is_denied(reader, found[key])
                self._vetoes[label, key] = is_out
        return [entry for entry in entries if not self._vetoes.get(_place(entry))]


def _place(entry: Entry) -> tuple[str, str]:
    return entry.subject_model or "", entry.subject_id or ""


def subject_of(
    reader: Reader,
    model: type[models.Model],
    key: Any,
    *,
    known: models.Model | None,
    using: str | None,
) -> tuple[str, models.Model | None]:
    """Return a subject's key as the log writes it, and its record; None: it is gone.

    `known` is the record, where it is loaded already. Raises `PermissionDenied` for a reader who
    may not read its history, `NotFoundError` for one for whom it does not exist, and for what
    can be no key of the model.
    """
    text = _canonical(model, key)
    # The base manager: a host's own may hide archived records.
    subject = known or model._base_manager.using(using).filter(pk=text).first()
    if subject is None and _is_departed_out_of_reach(reader, model, text, using):
        raise NotFoundError(f"There is no such {model._meta.verbose_name}.")
    if not may_read(reader, model, subject=subject):
        raise PermissionDenied
    return text, subject


def _canonical(model: type[models.Model], key: Any) -> str:
    """Return a key as the log writes it: 7 for 007, a UUID in lower case."""
    try:
        text = encode(model._meta.pk.to_python(key))
    except (ValidationError, ValueError, TypeError) as error:
        raise NotFoundError(f"There is no such {model._meta.verbose_name}.") from error
    if not text or "\x00" in text:
        raise NotFoundError(f"There is no such {model._meta.verbose_name}.")
    return text


def _is_departed_out_of_reach(
    reader: Reader, model: type[models.Model], key: str, using: str | None
) -> bool:
    """Return whether a backend vetoes a record that is gone, by what the log knew of it last."""
    if not has_object_permissions():
        return False
    entries = Entry.objects.using(using)
    found = deleted_records(model._meta.label_lower, [key], using=entries.db)
    return any(is_denied(reader, record) for record in found.values())
