"""What a page shows for values that the log stores otherwise, for the search.

The log has `36`, `true` and the key of a record. The page shows "36 months", "Yes" and a name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import models
from django.utils import formats
from django.utils.translation import gettext

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.models import Entry
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.field_plans import target_of
from django_customer_history.reading.presentation import present
from django_customer_history.registration.fields import is_logged
from django_customer_history.registration.registry import Registration, registry
from django_customer_history.registration.renames import renames
from django_customer_history.values.encoding import field_text
from django_customer_history.values.geometries import NAMES
from django_customer_history.values.rendering import display_timedelta

NamesByEntry = Mapping[UUID, Sequence[str]]

_WORDS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d")
_DATES = (models.DateField, models.DateTimeField, models.TimeField)
_NUMBERS = (models.DecimalField, models.FloatField, models.IntegerField)


class ShownTexts:
    """The texts of entries that a search looks in, as one reader sees them."""

    def __init__(self, access: FieldAccess) -> None:
        self._access = access

    def of_entry(self, entry: Entry) -> Iterator[str]:
        """Yield the user, and the values that need no other record."""
        if entry.user_label:
            yield entry.user_label
        for name, values in entry.changes.items():
            rule = self._access.rule(entry, name)
            if rule.conceals or target_of(rule.field):
                continue
            yield from (rule.shown(value) for value in values if value)

    def of_records(self, entries: Iterable[Entry], searched: Sequence[str]) -> NamesByEntry:
        """Return the names of records in entries, by the id of the entry.

        These are the related records, and the record of the entry itself if the name that the log
        has contains a text that is searched.
        """
        parts = filter(None, (self._part(one, searched) for one in entries))
        shown = present(list(parts), self._access, is_whole=True)
        return {one.id: list(_names(one)) for one in shown}

    def _part(self, entry: Entry, searched: Sequence[str]) -> Entry | None:
        """Return an entry with nothing but changed relations; None: it has no names to search."""
        related = {
            name: values
            for name, values in entry.changes.items()
            if target_of(self._access.rule(entry, name).field)
        }
        label = (entry.entity_label or "").lower()
        if not related and not any(one.lower() in label for one in searched):
            return None
        part = copy(entry)
        part.changes, part.subject_model, part.subject_id = related, None, None
        return part


def _names(entry: TimelineEntry) -> Iterator[str]:
    if entry.impersonator is not None:
        yield entry.impersonator.label
    if entry.entity.label:
        yield entry.entity.label
    for change in entry.changes:
        if not change.masked:
            yield from filter(None, (change.old_display, change.new_display))


def stored_parts(text: str) -> frozenset[str]:
    """Return the names of fields, and the stored values, with which a page can show a text.

    An entry that has none of them, and not the text itself, does not show the text in a value.
    """
    wanted = text.lower()
    parts: set[str] = set()
    is_of_date, is_of_number = _can_be_of_date(wanted), _can_be_of_number(wanted)
    for registration in registry:
        label = registration.model._meta.label_lower
        parts |= set(registration.display)
        for field in _fields(registration):
            if field.is_relation or (
                (is_of_date and isinstance(field, _DATES))
                or (is_of_number and isinstance(field, _NUMBERS))
                or (isinstance(field, models.DurationField) and _can_be_of_duration(wanted))
                or (hasattr(field, "geom_type") and _can_be_of_geometry(wanted))
            ):
                parts |= renames.names(field.name, label=label)
            parts |= set(_stored_values(field, wanted))
    return frozenset(parts)


def _fields(registration: Registration) -> Iterator[models.Field]:  # type: ignore[type-arg]
    model = registration.model._meta
    yield from model.many_to_many
    yield from (field for field in model.concrete_fields if is_logged(registration, field))


def _stored_values(field: models.Field, wanted: str) -> Iterator[str]:  # type: ignore[type-arg]
    """Yield the stored values of a field whose label contains a text."""
    choices = list(getattr(field, "flatchoices", None) or ())
    if isinstance(field, models.BooleanField):
        choices += [(True, gettext("Yes")), (False, gettext("No"))]
    for value, label in choices:
        stored = field_text(field, value) if value is not None else None
        if stored and wanted in str(label).lower():
            yield stored


def _can_be_of_date(wanted: str) -> bool:
    """Return whether all words of a text occur in dates and times of the language."""
    words = _WORDS.findall(wanted)
    if not words:
        return bool(_DIGITS.search(wanted))
    samples = [
        datetime(2026, month, 28, hour, 5 * (hour % 4), tzinfo=UTC)
        for month in range(1, 13)
        for hour in (0, 9, 12, 21)
    ]
    written = " ".join(
        str(formats.date_format(moment, name))
        for moment in samples
        for name in ("DATE_FORMAT", "DATETIME_FORMAT", "TIME_FORMAT")
    ).lower()
    return all(word in written for word in words)


def _can_be_of_number(wanted: str) -> bool:
    # Digits alone are in the stored number too: only separators are not.
    has_separators = bool(_DIGITS.search(wanted)) and not wanted.isdigit()
    return has_separators and not _WORDS.search(wanted)


def _can_be_of_duration(wanted: str) -> bool:
    written = f"{display_timedelta(timedelta(days=1))} {display_timedelta(timedelta(days=2))}"
    return all(word in written.lower() for word in _WORDS.findall(wanted))


def _can_be_of_geometry(wanted: str) -> bool:
    written = " ".join(["srid empty z m e", *NAMES.values()]).lower()
    return all(word in written for word in _WORDS.findall(wanted))
