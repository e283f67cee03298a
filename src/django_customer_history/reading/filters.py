"""The filters of the log: the same names on pages, over REST, in exports, commands and Python.

A name that is given twice means "or", a leading `-` means "not". Unknown names and malformed values
raise `InvalidFilterError`, which names them. Nothing is ignored.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.backends import backend_of
from django_customer_history.context.current import SOURCES
from django_customer_history.exceptions import InvalidFilterError
from django_customer_history.keys import (
    highest_uuid_at,
    lowest_uuid_at,
)
from django_customer_history.labels import KINDS, VIEWED
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.reading.actions import Actions
from django_customer_history.reading.filter_values import (
    choice_of,
    end_of,
    field_name_of,
    guess,
    ip_address_of,
    record_of,
    request_id_of,
    start_of,
    text_of,
    text_of_python,
)
from django_customer_history.reading.search import Search
from django_customer_history.registration.renames import renames

SYSTEM = "system"
"""The user of entries without a user."""

BY_NAME = "name:"
"""Precedes the name of a user without a key, such as the user of a shell."""

MOST_VALUES = 50
"""Values of one filter."""
MOST_SEARCHED_TEXTS = 5
"""Values of `q`: each is compared with every value of the entries that are searched."""
MOST_VALUES_IN_ALL = 100
"""Values of all filters together."""
LONGEST_VALUE = 500


def _by_record(columns: str) -> Callable[[tuple[str, str | None]], Q]:
    def condition(record: tuple[str, str | None]) -> Q:
        model, key = record
        found = renames.matching(f"{columns}_model", model, using=Entry.objects.all().db)
        return found if key is None else found & Q(**{f"{columns}_id": key})

    return condition


def by_field(name: tuple[str | None, str]) -> Q:
    """Return the condition that a field changed, given by its model, or None, and its name."""
    model, field = name
    condition = reduce(
        or_, (Q(changes__has_key=one) for one in sorted(renames.names(field, label=model)))
    )
    if model is None:
        return condition
    return condition & renames.matching("entity_model", model, using=Entry.objects.all().db)


class _WithoutIndex(Exact):
    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, parameters = self.process_lhs(compiler, connection)
        value, values = self.process_rhs(compiler, connection)
        sql = backend_of(connection).equals_without_index(column, value)
        return sql, (*parameters, *values)


def _by_user(user: str, *, uses_index: bool = True) -> Q:
    without_key = Q(user_id__isnull=True)
    if user == SYSTEM:
        return without_key & (Q(user_label__isnull=True) | Q(user_label=""))
    # The entries of one record are found by its own index. With two indexes to choose from, a
    # database changes its plan as the log grows.
    with_key = Q(user_id=user) if uses_index else Q(_WithoutIndex(F("user_id"), user))
    if user.startswith(BY_NAME):
        # A key may begin like this too.
        return with_key | (without_key & Q(user_label=user.removeprefix(BY_NAME)))
    return with_key


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterDefinition:
    """One filter: how its values are parsed, and which entries match them."""

    parse: Callable[[str], Any]
    condition: Callable[[Any], Q]
    description: str
    placeholder: str
    """The name of a value in the usage of a command."""
    most: int = MOST_VALUES
    """How often it can be given."""
    choices: Collection[str] = ()
    """The only valid values; empty for filters without choices. Sources depend on the settings."""


DEFINITIONS: Mapping[str, FilterDefinition] = {
    "from": FilterDefinition(
        parse=start_of,
        condition=lambda moment: Q(id__gte=lowest_uuid_at(moment)),
        description="Not before this moment, or this day in the reader's time zone.",
        placeholder="DATE",
        most=1,
    ),
    "to": FilterDefinition(
        parse=end_of,
        condition=lambda moment: Q(id__lte=highest_uuid_at(moment)),
        description="Not after this moment, or this day in the reader's time zone.",
        placeholder="DATE",
        most=1,
    ),
    "user": FilterDefinition(
        parse=text_of,
        condition=_by_user,
        description=f'Key of the user; "{SYSTEM}" for entries without a user;'
        f' "{BY_NAME}deploy" for a user without a key.',
        placeholder="USER",
    ),
    "kind": FilterDefinition(
        parse=choice_of(KINDS),
        condition=lambda kind: Q(kind=kind),
        description="What physically happened.",
        placeholder="KIND",
        choices=KINDS,
    ),
    "action": FilterDefinition(
        parse=text_of,
        condition=lambda action: Q(action=action),
        description='Name of the action: "Update", "Invoice Generated".',
        placeholder="NAME",
    ),
    "entity": FilterDefinition(
        parse=record_of,
        condition=_by_record("entity"),
        description='Entity: a model, "billing.invoice", or a record, "billing.invoice:7".',
        placeholder="RECORD",
    ),
    "field": FilterDefinition(
        parse=field_name_of,
        condition=by_field,
        description='Name of a field that changed, or a JSON key: "udf.color". With a model it is'
        ' the field of that model alone: "billing.invoice:number".',
        placeholder="FIELD",
    ),
    "source": FilterDefinition(
        parse=choice_of(SOURCES),
        condition=lambda source: Q(source=source),
        description="The part of the system that caused it.",
        placeholder="SOURCE",
        choices=SOURCES,
    ),
    "ip_address": FilterDefinition(
        parse=ip_address_of,
        condition=lambda address: Q(ip_address=address),
        description="IP address.",
        placeholder="ADDRESS",
    ),
    "request_id": FilterDefinition(
        parse=request_id_of,
        condition=lambda key: Q(request_id=key),
        description="Id of the request, task or command.",
        placeholder="UUID",
    ),
    "subject": FilterDefinition(
        parse=record_of,
        condition=_by_record("subject"),
        description='Subject: a model, "crm.customer", or a record, "crm.customer:42".',
        placeholder="RECORD",
    ),
    "q": FilterDefinition(
        parse=text_of,
        condition=lambda _: Q(),  # `Search` applies it, as it depends on masks.
        description="Text in old and new values and in names, as the reader sees them.",
        most=MOST_SEARCHED_TEXTS,
        placeholder="TEXT",
    ),
}

_BY_READER = ("action", "-action", "q", "-q")
"""Filters whose result must not disclose values that the reader may not see."""

_MOMENTS = ("from", "to", "-from", "-to")

NAMES: tuple[str, ...] = (*DEFINITIONS, *(f"-{name}" for name in DEFINITIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """A set of filters. Made by `read` from a query string or by `of` in Python."""

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The values of each filter as text, sorted, so that equal filters are equal."""
    search: Search = field(default_factory=Search)
    actions: Actions = field(default_factory=Actions)
    is_within_one_record: bool = field(default=False, compare=False)
    """Whether the index of the record finds the entries, and not one of the filters."""

    @classmethod
    def read(cls, query: Mapping[str, Any], *, other_names: Iterable[str] = ()) -> "Filters":
        """Return the filters of a query string, or of a dict of a text or texts by name.

        `other_names` are names in the query that are not filters. Raises `InvalidFilterError`
        with everything that is wrong.
        """
        others = tuple(other_names)
        given = {name: _texts(query, name) for name in query if name not in others}
        unknown = gettext("Unknown filter.")
        errors = {
            name: f"{unknown} {guess(name, (*NAMES, *others))}".strip()
            for name in given
            if name not in NAMES
        }
        texts = {name: given[name] for name in NAMES if given.get(name)}
        parsed, invalid = _parse(texts)
        errors |= invalid
        if not errors and sum(map(len, texts.values())) > MOST_VALUES_IN_ALL:
            most = max(texts, key=lambda name: len(texts[name]))
            errors[most] = gettext("Give at most %(most)d values in all filters.") % {
                "most": MOST_VALUES_IN_ALL
            }
        if not errors and "from" in parsed and "to" in parsed and parsed["from"] > parsed["to"]:
            errors["to"] = gettext("This is before “from”. Swap them.")
        if errors:
            raise InvalidFilterError(errors)
        # Moments are kept in UTC: a cursor belongs to the day of one time zone.
        texts |= {name: (parsed[name][0].isoformat(),) for name in _MOMENTS if name in parsed}
        return cls(
            values=tuple(sorted((name, tuple(sorted(each))) for name, each in texts.items())),
            search=Search(wanted=texts.get("q", ()), unwanted=texts.get("-q", ())),
            actions=Actions(wanted=texts.get("action", ()), unwanted=texts.get("-action", ())),
        )

    @classmethod
    def of(cls, **values: Any) -> "Filters":
        """Return filters from Python: `Filters.of(user=ann, kind=["create"], not_source="api")`.

        The names are those of the filters, with `from_` for "from" and `not_` for the leading `-`.
        Values are texts, dates, moments, records, or several of them. Raises `InvalidFilterError`.
        """
        query = {}
        for keyword, given in values.items():
            bare = keyword.removesuffix("_").removeprefix("not_")
            name = f"-{bare}" if keyword.startswith("not_") else bare
            several = given if isinstance(given, list | tuple | set | frozenset) else [given]
            query[name] = [_as_text(value, bare) for value in several]
        return cls.read(query)

    def __bool__(self) -> bool:
        """Return whether there is any filter."""
        return bool(self.values)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the text of each value."""
        return ((name, text) for name, texts in self.values for text in texts)

    @property
    def question(self) -> str:
        """A text that differs for different filters."""
        return json.dumps(self.values)

    def applied(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that match: `Filters.of(kind="create").applied(entries)`.

        Raises `InvalidFilterError` for `q`: only a timeline knows what its reader may see.
        """
        if self.search:
            searches = [name for name, _ in self.values if name in ("q", "-q")]
            detail = gettext("Text is searched by a timeline alone.")
            raise InvalidFilterError(dict.fromkeys(searches, detail))
        return self._apply(dict(self.values), entries)

    @property
    def ask_for_views(self) -> bool:
        """Whether entries about views are wanted, which are left out without a filter."""
        return ("kind", "view") in self or ("action", VIEWED) in self

    @property
    def depend_on_the_reader(self) -> bool:
        """Whether the database alone cannot find the entries that match for one reader."""
        return bool(self.search) or self.actions.depend_on_the_reader

    def applied_for_all(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that can match for some reader; `matching` decides for one."""
        return self._apply(
            {name: texts for name, texts in self.values if name not in _BY_READER}, entries
        )

    @property
    def have_an_index(self) -> bool:
        """Whether the database can use an index other than the primary key for one of them."""
        return any(
            name not in ("from", "to") and self._has_an_index(name, texts)
            for name, texts in self.values
        )

    @property
    def go_by_indexes(self) -> bool:
        """Whether the database can use an index of the log for each of them."""
        return all(self._has_an_index(name, texts) for name, texts in self.values)

    def bounded(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that match the filters with an index in the order of time."""
        return self._apply(
            {name: texts for name, texts in self.values if self._has_an_index(name, texts)}, entries
        )

    def narrowed(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries among which are all that match for one reader."""
        return self.search.narrowed(self.actions.narrowed(entries))

    def matching(self, entries: Sequence[Entry], access: FieldAccess) -> list[Entry]:
        """Return those of such entries that match for a reader, by what they may see of them."""
        named = [one for one in entries if self.actions.fits(one, access)]
        return self.search.matching(named, access)

    def _apply(self, values: Mapping[str, Sequence[str]], entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that match some of the values. Raises `InvalidFilterError`."""
        parsed, errors = _parse({name: values[name] for name in NAMES if name in values})
        if errors:
            raise InvalidFilterError(errors)
        for name, several in parsed.items():
            condition_of = DEFINITIONS[name.removeprefix("-")].condition
            if condition_of is _by_user and self.is_within_one_record:
                condition_of = partial(_by_user, uses_index=False)
            condition = reduce(or_, map(condition_of, several))
            if condition:
                keep = entries.exclude if name.startswith("-") else entries.filter
                entries = keep(condition)
        return entries

    def _has_an_index(self, name: str, texts: Sequence[str]) -> bool:
        if name in ("from", "to"):
            return True
        is_record = name in ("entity", "subject") and ":" in texts[0]
        has_key = name == "user" and not texts[0].startswith(BY_NAME)
        has_key = has_key and not self.is_within_one_record
        return len(texts) == 1 and (has_key or is_record)


NO_FILTERS = Filters()


def _parse(
    texts: Mapping[str, Sequence[str]],
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Return the parsed values of each filter, and what is wrong with the others."""
    parsed, errors = {}, {}
    for name, given in texts.items():
        try:
            parsed[name] = _parse_one(DEFINITIONS[name.removeprefix("-")], given)
        except ValidationError as error:
            errors[name] = " ".join(error.messages)
    return parsed, errors


def _parse_one(definition: FilterDefinition, texts: Sequence[str]) -> list[Any]:
    if len(texts) > definition.most:
        raise ValidationError(gettext("Given too often."))
    if any(not text or "\x00" in text or len(text) > LONGEST_VALUE for text in texts):
        raise ValidationError(
            gettext("Give a value of 1 to %(most)d characters.") % {"most": LONGEST_VALUE}
        )
    return [definition.parse(text) for text in texts]


def _texts(query: Mapping[str, Any], name: str) -> tuple[str, ...]:
    several = query.getlist(name) if hasattr(query, "getlist") else query[name]
    return (several,) if isinstance(several, str) else tuple(map(str, several))


def _as_text(value: Any, name: str) -> str:
    if value is None and name == "user":
        return SYSTEM
    return text_of_python(value, is_user=name == "user")
