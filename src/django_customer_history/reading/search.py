"""The filter `q`: text search in the values that the reader may see."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db import connections
from django.db.models import Q, TextField
from django.db.models.functions import Cast, Lower

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.backends import features_of
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.values.decoding import decode
from django_customer_history.values.types import ValueType

_PLAIN = re.compile(r"[A-Za-z0-9 ]+")
"""Characters that JSON never escapes, and whose case every database folds."""
_LETTERS = re.compile(r"[\w ]+")
_ESCAPE = "\\u"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A value of an entry must have one of the wanted texts; none may have an unwanted one."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is any text to search for."""
        return bool(self.wanted or self.unwanted)

    def narrowed(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that can match, by the database, which does not know masks.

        `fits` must check each of them. Else a search could disclose confidential values.
        """
        folds_only_ascii_case = features_of(connections[entries.db]).folds_only_ascii_case
        pattern = _PLAIN if folds_only_ascii_case else _LETTERS
        parts = [max(pattern.findall(text), key=len, default="") for text in self.wanted]
        if not parts or not all(parts):
            return entries
        condition = reduce(or_, (Q(_text__contains=part.lower()) for part in parts))
        if not all(map(_PLAIN.fullmatch, parts)):
            condition |= Q(_text__contains=_ESCAPE)  # Escaped letters.
        return entries.alias(_text=Lower(Cast("changes", TextField()))).filter(condition)

    def fits(self, entry: Entry, access: FieldAccess) -> bool:
        """Return whether an entry matches by the values that its reader may see."""
        if not self:
            return True
        texts = [text.lower() for text in _readable_texts(entry, access)]

        def has(searched: str) -> bool:
            return any(searched.lower() in text for text in texts)

        return (not self.wanted or any(map(has, self.wanted))) and not any(map(has, self.unwanted))


def _readable_texts(entry: Entry, access: FieldAccess) -> Iterator[str]:
    for name, values in entry.changes.items():
        rule = access.rule(entry, name)
        if rule.is_hidden:
            continue
        for value in values:
            text = rule.redacted(value)
            if text and rule.value_type is ValueType.JSON:
                # Databases differ in how they escape characters in JSON.
                text = json.dumps(decode(text, ValueType.JSON), ensure_ascii=False)
            if text:
                yield text
