"""The filter `q`: text search in the values that the reader may see."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db import connections
from django.db.models import Q, TextField
from django.db.models.functions import Cast, Lower

from django_customer_history.access.field_access import FieldAccess
from django_customer_history.backends import features_of
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.reading.shown_texts import ShownTexts, stored_parts
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

        `matching` must check each of them. Else a search could disclose confidential values.
        """
        folds_only_ascii_case = features_of(connections[entries.db]).folds_only_ascii_case
        pattern = _PLAIN if folds_only_ascii_case else _LETTERS
        parts = [max(pattern.findall(text), key=len, default="") for text in self.wanted]
        if not parts or not all(parts):
            return entries
        condition = reduce(
            or_,
            (
                Q(**{f"{column}__contains": part.lower()})
                for part in parts
                for column in ("_text", "_user", "_entity", "_context")
            ),
        )
        if not all(map(_PLAIN.fullmatch, parts)):
            condition |= Q(_text__contains=_ESCAPE)  # Escaped letters.
        stored = sorted(frozenset().union(*map(stored_parts, self.wanted)))
        if stored:
            condition |= Q(_text__regex=f'"({"|".join(map(_as_pattern, stored))})"')
        return entries.alias(
            _text=Lower(Cast("changes", TextField())),
            _context=Lower(Cast("context", TextField())),
            _user=Lower("user_label"),
            _entity=Lower("entity_label"),
        ).filter(condition)

    def matching(self, entries: Sequence[Entry], access: FieldAccess) -> list[Entry]:
        """Return the entries that match by what their reader may see of them.

        What a page shows is only made for entries that the stored values do not decide.
        """
        if not self:
            return list(entries)
        shown = ShownTexts(access)
        texts = {one.id: list(map(str.lower, _readable_texts(one, access))) for one in entries}
        undecided = [one for one in entries if not self._is_decided(texts[one.id])]
        for one in undecided:
            texts[one.id] += map(str.lower, shown.of_entry(one))
        undecided = [one for one in undecided if not self._is_decided(texts[one.id])]
        for key, names in shown.of_records(undecided, (*self.wanted, *self.unwanted)).items():
            texts[key] += map(str.lower, names)
        return [one for one in entries if self._fits(texts[one.id])]

    def _is_decided(self, texts: Sequence[str]) -> bool:
        return _has_any(texts, self.unwanted) or (not self.unwanted and self._fits(texts))

    def _fits(self, texts: Sequence[str]) -> bool:
        is_wanted = not self.wanted or _has_any(texts, self.wanted)
        return is_wanted and not _has_any(texts, self.unwanted)


def _has_any(texts: Sequence[str], searched: Sequence[str]) -> bool:
    return any(one.lower() in text for one in searched for text in texts)


def _as_pattern(part: str) -> str:
    # Any character stands for one that means something in a regular expression, or in JSON.
    return re.sub(r"[^a-z0-9_]", ".", part.lower())


def _readable_texts(entry: Entry, access: FieldAccess) -> Iterator[str]:
    for name, rule in access.rules(entry).by_name.items():
        values = entry.changes[name]
        if rule.is_hidden:
            continue
        for value in values:
            text = rule.redacted(value)
            if text and rule.value_type is ValueType.JSON:
                # Databases differ in how they escape characters in JSON.
                text = json.dumps(decode(text, ValueType.JSON), ensure_ascii=False)
            if text:
                yield text
