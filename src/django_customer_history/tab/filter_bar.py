"""The filter bar: chips for active filters, date ranges, and menus of values to choose from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from django.utils import formats
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.text import capfirst
from django.utils.timezone import is_naive
from django.utils.translation import gettext, gettext_lazy, pgettext_lazy

from django_customer_history.context.current import SOURCES
from django_customer_history.labels import (
    KIND_LABELS,
    action_label,
    system_label,
)
from django_customer_history.reading.facets import Facets
from django_customer_history.reading.filters import (
    BY_NAME,
    SYSTEM,
)
from django_customer_history.reading.record_labels import model_title
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry
from django_customer_history.tab.query import (
    TAB_PARAMETERS,
    TabQuery,
)

_TITLES = {
    "from": pgettext_lazy("from a day", "From"),
    "to": pgettext_lazy("to a day", "To"),
    "user": gettext_lazy("User"),
    "kind": pgettext_lazy("kind of action", "Kind"),
    "action": gettext_lazy("Action"),
    "entity": gettext_lazy("Entity"),
    "field": gettext_lazy("Field"),
    "source": pgettext_lazy("source of a change", "Source"),
    "ip_address": gettext_lazy("IP address"),
    "request_id": pgettext_lazy("request to the server", "Request"),
    "subject": pgettext_lazy("the record that a history is about", "Subject"),
    "q": pgettext_lazy("text to search for", "Search"),
}

_MENU_FACETS = {
    "user": "users",
    "action": "actions",
    "entity": "entities",
    "field": "fields",
    "source": "sources",
}
"""The filters that have a menu, each with the attribute of `Facets` that has its values."""

_INPUTS = {"from", "to", "q", *_MENU_FACETS}
"""The filters that have an input in the form. The form passes others on as hidden inputs."""

_ISO_DATE_LENGTH = len("2026-11-23")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One value of an active filter, with the link that removes it."""

    title: str
    text: str
    is_negated: bool
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A date range with a name, such as "Last 7 days"."""

    name: str
    link: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A value in a menu."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """The values to choose from for one filter."""

    name: str
    title: str
    options: tuple[Option, ...]

    @property
    def chosen_count(self) -> int:
        """How many of its values are active."""
        return sum(option.is_chosen for option in self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateInput:
    """The start or the end of the date range, as a form input."""

    name: str
    value: str
    is_date: bool
    """Whether the value is a date. A date with a time needs a text input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterBar:
    """The filter bar, with its menus open or closed."""

    chips: tuple[Chip, ...]
    presets: tuple[Preset, ...]
    menus: tuple[Menu, ...] | None
    """None while the bar is closed."""
    is_complete: bool
    """Whether the menus have the values of all entries, or only of the newest ones."""
    start: DateInput
    end: DateInput
    text: str
    hidden: tuple[tuple[str, str], ...]
    """Names and values of the form's hidden inputs."""
    clear_link: str
    open_link: str


def build_filter_bar(
    query: TabQuery, *, facets: Facets | None, today: date, zone: tzinfo
) -> FilterBar:
    """Return the filter bar of a query. Without facets it is closed.

    `today` and `zone` are the reader's date and time zone.
    """
    labels = _facet_labels(facets)
    return FilterBar(
        chips=tuple(_chip(query, name, value, labels, zone) for name, value in query.filter_values),
        presets=tuple(_presets(query, today)),
        menus=None if facets is None else tuple(_menus(query, facets, zone)),
        is_complete=facets is None or facets.complete,
        start=_date_input(query, "from"),
        end=_date_input(query, "to"),
        text=query.value("q") or "",
        hidden=tuple(_hidden_inputs(query)),
        clear_link=query.link(keep_filters=False),
        open_link=query.link({"filter": ["open"]}),
    )


def _chip(
    query: TabQuery, name: str, value: str, labels: Mapping[tuple[str, str], str], zone: tzinfo
) -> Chip:
    filter_name = name.removeprefix("-")
    other_values = [other for other in query.parameters[name] if other != value]
    return Chip(
        title=str(_TITLES[filter_name]),
        text=labels.get((filter_name, value)) or _value_label(filter_name, value, zone),
        is_negated=name != filter_name,
        link=query.link({name: other_values}),
    )


