"""Marks that staff moved, changed or removed: what was recorded under them stays masked.

The log has every change of a mark. So a user who may edit marks cannot read old values by taking a
mark away for a moment.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django_customer_history.models import ConfidentialField, Entry

KIND = ConfidentialField._meta.label_lower
"""The entity model of the entries about marks."""

_RULE = ("model", "field", "mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerMark:
    """A mark as it was until an entry of the log."""

    model: str
    field: str
    mask: str
    until: UUID
    """The entry that changed or removed it. It holds for all entries that are older."""


def former_marks(
    entries: Iterable[Entry], marks: Iterable[ConfidentialField]
) -> tuple[FormerMark, ...]:
    """Return the former marks by the entries about marks, in the order of `until`."""
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_key[entry.entity_id].append(entry)
    current = {str(mark.pk): {name: str(getattr(mark, name)) for name in _RULE} for mark in marks}
    found = [
        former
        for key, about_mark in by_key.items()
        for former in _former(about_mark, current.get(key, {}))
    ]
    return tuple(sorted(found, key=lambda former: former.until))


def _former(entries: list[Entry], current: Mapping[str, str]) -> Iterator[FormerMark]:
    """Yield what a mark was before each change, going back from what it is now."""
    after: dict[str, str] = dict(current)
    for entry in sorted(entries, key=lambda one: one.id, reverse=True):
        if entry.kind not in ("update", "delete"):
            continue
        old = {name: pair[0] for name, pair in entry.changes.items() if name in _RULE}
        before = {**after, **{name: value for name, value in old.items() if value is not None}}
        if before != after and "model" in before and "field" in before:
            yield FormerMark(
                model=before["model"],
                field=before["field"],
                mask=before.get("mask", ""),
                until=entry.id,
            )
        after = before
