"""The filters of the log: one set of names for the page, REST, exports, commands and Python.

A name that is given twice means "or", a leading `-` means "not". What is unknown or malformed
raises `InvalidFilterError`, which names it; nothing is ever ignored.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import reduce
from operator import or_
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.context.current import SOURCES
from django_customer_history.exceptions import InvalidFilterError
from django_customer_history.keys import (
    highest_uuid_at,
    lowest_uuid_at,
)
from django_customer_history.labels import KINDS
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.reading.actions import Actions
from django_customer_history.reading.filter_values import (
    address_of,
    end_of,
    guess,
    one_of,
    record_of,
    request_of,
    start_of,
    text_of,
)
from django_customer_history.reading.search import Search

SYSTEM = "system"
"""The user of entries that nobody made."""

BY_NAME = "name:"
"""Before the name of a user without a key, such as that of a shell."""

MOST_VALUES = 50
LONGEST_VALUE = 500


def _by_record(columns: str) -> Callable[[tuple[str, str | None]], Q]:
    def condition(record: tuple[str, str | None]) -> Q:
        model, key = record
        found = Q(**{f"{columns}_model": model})
        return found if key is None else found & Q(**{f"{columns}_id": key})

    return condition


def _by_user(user: str) -> Q:
    without_key = Q(user_id__isnull=True)
    if user == SYSTEM:
        return without_key & (Q(user_label__isnull=True) | Q(user_label=""))
    if user.startswith(BY_NAME):
        # A key may look like that, too.
        return Q(user_id=user) | (without_key & Q(user_label=user.removeprefix(BY_NAME)))
    return Q(user_id=user)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterDefinition:
    """One filter: what its values are, and which entries it keeps."""

    parse: Callable[[str], Any]
    condition: Callable[[Any], Q]
    description: str
    placeholder: str
    """Stands for a value where the usage of a command is told."""
    is_single: bool = False
    choices: Collection[str] = ()
    """The only values there are; for sources, those of the settings at the time of asking."""


DEFINITIONS: Mapping[str, FilterDefinition] = {
    "from": FilterDefinition(
        parse=start_of,
        condition=lambda moment: Q(id__gte=lowest_uuid_at(moment)),
        description="Not before this moment, or this day in the user's time zone.",
        placeholder="DATE",
        is_single=True,
    ),
    "to": FilterDefinition(
        parse=end_of,
        condition=lambda moment: Q(id__lte=highest_uuid_at(moment)),
        description="Not after this moment, or this day in the user's time zone.",
        placeholder="DATE",
        is_single=True,
    ),
    "user": FilterDefinition(
        parse=text_of,
        condition=_by_user,
        description=f'Key of the user who acted; "{SYSTEM}" for nobody;'
        f' "{BY_NAME}deploy" for one that has no key.',
        placeholder="USER",
    ),
    "kind": FilterDefinition(
        parse=one_of(KINDS),
        condition=lambda kind: Q(kind=kind),
        description="What physically happened.",
        placeholder="KIND",
        choices=KINDS,
    ),
    "action": FilterDefinition(
        parse=text_of,
        condition=lambda action: Q(action=action),
        description='What it is called: "Update", "Invoice Generated".',
        placeholder="NAME",
    ),
    "entity": FilterDefinition(
        parse=record_of,
        condition=_by_record("entity"),
        description='What changed: a model, "billing.invoice", or a record, "billing.invoice:7".',
        placeholder="RECORD",
    ),
    "field": FilterDefinition(
        parse=text_of,
        condition=lambda name: Q(changes__has_key=name),
        description='Name of a field that changed, or a JSON key: "udf.colour".',
        placeholder="FIELD",
    ),
    "source": FilterDefinition(
        parse=one_of(SOURCES),
        condition=lambda source: Q(source=source),
        description="The part of the system that caused it.",
        placeholder="SOURCE",
        choices=SOURCES,
    ),
    "ip_address": FilterDefinition(
        parse=address_of,
        condition=lambda address: Q(ip_address=address),
        description="IP address.",
        placeholder="ADDRESS",
    ),
    "request_id": FilterDefinition(
        parse=request_of,
        condition=lambda key: Q(request_id=key),
        description="Id of the request, task or command.",
        placeholder="UUID",
    ),
    "subject": FilterDefinition(
        parse=record_of,
        condition=_by_record("subject"),
        description='On whose tab it shows: "crm.customer" or "crm.customer:42".',
        placeholder="RECORD",
    ),
    "q": FilterDefinition(
        parse=text_of,
        condition=lambda _: Q(),  # `Search` looks for it, where masks are known.
        description="Text in old and new values that the reader may see.",
        placeholder="TEXT",
    ),
}

_BY_SIGHT = ("action", "-action", "q", "-q")
"""Filters that must not tell what a reader may not see."""

NAMES: tuple[str, ...] = (*DEFINITIONS, *(f"-{name}" for name in DEFINITIONS))


class RepeatableField(forms.Field):
    """The values given for one name, each parsed."""

    widget = forms.MultipleHiddenInput

    def __init__(self, *, definition: FilterDefinition, **kwargs: Any) -> None:
        self.definition = definition
        super().__init__(**kwargs)

    def clean(self, value: Any) -> list[Any]:
        """Return the parsed values; refuse empty, repeated single and outsized ones."""
        given = list(value or ())
        if len(given) > (1 if self.definition.is_single else MOST_VALUES):
            raise ValidationError(gettext("Given too often."))
        return [self._parsed(str(one)) for one in given]

    def _parsed(self, text: str) -> Any:
        if not text or "\x00" in text or len(text) > LONGEST_VALUE:
            raise ValidationError(
                gettext("Give a value of 1 to %(most)d characters.") % {"most": LONGEST_VALUE}
            )
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
    actions: Actions = field(default_factory=Actions)

    @classmethod
    def read(cls, query: Mapping[str, Any], *, besides: Iterable[str] = ()) -> "Filters":
        """Return the filters of a query string, or of a dict of a text or texts by name.

        Names in `besides` are left to others. Raises `InvalidFilterError`.
        """
        others = tuple(besides)
        asked = {name: _values(query, name) for name in query if name not in others}
        unknown = gettext("Unknown filter.")
        errors = {
            name: f"{unknown} {guess(name, (*NAMES, *others))}".strip()
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
            actions=Actions(
                wanted=canonical.get("action", ()), unwanted=canonical.get("-action", ())
            ),
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
        """Return the entries that fit: `Filters.of(kind="create").applied(entries)`.

        Raises `InvalidFilterError` for text: who may read it, only a timeline knows.
        """
        if self.search:
            texts = [name for name in ("q", "-q") if name in dict(self.asked)]
            detail = gettext("Text is searched by a timeline alone.")
            raise InvalidFilterError(dict.fromkeys(texts, detail))
        return self._applied(entries, dict(self.asked))

    @property
    def depend_on_the_reader(self) -> bool:
        """Whether only what a reader may see of an entry tells whether it fits."""
        return bool(self.search) or self.actions.depend_on_the_reader

    def applied_for_all(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return what fits for every reader; whether it does for one, is for `fits` to say."""
        asked = {name: texts for name, texts in self.asked if name not in _BY_SIGHT}
        return self._applied(entries, asked)

    @property
    def have_an_index(self) -> bool:
        """Whether one of them is followed by an index other than that of time."""
        return any(
            name not in ("from", "to") and _has_an_index(name, texts) for name, texts in self.asked
        )

    @property
    def go_by_indexes(self) -> bool:
        """Whether each of them is followed by an index of the log."""
        return all(_has_an_index(name, texts) for name, texts in self.asked)

    def bounded(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Keep what fits those filters that an index of the log follows in the order of time."""
        asked = {name: texts for name, texts in self.asked if _has_an_index(name, texts)}
        return self._applied(entries, asked)

    def narrowed(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Keep of those what may fit for one reader."""
        return self.search.narrowed(self.actions.narrowed(entries))

    def fits(self, entry: Entry, sight: FieldAccess) -> bool:
        """Return whether such an entry fits for a reader, by what they may see of it."""
        return self.actions.fits(entry, sight) and self.search.fits(entry, sight)

    def _applied(self, entries: EntryQuerySet, asked: Mapping[str, Sequence[str]]) -> EntryQuerySet:
        query = {name: list(values) for name, values in asked.items()}
        filter_set = HistoryFilterSet(data=query, queryset=entries)
        if errors := filter_set.errors:  # django-filter would keep all entries.
            raise InvalidFilterError({name: " ".join(texts) for name, texts in errors.items()})
        kept: EntryQuerySet = filter_set.qs
        return kept


NO_FILTERS = Filters()


def _has_an_index(name: str, texts: Sequence[str]) -> bool:
    if name in ("from", "to"):
        return True
    is_record = name in ("entity", "subject") and ":" in texts[0]
    has_key = name == "user" and not texts[0].startswith(BY_NAME)
    return len(texts) == 1 and (has_key or is_record)


def _values(query: Mapping[str, Any], name: str) -> list[str]:
    several = query.getlist(name) if hasattr(query, "getlist") else query[name]
    return [several] if isinstance(several, str) else list(several)


def _as_text(value: Any, name: str) -> str:
    if value is None and name == "user":
        return SYSTEM
    if isinstance(value, type) and issubclass(value, models.Model):
        return value._meta.label_lower
    if isinstance(value, models.Model):
        return str(value.pk) if name == "user" else f"{value._meta.label_lower}:{value.pk}"
    if isinstance(value, datetime) and timezone.is_aware(value):
        # Once zones were apart by seconds, which no offset in a text can say.
        value = value.astimezone(UTC)
    return value.isoformat() if isinstance(value, date) else str(value)
