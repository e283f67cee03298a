"""What entries are called, as a filter: for each reader by what they may see of it."""

from dataclasses import dataclass

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.registration.registry import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """The names of which an entry must bear one, and those of which it may bear none."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    @property
    def depend_on_the_reader(self) -> bool:
        """Whether the database alone cannot tell who sees which name."""
        return bool(self.wanted or self.unwanted) and bool(_telling())

    def narrowed(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Keep what may fit, in the database: names that tell a value may stand for others."""
        telling = _telling()
        if self.wanted:
            entries = entries.filter(action__in=[*self.wanted, *sorted(telling)])
        if self.unwanted and not telling:
            entries = entries.exclude(action__in=self.unwanted)
        return entries

    def fits(self, entry: Entry, sight: FieldAccess) -> bool:
        """Return whether an entry is called so for a reader."""
        if not (self.wanted or self.unwanted):
            return True
        action = sight.action(entry)
        return (not self.wanted or action in self.wanted) and action not in self.unwanted


def _telling() -> frozenset[str]:
    """Return the names that stand for one value of a field, whether it is confidential or not."""
    return frozenset(
        event.action
        for registration in registry
        for event in registration.events
        if event.value is not None
    )
