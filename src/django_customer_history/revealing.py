"""An explicit look at the confidential values of an entry, which is an entry itself."""

from uuid import UUID

from django.core.exceptions import PermissionDenied

from django_customer_history.exceptions import OutOfReachError
from django_customer_history.permissions import Reader
from django_customer_history.recording import record_look
from django_customer_history.rows import TimelineEntry
from django_customer_history.timeline import Timeline

ACTION = "Confidential values revealed"


def reveal(reader: Reader, key: UUID) -> TimelineEntry:
    """Record that a reader looks at the confidential values of an entry, and return it.

    Raises `OutOfReachError` where there is no entry that the reader may see, and
    `PermissionDenied` where it has no confidential value that they may see.
    """
    timeline = Timeline.of_entry(reader, key).revealed()
    stored, sight, _ = timeline.sample(1)
    shown = timeline.entry(key)
    if shown is None:
        raise OutOfReachError("There is no such entry.")
    names = [
        name
        for name in stored[0].changes
        if sight.is_confidential(stored[0], name) and not sight.rule(stored[0], name).is_hidden
    ]
    if not names:
        raise PermissionDenied
    subject = shown.subject
    record_look(
        ACTION,
        subject=None if subject is None else (subject.model, subject.id),
        entry=key,
        changes={"fields": (None, ", ".join(sorted(names)))},
        using=timeline.queryset.db,
    )
    return shown
