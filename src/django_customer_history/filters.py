"""The filters of the log: one set of names for the page, REST, exports, commands and Python.

A name that is given twice means "or", a leading `-` means "not". What is unknown or malformed
raises `InvalidFilterError`, which names it; nothing is ever ignored.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import reduce
from ipaddress import ip_address
from operator import or_
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from django_customer_history.changes import KINDS
from django_customer_history.context import SOURCES
from django_customer_history.exceptions import InvalidFilterError
from django_customer_history.keys import highest_uuid_at, lowest_uuid_at
from django_customer_history.querysets import EntryQuerySet
from django_customer_history.search import Search

NOBODY = "system"
"""The user of entries that nobody made."""

MOST_VALUES = 50
LONGEST_VALUE = 500

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?",
    re.IGNORECASE,
)
"""A date, or a moment as in RFC 3339."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""No key is older."""


def _text(value: str) -> str:
    return value


def _one_of(known: Iterable[str]) -> Callable[[str], str]:
    names = tuple(known)

    def parse(value: str) -> str:
        if value not in names:
            raise ValidationError(f"{_guess(value, names)}Give one of: {', '.join(names)}.")
        return value

    return parse


def _record(value: str) -> tuple[str, str | None]:
    model, _, key = value.partition(":")
    app_label, dot, name = model.lower().partition(".")
    if not (app_label and dot and name) or (":" in value and not key):
        raise ValidationError('Give a model, like "crm.customer", or a record: "crm.customer:42".')
    return f"{app_label}.{name}", key or None


def _address(value: str) -> str:
    try:
        address = ip_address(value)
    except ValueError:
        address = None
    if address is None or "%" in value:  # A zone is of one host; no address in the log has one.
        raise ValidationError("Give an IP address, like 203.0.113.9 or 2001:db8::7.")
    return str(address)


def _request(value: str) -> UUID:
    if not _UUID.fullmatch(value):
        raise ValidationError("Give the id of a request, a UUID.")
    return UUID(value)


def _start(value: str) -> datetime:
    return _moment(value, end_of_day=False)


def _end(value: str) -> datetime:
    return _moment(value, end_of_day=True)


def _moment(value: str, *, end_of_day: bool) -> datetime:
    """Return the first moment of a day or, for its end, the last; days are the user's own."""
    day = moment = None
    if _MOMENT.fullmatch(value):
        try:
            day, moment = parse_date(value), parse_datetime(value.upper())
        except ValueError:
            day = moment = None  # As with the 30th of February.
    if day is not None:
        moment = datetime.combine(day, time.max if end_of_day else time.min)
    if moment is None:
        raise ValidationError(
            "Give a date, like 2026-11-23, or a moment, like 2026-11-23T14:02:11Z."
        )
    if timezone.is_naive(moment):
        moment = moment.replace(tzinfo=timezone.get_current_timezone())
    return moment if moment > _BEGINNING else _BEGINNING


def _by_record(columns: str) -> Callable[[tuple[str, str | None]], Q]:
    def condition(record: tuple[str, str | None]) -> Q:
        model, key = record
        found = Q(**{f"{columns}_model": model})
        return found if key is None else found & Q(**{f"{columns}_id": key})

    return condition


