"""The combinations of values that entries have, collected by the database.

A menu needs each value once. Reading every entry for that takes several times as long.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    Expression,
    Func,
    IntegerField,
    Max,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Substr

from django_customer_history.backends import backend_of
from django_customer_history.keys import datetime_of
from django_customer_history.labels import BASELINE_KEY
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.registration.renames import renames
from django_customer_history.values.json_field import Changes

_COLUMNS = ("user_id", "user_label", "action", "kind", "entity_model", "source")
_IS_BASELINE = Case(
    When(kind="event", context__has_key=BASELINE_KEY, then=Value(1)),
    default=Value(0),
    output_field=IntegerField(),
)
_KEY = Cast("id", TextField())
"""A key as text sorts like the key, and each database has a largest text."""
_DIGITS_OF_TIME = 12
"""Hexadecimal digits of a key that are milliseconds since 1970."""


class _ChangedNames(Func):
    """The names of the fields that changed, as the database collects them."""

    output_field = TextField()

    def as_sql(
        self, compiler: Any, connection: Any, *_args: Any, **_options: Any
    ) -> tuple[str, Any]:
        """Return the SQL and its parameters."""
        column, parameters = compiler.compile(self.source_expressions[0])
        return backend_of(connection).changed_names(column), parameters


def combinations(entries: EntryQuerySet, *, has_fields: bool = True) -> list[Entry]:
    """Return one entry for each combination of values that menus show, the newest first.

    Its key is that of the newest entry with these values. Its changes have the names of the
    fields, but no values; without `has_fields` they are empty. `entries` must not be sliced.
    """
    rows = entries.order_by().annotate(
        _period=_period(entries.db),
        _is_baseline=_IS_BASELINE,
        _names=_ChangedNames("changes") if has_fields else Value("[]", output_field=TextField()),
    )
    grouped = rows.values(*_COLUMNS, "_period", "_is_baseline", "_names")
    found = [_entry(row) for row in grouped.annotate(_newest=Max(_KEY))]
    found.sort(key=lambda one: one.id, reverse=True)
    return [renames.translate(one, using=entries.db) for one in found]


def moments(entries: EntryQuerySet) -> Iterator[datetime]:
    """Yield when entries were made, in UTC and to the millisecond, as filters see it."""
    # The beginning of a key has hyphens in some databases.
    start = Substr(_KEY, 1, _DIGITS_OF_TIME + 1, output_field=CharField())
    for text in entries.order_by().values_list(start, flat=True):
        yield datetime_of(int(text.replace("-", "")[:_DIGITS_OF_TIME], 16) * 1000)


def _period(using: str) -> Expression:
    """Return a number that differs for entries from before and after each rename."""
    known = enumerate(renames.of(using))
    return Case(
        *(When(id__lte=one.id, then=Value(number)) for number, one in known),
        default=Value(-1),
        output_field=IntegerField(),
    )


def _entry(row: dict[str, Any]) -> Entry:
    values = {name: row[name] for name in _COLUMNS}
    stored = json.loads(row["_names"])
    names = stored if isinstance(stored, list) else Changes.of(stored, row["kind"])
    return Entry(
        **values,
        id=UUID(row["_newest"]),
        changes=dict.fromkeys(names, (None, None)),
        context={BASELINE_KEY: True} if row["_is_baseline"] else None,
    )
