"""The filter bar: chips for active filters, date ranges, and menus of values to choose from."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from itertools import groupby

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
from django_customer_history.reading.filter_values import field_name_of
from django_customer_history.reading.filters import (
    BY_NAME,
    SYSTEM,
)
from django_customer_history.reading.record_labels import model_title
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry
from django_customer_history.tab.activity import Activity, build_activity
from django_customer_history.tab.date_filter import DateInput, Preset, date_input, presets
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

_KINDS = {
    "create": gettext_lazy("Any create"),
    "update": gettext_lazy("Any edit"),
    "delete": gettext_lazy("Any delete"),
    "add": gettext_lazy("Any addition"),
    "remove": gettext_lazy("Any removal"),
    "event": gettext_lazy("Any event"),
    "view": gettext_lazy("Any view"),
}
"""What the menu of actions calls the kinds, in their order there."""

_KINDS_ALWAYS_THERE = ("create", "update", "delete")

_MOST_WITHOUT_SEARCH = 8
"""Options of a menu. A menu with more has a text box that finds them."""

_INPUTS = {"from", "to", "q", "kind", *_MENU_FACETS}
"""The filters that have an input in the form. The form passes others on as hidden inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One value of an active filter, with the link that removes it."""

    title: str
    text: str
    is_negated: bool
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A value in a menu."""

    value: str
    label: str
    is_chosen: bool
    name: str
    """The name of the filter."""
    is_older: bool = False
    """Whether no recent entry has the value: perhaps an older one has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionGroup:
    """Options of a menu that belong together."""

    title: str
    """Empty for options without a title."""
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """The values to choose from for one filter; that of actions has kinds too."""

    name: str
    title: str
    groups: tuple[OptionGroup, ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """The options of all groups."""
        return tuple(option for group in self.groups for option in group.options)

    @property
    def chosen_count(self) -> int:
        """How many of its values are active."""
        return sum(option.is_chosen for option in self.options)

    @property
    def has_search(self) -> bool:
        """Whether it has so many options that a text box helps to find one."""
        return len(self.options) > _MOST_WITHOUT_SEARCH


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterBar:
    """The filter bar, with its menus open or closed."""

    chips: tuple[Chip, ...]
    presets: tuple[Preset, ...]
    menus: tuple[Menu, ...] | None
    """None while the bar is closed."""
    note: str
    """What the menus do not have, or how they mark older values; empty if they are complete."""
    activity: Activity | None
    """The changes over time; None while the bar is closed."""
    start: DateInput
    end: DateInput
    text: str
    hidden: tuple[tuple[str, str], ...]
    """Names and values of the form's hidden inputs."""
    clear_link: str
    open_link: str


def build_filter_bar(
    query: TabQuery,
    *,
    facets: Facets | None,
    today: date,
    zone: tzinfo,
    left_out: Collection[str] = (),
) -> FilterBar:
    """Return the filter bar of a query. Without facets it is closed.

    `today` and `zone` are the reader's date and time zone. `left_out` are filters without a menu.
    """
    labels = _facet_labels(facets)
    return FilterBar(
        chips=tuple(_chip(query, name, value, labels, zone) for name, value in query.filter_values),
        presets=tuple(presets(query, today)),
        menus=None
        if facets is None
        else tuple(
            menu for menu in _menus(query, facets, labels, zone) if menu.name not in left_out
        ),
        note=_note(facets),
        activity=build_activity(query, () if facets is None else facets.moments, zone=zone),
        start=date_input(query, "from"),
        end=date_input(query, "to"),
        text=query.value("q") or "",
        hidden=tuple(_hidden_inputs(query)),
        clear_link=query.link(keep_filters=False),
        open_link=query.link({"filter": ["open"]}),
    )


def _note(facets: Facets | None) -> str:
    if facets is None or facets.complete:
        return ""
    if facets.older:
        return gettext("“Older” values are not in the recent changes.")
    return gettext("Only values of recent changes.")


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


def _field_label(value: str) -> str:
    model, name = field_name_of(value)
    root, _, path = name.partition(".")
    for registration in registry:
        is_of_model = model in (None, registration.model._meta.label_lower)
        field = field_of(registration.model, root) if is_of_model else None
        if field is not None:
            title = str(capfirst(str(field.verbose_name)))
            label = f"{title}: {path}" if path else title
            return label if model is None else _with_entity(label, model_title(model))
    return value


def _with_entity(label: str, entity: str) -> str:
    return f"{label} ({entity})"


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
    try:
        local = moment if is_naive(moment) else moment.astimezone(zone)
    except OverflowError:  # In the reader's time zone it is in the year 0, or in 10,000.
        return value
    return f"{formats.date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S}"


def _facet_labels(facets: Facets | None) -> dict[tuple[str, str], str]:
    if facets is None:
        return {}
    labels = {
        (name, facet.value): facet.label
        for name, attribute in _MENU_FACETS.items()
        for facet in getattr(facets, attribute)
    }
    count = Counter(one.label for one in facets.entity_fields)
    for one in facets.entity_fields:
        is_unique = count[one.label] == 1
        text = one.label if is_unique else _with_entity(one.label, one.entity)
        labels.setdefault(("field", one.value), text)
    return labels


def _menus(
    query: TabQuery, facets: Facets, labels: Mapping[tuple[str, str], str], zone: tzinfo
) -> Iterator[Menu]:
    for name, attribute in _MENU_FACETS.items():
        if name == "field":
            groups = tuple(_field_groups(query, facets))
        else:
            options = tuple(
                _option(query, facets, name, facet.value, facet.label)
                for facet in getattr(facets, attribute)
            )
            groups = (OptionGroup(title="", options=options),)
        if name == "action":
            groups = (_kinds(query, facets), *groups)
        known = {option.value for group in groups for option in group.options}
        # An active value that no entry has is listed too: readers must be able to switch it off.
        missing = tuple(
            Option(
                value=value,
                label=labels.get((name, value)) or _value_label(name, value, zone),
                is_chosen=True,
                name=name,
            )
            for value in query.parameters.get(name, ())
            if value not in known
        )
        if missing:
            groups = (*groups, OptionGroup(title="", options=missing))
        yield Menu(
            name=name,
            title=str(_TITLES[name]),
            groups=tuple(group for group in groups if group.options),
        )


def _option(query: TabQuery, facets: Facets, name: str, value: str, label: str) -> Option:
    return Option(
        value=value,
        label=label,
        is_chosen=value in query.parameters.get(name, ()),
        name=name,
        is_older=(name, value) in facets.older,
    )


def _kinds(query: TabQuery, facets: Facets) -> OptionGroup:
    """Return the kinds: the edits, for example, whatever their actions are called."""
    found = {*_KINDS_ALWAYS_THERE, *query.parameters.get("kind", ())}
    found |= {one.value for one in facets.kinds}
    options = tuple(
        _option(query, facets, "kind", kind, str(label))
        for kind, label in _KINDS.items()
        if kind in found
    )
    return OptionGroup(title="", options=options)


def _field_groups(query: TabQuery, facets: Facets) -> Iterator[OptionGroup]:
    """Yield the fields by entity; a filter by a plain name stays a plain name."""
    for entity, fields in groupby(facets.entity_fields, key=lambda one: one.entity):
        options = tuple(_option(query, facets, "field", one.value, one.label) for one in fields)
        yield OptionGroup(title=entity, options=options)


def _hidden_inputs(query: TabQuery) -> Iterator[tuple[str, str]]:
    for name, values in query.parameters.items():
        if name not in _INPUTS and name not in TAB_PARAMETERS:
            for value in values:
                yield name, value
