"""The filter bar: chips of what is asked for, ranges of dates, menus of what occurs."""

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
    OWN_NAMES,
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
    "subject": pgettext_lazy("tab of a record", "Tab"),
    "q": pgettext_lazy("text that is searched for", "Text"),
}
_MENUS = {
    "user": "users",
    "action": "actions",
    "entity": "entities",
    "field": "fields",
    "source": "sources",
}
"""Filters that have a menu, and where facets have what occurs."""

_IN_THE_FORM = {"from", "to", "q", *_MENUS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One value of one filter in force, and the link to the page without it."""

    title: str
    text: str
    is_negated: bool
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A range of dates with a name."""

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
    """The values that one filter can be given."""

    name: str
    title: str
    options: tuple[Option, ...]

    @property
    def chosen(self) -> int:
        """How many of its values are in force."""
        return sum(option.is_chosen for option in self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateInput:
    """One end of the range of dates, as an input has it."""

    name: str
    value: str
    is_date: bool
    """Whether it is a day; a moment is kept as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The filter bar, open with menus or closed."""

    chips: tuple[Chip, ...]
    presets: tuple[Preset, ...]
    menus: tuple[Menu, ...] | None
    is_complete: bool
    """Whether the menus were made of every entry; else of the newest ones."""
    start: DateInput
    end: DateInput
    text: str
    hidden: tuple[tuple[str, str], ...]
    """Names and values that the form passes on."""
    clear_link: str
    open_link: str


def bar_of(query: TabQuery, *, facets: Facets | None, today: date, zone: tzinfo) -> Bar:
    """Return the bar of a query; without facets it has no menus."""
    labels = _labels(facets)
    return Bar(
        chips=tuple(_chip(query, name, value, labels, zone) for name, value in query.asked),
        presets=tuple(_presets(query, today)),
        menus=None if facets is None else tuple(_menus(query, facets, zone)),
        is_complete=facets is None or facets.complete,
        start=_range(query, "from"),
        end=_range(query, "to"),
        text=query.value("q") or "",
        hidden=tuple(_hidden(query)),
        clear_link=query.link(keeps_filters=False),
        open_link=query.link({"filter": ["open"]}),
    )


def _chip(
    query: TabQuery, name: str, value: str, labels: Mapping[tuple[str, str], str], zone: tzinfo
) -> Chip:
    bare = name.removeprefix("-")
    others = [one for one in query.given[name] if one != value]
    return Chip(
        title=str(_TITLES[bare]),
        text=labels.get((bare, value)) or _text(bare, value, zone),
        is_negated=name != bare,
        link=query.link({name: others}),
    )


def _text(name: str, value: str, zone: tzinfo) -> str:
    if name in ("from", "to"):
        return _moment_text(value, zone)
    write = _TEXTS.get(name)
    return value if write is None else write(value)


def _record_title(value: str) -> str:
    model, _, key = value.partition(":")
    title = model_title(model)
    return f"{title} {key}" if key else title


def _field_title(name: str) -> str:
    """Return what a field is called that does not occur in what the menus were made of."""
    root, _, path = name.partition(".")
    for registration in registry:
        field = field_of(registration.model, root)
        if field is not None:
            title = str(capfirst(str(field.verbose_name)))
            return f"{title}: {path}" if path else title
    return name


_TEXTS: Mapping[str, Callable[[str], str]] = {
    "user": lambda value: system_label() if value == SYSTEM else value.removeprefix(BY_NAME),
    "kind": lambda value: str(KIND_LABELS.get(value, value)),
    "action": action_label,
    "entity": _record_title,
    "field": _field_title,
    "source": lambda value: SOURCES.get(value, value),
    "subject": _record_title,
}


def _moment_text(value: str, zone: tzinfo) -> str:
    day = parse_date(value)
    if day is not None:
        return str(formats.date_format(day, "DATE_FORMAT"))
    moment = parse_datetime(value.upper())
    if moment is None:
        return value
    local = moment if is_naive(moment) else moment.astimezone(zone)
    return f"{formats.date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S}"


def _labels(facets: Facets | None) -> dict[tuple[str, str], str]:
    if facets is None:
        return {}
    return {
        (name, one.value): one.label
        for name, attribute in _MENUS.items()
        for one in getattr(facets, attribute)
    }


def _menus(query: TabQuery, facets: Facets, zone: tzinfo) -> Iterator[Menu]:
    for name, attribute in _MENUS.items():
        chosen = query.given.get(name, ())
        occurring = [
            Option(value=one.value, label=one.label, is_chosen=one.value in chosen)
            for one in getattr(facets, attribute)
        ]
        known = {option.value for option in occurring}
        # What is in force and does not occur can be seen and switched off all the same.
        missing = [
            Option(value=value, label=_text(name, value, zone), is_chosen=True)
            for value in chosen
            if value not in known
        ]
        yield Menu(name=name, title=str(_TITLES[name]), options=(*occurring, *missing))


def _presets(query: TabQuery, today: date) -> Iterator[Preset]:
    yesterday = today - timedelta(days=1)
    last_year = today.replace(year=today.year - 1, day=min(today.day, 28))
    month = today.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    ranges = (
        (gettext("Today"), today, today),
        (gettext("Yesterday"), yesterday, yesterday),
        (gettext("Last 7 days"), today - timedelta(days=6), today),
        (gettext("Last 30 days"), today - timedelta(days=29), today),
        (gettext("This month"), month, today),
        (gettext("Last month"), before, month - timedelta(days=1)),
        (gettext("Last 12 months"), last_year, today),
    )
    for name, start, end in ranges:
        wanted = {"from": (start.isoformat(),), "to": (end.isoformat(),)}
        yield Preset(
            name=name,
            link=query.link(wanted),
            is_current=all(query.given.get(key) == value for key, value in wanted.items()),
        )


def _range(query: TabQuery, name: str) -> DateInput:
    value = query.value(name) or ""
    return DateInput(name=name, value=value, is_date=_is_date(value))


def _is_date(value: str) -> bool:
    try:
        return not value or (parse_date(value) is not None and len(value) == len("2026-11-23"))
    except ValueError:
        return False


def _hidden(query: TabQuery) -> Iterator[tuple[str, str]]:
    for name, values in query.given.items():
        if name not in _IN_THE_FORM and name not in OWN_NAMES:
            for value in values:
                yield name, value
