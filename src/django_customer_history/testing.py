"""For a project's own tests: the entries that a stretch of code makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from django_customer_history.models import Entry


@dataclass(slots=True)
class CapturedEntries:
    """The entries that were made in a block, oldest first; empty until the block has ended."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Return the changes of each entry."""
        return [entry.changes for entry in self.entries]

    @property
    def actions(self) -> list[str]:
        """Return the action of each entry."""
        return [entry.action for entry in self.entries]

    def about(self, record: Any) -> list[Entry]:
        """Return the entries that tell of one record, which may be deleted by now."""
        label = record._meta.label_lower
        return [
            entry
            for entry in self.entries
            if (entry.entity_model, entry.entity_id) == (label, str(record.pk))
        ]


@contextmanager
def capture_entries(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[CapturedEntries]:
    """Collect the entries that the block makes in the log of a database.

    They are there when the block has ended, oldest first::

        with capture_entries() as made:
            client.post("/customers/1/", {"rate": "44.99"})
        assert made.changes == [{"rate": ["39.99", "44.99"]}]

    `using` names the database, the default one unless it is given. What others write into it
    meanwhile is among the entries, too. A block that raises collects nothing.
    """
    made = CapturedEntries()
    before = set(Entry.objects.using(using).values_list("id", flat=True))
    yield made
    made.entries += [
        entry for entry in Entry.objects.using(using).order_by("id") if entry.id not in before
    ]
