"""A line of the evidence: an entry as one reader may see it, what people call it, and its proof.

`entry` has what the proof proves, under the names that the log has: values that the reader may not
see are hashes. `labels` are what pages show, such as the names of fields and masked values; nothing
proves them.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals.leaves import plain_text
from django_customer_history.feed.seals.proofs import SealedLog
from django_customer_history.labels import BASELINE_KEY
from django_customer_history.models import Entry
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.registration.renames import renames
from django_customer_history.verify import proven


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenChange:
    """One field of an entry, for the summary."""

    label: str
    old: str | None
    new: str | None
    is_hidden: bool
    """Whether the file has only hashes of the values, and these are their masked forms."""
    is_secret: bool
    """Whether the log never gets the values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenEntry:
    """An entry for one reader, with its proof."""

    shown: TimelineEntry
    size: int
    """The size of the tree of its checkpoint."""
    content: Mapping[str, Any]
    """The line of the evidence."""
    changes: tuple[ProvenChange, ...]


@dataclass(frozen=True, kw_only=True)
class EvidenceLines:
    """Makes the lines of the evidence from entries as their reader may see them."""

    log: SealedLog

    def of(self, entries: Sequence[TimelineEntry]) -> Iterator[ProvenEntry]:
        """Yield entries with their proofs. Raise what `SealedLog.proof` raises."""
        found = Entry.objects.using(self.log.using).filter(id__in=[one.id for one in entries])
        stored = {entry.id: entry for entry in found}
        for entry in entries:
            if entry.id not in stored:
                raise SealError(f"Entry {entry.id} was removed. Run history_verify.")
            yield self._line(entry, stored[entry.id])

    def _line(self, entry: TimelineEntry, stored: Entry) -> ProvenEntry:
        names = _stored_names(stored, using=self.log.using)
        proof = proof_for_reader(entry, stored, log=self.log)
        checkpoint, content = proven(proof, self.log.key.verifiers)
        labels = {
            "action": entry.action,
            "entity": {"name": entry.entity.name, "label": entry.entity.label},
            "subject": None if entry.subject is None else entry.subject.label,
            "source": entry.source.label,
            "fields": {
                plain_text(names[one.field]): {
                    "label": one.label,
                    "old": one.old_display,
                    "new": one.new_display,
                    "masked": one.masked,
                }
                for one in entry.changes
            },
        }
        return ProvenEntry(
            shown=entry,
            size=checkpoint.size,
            content={"entry": content, "labels": labels, "proof": proof},
            changes=tuple(
                ProvenChange(
                    label=one.label,
                    old=_text(one.old_display, pair[0]),
                    new=_text(one.new_display, pair[1]),
                    is_hidden=one.masked,
                    is_secret=one.type == "secret",
                )
                for one in entry.changes
                for pair in [content["changes"][plain_text(names[one.field])]]
            ),
        )


def proof_for_reader(entry: TimelineEntry, stored: Entry, *, log: SealedLog) -> str:
    """Return the proof of an entry, which discloses what its reader may see.

    Raises what `SealedLog.proof` raises.
    """
    names = _stored_names(stored, using=log.using)
    visible = [names[one.field] for one in entry.changes if not one.masked]
    return log.proof(stored, fields=visible, columns=_visible_columns(entry, stored))


def _stored_names(stored: Entry, *, using: str) -> dict[str, str]:
    """Return the names of fields of today with those that an entry has in the log."""
    if not renames.of(using):
        return {name: name for name in stored.changes}
    names = {}
    for name, pair in stored.changes.items():
        alone = copy.copy(stored)
        alone.changes = {name: pair}
        # If two fields have one name today, the last one is shown.
        names.update(dict.fromkeys(renames.translate(alone, using=using).changes, name))
    return names


def _visible_columns(entry: TimelineEntry, stored: Entry) -> list[str]:
    """Return what the leaf hides and the reader sees as it is in the log."""
    context = stored.context or {}
    shown = {
        "action": entry.action == stored.action,
        "entity_label": bool(stored.entity_label) and entry.entity.label == stored.entity_label,
        "context.reason": entry.reason is not None and entry.reason == context.get("reason"),
        "context.impersonator": entry.impersonator is not None and "impersonator" in context,
        f"context.{BASELINE_KEY}": entry.is_baseline,
    }
    return [name for name, is_shown in shown.items() if is_shown]


def _text(display: str | None, stored: Any) -> str | None:
    """Return the display text of a value, with what the log has if that is another text."""
    if not isinstance(stored, str) or display == stored:
        return display
    return stored if display is None else f"{display} [{stored}]"
