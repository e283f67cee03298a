"""The query string of a page with a History tab: filters, position, and the page's own names."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, urlencode
from uuid import UUID

from django.http import Http404, QueryDict

from django_customer_history.reading.filters import (
    NAMES,
    Filters,
)

TAB_PARAMETERS = ("before", "entry", "filter", "format", "print")
"""Parameters that belong to the tab and are not filters."""

_NO_ENTRY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TabQuery:
    """The parameters of a query string. Empty values, as forms send them, are left out."""

    parameters: Mapping[str, tuple[str, ...]]
    """All names with their values, also those that belong to the page around the tab."""

    @classmethod
    def read(cls, query: QueryDict) -> "TabQuery":
        """Return the query without empty values."""
        parameters = {name: tuple(filter(None, query.getlist(name))) for name in query}
        return cls(parameters={name: values for name, values in parameters.items() if values})

    def filters(
        self, *, allow_other_parameters: bool, fixed: Mapping[str, str] = MappingProxyType({})
    ) -> Filters:
        """Return the filters of the query, and those that are fixed for the page.

        Unknown names, such as `utm_source`, are ignored: links get them on their way. A name that
        is a misspelled filter is an error, unless `allow_other_parameters` says that names belong
        to the page around the tab. Raises `InvalidFilterError`.
        """
        ignored = {
            name
            for name in self.parameters
            if name not in NAMES
            and (allow_other_parameters or name in TAB_PARAMETERS or not _is_misspelled(name))
        }
        values = {name: list(values) for name, values in self.parameters.items()}
        return Filters.read(
            {**values, **{name: [value] for name, value in fixed.items()}}, other_names=ignored
        )

    def without(self, names: Iterable[str]) -> "TabQuery":
        """Return the query without some parameters."""
        left_out = set(names)
        return TabQuery(
            parameters={
                name: values for name, values in self.parameters.items() if name not in left_out
            }
        )

    @property
    def filter_values(self) -> list[tuple[str, str]]:
        """The names and values of the filters, as they are in the query."""
        return [
            (name, value)
            for name in NAMES
            for value in dict.fromkeys(self.parameters.get(name, ()))
        ]

    @property
    def entry(self) -> UUID | None:
        """The id of the entry that the page starts with, or None.

        For text that is not a UUID it is an id that no entry has, so that the page answers
        "Change not found".
        """
        text = self.value("entry")
        try:
            return UUID(text) if text else None
        except ValueError:
            return _NO_ENTRY

    def value(self, name: str) -> str | None:
        """Return the first value of a parameter, or None."""
        return next(iter(self.parameters.get(name, ())), None)

    def link(
        self,
        changes: Mapping[str, Iterable[str]] | None = None,
        *,
        keep_filters: bool = True,
        keep_other_parameters: bool = True,
        keep: Iterable[str] = (),
    ) -> str:
        """Return a relative link to this page with other parameters.

        `changes` replaces parameters. Parameters of the tab itself are dropped, except those
        named in `keep`. Parameters of the page around the tab stay, unless
        `keep_other_parameters` is False.
        """
        kept: dict[str, Iterable[str]] = {}
        for name, values in self.parameters.items():
            if name in TAB_PARAMETERS:
                is_kept = name in keep
            else:
                is_kept = keep_filters if name in NAMES else keep_other_parameters
            if is_kept:
                kept[name] = values
        kept |= changes or {}
        pairs = [(name, value) for name, values in kept.items() for value in values]
        return f"?{urlencode(pairs, safe=':', quote_via=quote)}"


def entry_to_reveal(form: QueryDict) -> UUID:
    """Return the id of the entry that a form names. Raises `Http404`."""
    try:
        return UUID(form.get("reveal", ""))
    except ValueError as error:
        raise Http404 from error


_ALMOST_EQUAL = 0.85
"""So alike are `acton` and `action`. `utm_source` and `source` are less alike."""


def _is_misspelled(name: str) -> bool:
    return bool(difflib.get_close_matches(name, NAMES, n=1, cutoff=_ALMOST_EQUAL))
