"""An explicit look at the confidential values of an entry, which is an entry itself."""

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
    """A look at an entry that a reader may take, and that is not recorded yet."""

    _entry: TimelineEntry
    _names: tuple[str, ...]
    _using: str

    def recorded(self) -> TimelineEntry:
        """Record the look and return the entry with the values that the reader may see."""
        subject = self._entry.subject
        record_access(
            ACTION,
            subject=None if subject is None else (subject.model, subject.id),
            entry=self._entry.id,
            changes={"fields": (None, ", ".join(self._names))},
            using=self._using,
        )
        return self._entry


def reveal_request(reader: Reader, key: UUID) -> RevealRequest:
    """Return the look that a reader may take at the confidential values of an entry.

    Raises `NotFoundError` where there is no entry that the reader may see, and
    `PermissionDenied` where it has no confidential value that they may see.
    """
    timeline = Timeline.of_entry(reader, key).revealed()
    stored, sight = timeline.sample(1)
    if not stored:
        raise NotFoundError("There is no such entry.")
    names = sorted(
        name
        for name in stored[0].changes
        if sight.is_confidential(stored[0], name) and not sight.rule(stored[0], name).is_hidden
    )
    if not names:
        raise PermissionDenied
    (shown,) = timeline.shown(stored, sight)
    return RevealRequest(_entry=shown, _names=tuple(names), _using=timeline.queryset.db_of_writing)


def reveal(reader: Reader, key: UUID) -> TimelineEntry:
    """Record that a reader looks at the confidential values of an entry, and return it.

    Raises what `reveal_request` raises.
    """
    return reveal_request(reader, key).recorded()
