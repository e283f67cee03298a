"""Reveal the confidential values of an entry; that is an entry of the log itself."""

from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied

from django_customer_history.access.permissions import Reader
from django_customer_history.capture.events import record_access
from django_customer_history.exceptions import NotFoundError
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.timeline import Timeline

ACTION = "Confidential Values Revealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealRequest:
    """The values of an entry that a reader may reveal, before the reveal is recorded."""

    _entry: TimelineEntry
    _fields: tuple[str, ...]
    _using: str

    def recorded(self) -> TimelineEntry:
        """Record the reveal in the log, then return the entry with the values shown."""
        subject = self._entry.subject
        record_access(
            ACTION,
            subject=None if subject is None else (subject.model, subject.id),
            entry=self._entry.id,
            changes={"fields": (None, ", ".join(self._fields))},
            using=self._using,
        )
        return self._entry


def reveal_request(reader: Reader, key: UUID) -> RevealRequest:
    """Return what a reader may reveal of the entry `key`. Nothing is recorded yet.

    Raises `NotFoundError` if there is no such entry that the reader may see, and
    `PermissionDenied` if it has no confidential value that they may see.
    """
    timeline = Timeline.of_entry(reader, key).revealed()
    entries, access = timeline.newest(1)
    if not entries:
        raise NotFoundError("There is no such entry.")
    (entry,) = entries
    fields = access.revealed(entry)
    if not fields:
        raise PermissionDenied
    (revealed,) = timeline.present(entries, access)
    return RevealRequest(
        _entry=revealed, _fields=tuple(fields), _using=timeline.queryset.db_of_writing
    )


def reveal(reader: Reader, key: UUID) -> TimelineEntry:
    """Record that a reader reveals the confidential values of an entry, and return the entry.

    Raises what `reveal_request` raises.
    """
    return reveal_request(reader, key).recorded()
