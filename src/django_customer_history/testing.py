"""Helpers for the tests of a project: the entries that a block of code writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

from django_customer_history.backends import microsecond_of
from django_customer_history.keys import datetime_of, lowest_uuid_at
from django_customer_history.models import Entry
from django_customer_history.values.encoding import key_text

_CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far the clock may be set back."""


@dataclass(slots=True)
class CapturedEntries:
    """The entries that a block wrote, oldest first. It is empty until the block has ended."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The changes of each entry: a pair of old and new text by field."""
        return [entry.changes for entry in self.entries]

    @property
    def actions(self) -> list[str]:
        """The action of each entry."""
        return [entry.action for entry in self.entries]

    def about(self, record: models.Model) -> list[Entry]:
        """Return the entries whose entity is a record. The record may be deleted since."""
        entity = (record._meta.label_lower, key_text(record))
        return [entry for entry in self.entries if (entry.entity_model, entry.entity_id) == entity]


@contextmanager
def capture_entries(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[CapturedEntries]:
    """Collect the entries that a block writes to the log of a database.

    They are available when the block has ended, oldest first::

        with capture_entries() as captured:
            client.post("/customers/1/", {"rate": "44.99"})
        assert captured.changes == [{"rate": ["39.99", "44.99"]}]

    `using` is the alias of the database. Entries that other connections write meanwhile are
    included. Imported entries are not: they have the time of the original change. A test that
    sets the clock back has to do it before the block. If the block raises, nothing is collected.
    """
    captured = CapturedEntries()
    log = Entry.objects.using(using).order_by("id")
    # New ids are higher than those before, unless a clock is set back. So a few ids are
    # remembered, too.
    start = lowest_uuid_at(datetime_of(microsecond_of(connections[using])) - _CLOCK_TOLERANCE)
    highest = log.values_list("id", flat=True).last()
    if highest is not None:
        start = min(start, highest)
    log = log.filter(id__gte=start)
    known = set(log.values_list("id", flat=True))
    yield captured
    captured.entries += [entry for entry in log.all() if entry.id not in known]
