"""The labels that records had at the time of entries, as the log has them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connections

from django_customer_history.backends import backend_of
from django_customer_history.models import Entry
from django_customer_history.registration.registry import registry
from django_customer_history.registration.renames import renames
from django_customer_history.values.json_field import Changes

Moment = tuple[str, str, UUID]
"""The model and the key of a record, and the key of an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedLabel:
    """A label of a record in the log, and the entry that has it."""

    text: str
    entry: UUID


def logged_labels(moments: Sequence[Moment], *, using: str) -> dict[Moment, LoggedLabel]:
    """Return the label that each record had at the time of an entry, as far as the log has it.

    The label is the last one up to that entry, else the first one after it. Each is one step in
    an index, however many entries the record has.
    """
    found = _found_labels(moments, using=using, is_later=False)
    missing = [moment for moment in moments if moment not in found]
    return found | _found_labels(missing, using=using, is_later=True)


def _found_labels(
    moments: Sequence[Moment], *, using: str, is_later: bool
) -> dict[Moment, LoggedLabel]:
    connection, to_key = connections[using], Entry._meta.pk.get_db_prep_value
    terms = [
        (number, model, key, to_key(at, connection))
        for number, (label, key, at) in enumerate(moments)
        for model in renames.labels(label, using=using)
    ]
    found: dict[Moment, LoggedLabel] = {}
    for sql, parameters in backend_of(connection).label_lookups(terms, is_later=is_later):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            for number, entry, label, kind, changes in cursor.fetchall():
                logged = LoggedLabel(text=label, entry=UUID(str(entry)))
                moment = moments[number]
                if is_later and kind == "update":
                    logged = replace(logged, text=_before(label, changes, model=moment[0]))
                # Of a renamed model the label nearest to the entry counts.
                known = found.get(moment)
                if known is None or (known.entry > logged.entry) is is_later:
                    found[moment] = logged
    return found


def _before(label: str, changes: Any, *, model: str) -> str:
    """Return a label as it was before an update, which may have changed a part of it."""
    stored = json.loads(changes) if isinstance(changes, str | bytes) else changes
    values = Changes.of(stored, "update")
    registration = registry.find(model)
    for name in () if registration is None else registration.label:
        old, new = values.get(name) or (None, None)
        if old and new and new in label:
            return str(label).replace(new, old, 1)
    return label
