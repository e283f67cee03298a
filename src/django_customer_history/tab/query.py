"""The query of a page with a tab on it: its filters, its place, and what belongs to the host."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.http import QueryDict

from django_customer_history.reading.filters import (
    NAMES,
    Filters,
)

OWN_NAMES = ("before", "entry", "filter", "format", "print")
"""Names in the query that are the tab's own and no filters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabQuery:
    """What a query string asks of a tab. Empty values, as forms send them, ask for nothing."""

    given: Mapping[str, tuple[str, ...]]
    """Every name with its values, those of the host too."""

    @classmethod
    def read(cls, query: QueryDict) -> "TabQuery":
        """Return the query without what is empty."""
        given = {name: tuple(filter(None, query.getlist(name))) for name in query}
        return cls(given={name: values for name, values in given.items() if values})

    def filters(self, *, leaves_others: bool) -> Filters:
        """Return the filters; names that are none are an error, or left to the host.

        Raises `InvalidFilterError`.
        """
        others = set(self.given) - set(NAMES) if leaves_others else OWN_NAMES
        return Filters.read(
            {name: list(values) for name, values in self.given.items()}, other_names=others
        )

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The filters as they were given: names and values."""
        return [
            (name, value) for name in NAMES for value in dict.fromkeys(self.given.get(name, ()))
        ]

    @property
    def entry(self) -> UUID | None:
        """The entry that the page shall begin with, if it was asked for one."""
        text = self.value("entry")
        try:
            return UUID(text) if text else None
        except ValueError:
            return UUID(int=0)  # Which none has: so it is told that there is none.

    def value(self, name: str) -> str | None:
        """Return the only or first value of a name."""
        return next(iter(self.given.get(name, ())), None)

    def link(
        self,
        changes: Mapping[str, Iterable[str]] | None = None,
        *,
        keeps_filters: bool = True,
        keeps_others: bool = True,
        keeps: Iterable[str] = (),
    ) -> str:
        """Return the link to this page with another query.

        The tab's own names go, but for those to keep; the host's stay, unless it is said otherwise.
        """
        kept = QueryDict(mutable=True)
        for name, values in self.given.items():
            if name in OWN_NAMES:
                is_kept = name in keeps
            else:
                is_kept = keeps_filters if name in NAMES else keeps_others
            if is_kept:
                kept.setlist(name, list(values))
        for name, changed in (changes or {}).items():
            kept.setlist(name, list(changed))
        return f"?{kept.urlencode(safe=':')}"