def _value_label(name: str, value: str, zone: tzinfo) -> str:
    """Return the label of a filter's value that is not among the facets."""
    if name in ("from", "to"):
        return _date_label(value, zone)
    get_label = _VALUE_LABELS.get(name)
    return value if get_label is None else get_label(value)


def _record_label(value: str) -> str:
    model, _, key = value.partition(":")
    title = model_title(model)
    return f"{title} {key}" if key else title


def _field_label(name: str) -> str:
    root, _, path = name.partition(".")
    for registration in registry:
        field = field_of(registration.model, root)
        if field is not None:
            title = str(capfirst(str(field.verbose_name)))
            return f"{title}: {path}" if path else title
    return name


_VALUE_LABELS: Mapping[str, Callable[[str], str]] = {
    "user": lambda value: system_label() if value == SYSTEM else value.removeprefix(BY_NAME),
    "kind": lambda value: str(KIND_LABELS.get(value, value)),
    "action": action_label,
    "entity": _record_label,
    "field": _field_label,
    "source": lambda value: SOURCES.get(value, value),
    "subject": _record_label,
}


def _date_label(value: str, zone: tzinfo) -> str:
    day = parse_date(value)
    if day is not None:
        return str(formats.date_format(day, "DATE_FORMAT"))
    moment = parse_datetime(value.upper())
    if moment is None:
        return value
    local = moment if is_naive(moment) else moment.astimezone(zone)
    return f"{formats.date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S}"


def _facet_labels(facets: Facets | None) -> dict[tuple[str, str], str]:
    if facets is None:
        return {}
    return {
        (name, facet.value): facet.label
        for name, attribute in _MENU_FACETS.items()
        for facet in getattr(facets, attribute)
    }


def _menus(query: TabQuery, facets: Facets, zone: tzinfo) -> Iterator[Menu]:
    for name, attribute in _MENU_FACETS.items():
        chosen = query.parameters.get(name, ())
        found = [
            Option(value=facet.value, label=facet.label, is_chosen=facet.value in chosen)
            for facet in getattr(facets, attribute)
        ]
        known = {option.value for option in found}
        # An active value that no entry has is listed too: readers must be able to switch it off.
        missing = [
            Option(value=value, label=_value_label(name, value, zone), is_chosen=True)
            for value in chosen
            if value not in known
        ]
        yield Menu(name=name, title=str(_TITLES[name]), options=(*found, *missing))


def _presets(query: TabQuery, today: date) -> Iterator[Preset]:
    yesterday = today - timedelta(days=1)
    last_year = today.replace(year=today.year - 1, day=min(today.day, 28))
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    ranges = (
        (gettext("Today"), today, today),
        (gettext("Yesterday"), yesterday, yesterday),
        (gettext("Last 7 days"), today - timedelta(days=6), today),
        (gettext("Last 30 days"), today - timedelta(days=29), today),
        (gettext("This month"), month, today),
        (gettext("Last month"), last_month, month - timedelta(days=1)),
        (gettext("Last 12 months"), last_year, today),
    )
    for name, start, end in ranges:
        changes = {"from": (start.isoformat(),), "to": (end.isoformat(),)}
        yield Preset(
            name=name,
            link=query.link(changes),
            is_current=all(query.parameters.get(key) == value for key, value in changes.items()),
        )


def _date_input(query: TabQuery, name: str) -> DateInput:
    value = query.value(name) or ""
    return DateInput(name=name, value=value, is_date=_is_date(value))


def _is_date(value: str) -> bool:
    try:
        return not value or (len(value) == _ISO_DATE_LENGTH and parse_date(value) is not None)
    except ValueError:
        return False


def _hidden_inputs(query: TabQuery) -> Iterator[tuple[str, str]]:
    for name, values in query.parameters.items():
        if name not in _INPUTS and name not in TAB_PARAMETERS:
            for value in values:
                yield name, value
