"""The filter `action`: each reader filters by the names of actions that they see."""

from dataclasses import dataclass

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.registration.registry import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """An entry must have one of the wanted names, and none of the unwanted names."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    @property
    def depend_on_the_reader(self) -> bool:
        """Whether readers see different names, so that the database alone cannot filter."""
        return bool(self) and bool(actions_of_values())

    def __bool__(self) -> bool:
        """Return whether there is any name to filter by."""
        return bool(self.wanted or self.unwanted)

    def narrowed(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that can match, by the database.

        An entry whose action discloses a value has another name for some readers, so all of
        these entries stay.
        """
        of_values = actions_of_values()
        if self.wanted:
            entries = entries.filter(action__in=[*self.wanted, *sorted(of_values)])
        if self.unwanted and not of_values:
            entries = entries.exclude(action__in=self.unwanted)
        return entries

    def fits(self, entry: Entry, access: FieldAccess) -> bool:
        """Return whether an entry matches by the name that its reader sees."""
        if not self:
            return True
        action = access.action(entry)
        return (not self.wanted or action in self.wanted) and action not in self.unwanted


def actions_of_values() -> frozenset[str]:
    """Return the actions that are named after a value, whether its field is confidential or not."""
    return frozenset(
        event.action
        for registration in registry
        for event in registration.events
        if event.value is not None
    )