def _by_user(user: str) -> Q:
    return Q(actor_id__isnull=True) if user == NOBODY else Q(actor_id=user)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One filter: what its values are, and which entries it keeps."""

    parse: Callable[[str], Any]
    condition: Callable[[Any], Q]
    description: str
    is_single: bool = False
    choices: tuple[str, ...] = ()


DEFINITIONS: Mapping[str, Definition] = {
    "from": Definition(
        parse=_start,
        condition=lambda moment: Q(id__gte=lowest_uuid_at(moment)),
        description="Not before this moment, or this day in the user's time zone.",
        is_single=True,
    ),
    "to": Definition(
        parse=_end,
        condition=lambda moment: Q(id__lte=highest_uuid_at(moment)),
        description="Not after this moment, or this day in the user's time zone.",
        is_single=True,
    ),
    "user": Definition(
        parse=_text,
        condition=_by_user,
        description=f'Key of the user who acted; "{NOBODY}" for nobody.',
    ),
    "kind": Definition(
        parse=_one_of(KINDS),
        condition=lambda kind: Q(kind=kind),
        description="What physically happened.",
        choices=KINDS,
    ),
    "action": Definition(
        parse=_text,
        condition=lambda action: Q(action=action),
        description='What it is called: "Update", "Invoice Generated".',
    ),
    "entity": Definition(
        parse=_record,
        condition=_by_record("entity"),
        description='What changed: a model, "billing.invoice", or a record, "billing.invoice:7".',
    ),
    "field": Definition(
        parse=_text,
        condition=lambda name: Q(changes__has_key=name),
        description='Name of a field that changed, or a JSON key: "udf.colour".',
    ),
    "source": Definition(
        parse=_one_of(SOURCES),
        condition=lambda source: Q(source=source),
        description="The part of the system that caused it.",
        choices=tuple(SOURCES),
    ),
    "ip": Definition(
        parse=_address,
        condition=lambda address: Q(ip_address=address),
        description="IP address.",
    ),
    "request": Definition(
        parse=_request,
        condition=lambda key: Q(request_id=key),
        description="Id of the request, task or command.",
    ),
    "subject": Definition(
        parse=_record,
        condition=_by_record("subject"),
        description='On whose tab it shows: "crm.customer" or "crm.customer:42".',
    ),
    "q": Definition(
        parse=_text,
        condition=lambda _: Q(),  # `Search` looks for it, where masks are known.
        description="Text in old and new values that the reader may see.",
    ),
}

NAMES: tuple[str, ...] = (*DEFINITIONS, *(f"-{name}" for name in DEFINITIONS))


class RepeatableField(forms.Field):
    """The values given for one name, each parsed."""

    widget = forms.MultipleHiddenInput

    def __init__(self, *, definition: Definition, **kwargs: Any) -> None:
        self.definition = definition
        super().__init__(**kwargs)

    def clean(self, value: Any) -> list[Any]:
        """Return the parsed values; refuse empty, repeated single and outsized ones."""
        given = list(value or ())
        if len(given) > (1 if self.definition.is_single else MOST_VALUES):
            raise ValidationError("Given too often.")
        return [self._parsed(str(one)) for one in given]

    def _parsed(self, text: str) -> Any:
        if not text or "\x00" in text or len(text) > LONGEST_VALUE:
            raise ValidationError(f"Give a value of 1 to {LONGEST_VALUE} characters.")
        return self.definition.parse(text)


class RepeatableFilter(django_filters.Filter):  # type: ignore[misc]
    """Keeps the entries that fit one of the values or, as the contrary, none of them."""

    field_class = RepeatableField

    def filter(self, entries: EntryQuerySet, values: Sequence[Any]) -> EntryQuerySet:
        """Return the entries that are kept."""
        if not values:
            return entries
        condition = reduce(or_, map(self.extra["definition"].condition, values))
        if not condition:
            return entries
        return entries.exclude(condition) if self.exclude else entries.filter(condition)


HistoryFilterSet = type(
    "HistoryFilterSet",
    (django_filters.FilterSet,),
    {
        name: RepeatableFilter(
            label=name,
            definition=DEFINITIONS[name.removeprefix("-")],
            exclude=name.startswith("-"),
        )
        for name in NAMES
    },
)
"""All filters, as django-filter carries them; built, as `from` is no name in Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is asked of the log. Made by `read` from a query or by `of` in Python."""

    asked: tuple[tuple[str, tuple[str, ...]], ...] = ()
    search: Search = field(default_factory=Search)

    @classmethod
    def read(cls, query: Mapping[str, Any], *, besides: Iterable[str] = ()) -> "Filters":
        """Return the filters of a query string, or of a dict of a text or texts by name.

        Names in `besides` are left to others. Raises `InvalidFilterError`.
        """
        others = tuple(besides)
        asked = {name: _values(query, name) for name in query if name not in others}
        errors = {
            name: f"Unknown filter. {_guess(name, (*NAMES, *others))}".strip()
            for name in asked
            if name not in NAMES
        }
        filter_set = HistoryFilterSet(data=asked, queryset=EntryQuerySet())
        errors |= {name: " ".join(texts) for name, texts in filter_set.errors.items()}
        if errors:
            raise InvalidFilterError(errors)
        # Moments are kept as they were understood: a cursor is bound to the user's day.
        canonical = {name: tuple(map(str, values)) for name, values in asked.items()}
        for name in ("from", "to", "-from", "-to"):
            if name in asked:
                canonical[name] = (filter_set.form.cleaned_data[name][0].isoformat(),)
        return cls(
            asked=tuple(sorted((name, tuple(sorted(v))) for name, v in canonical.items())),
            search=Search(wanted=canonical.get("q", ()), unwanted=canonical.get("-q", ())),
        )

    @classmethod
    def of(cls, **asked: Any) -> "Filters":
        """Return filters from Python: `Filters.of(user=ann, kind=["create"], not_source="api")`.

        Names as everywhere, with `from_` for "from" and `not_` for the leading `-`; values are
        texts, dates, moments, records, or several of those. Raises `InvalidFilterError`.
        """
        query = {}
        for keyword, values in asked.items():
            bare = keyword.removesuffix("_").removeprefix("not_")
            name = f"-{bare}" if keyword.startswith("not_") else bare
            several = values if isinstance(values, list | tuple | set | frozenset) else [values]
            query[name] = [_as_text(value, bare) for value in several]
        return cls.read(query)

    def __bool__(self) -> bool:
        """Tell whether anything is asked for."""
        return bool(self.asked)

    @property
    def question(self) -> str:
        """A text that differs for filters that differ."""
        return json.dumps(self.asked)

    def applied(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that may fit; text is for `search` to confirm."""
        query = {name: list(values) for name, values in self.asked}
        kept: EntryQuerySet = HistoryFilterSet(data=query, queryset=entries).qs
        return self.search.narrowed(kept)


NO_FILTERS = Filters()


def _values(query: Mapping[str, Any], name: str) -> list[str]:
    several = query.getlist(name) if hasattr(query, "getlist") else query[name]
    return [several] if isinstance(several, str) else list(several)


def _as_text(value: Any, name: str) -> str:
    if value is None and name == "user":
        return NOBODY
    if isinstance(value, type) and issubclass(value, models.Model):
        return value._meta.label_lower
    if isinstance(value, models.Model):
        return str(value.pk) if name == "user" else f"{value._meta.label_lower}:{value.pk}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _guess(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean '{close[0]}'? " if close else ""
