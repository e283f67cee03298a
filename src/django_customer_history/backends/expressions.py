"""The SQL of values, rows and the context, which each database writes in its own way."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar

from django_customer_history.backends.tables import (
    Event,
    InheritanceJoin,
    TrackedColumn,
)
from django_customer_history.values.types import ValueType

T = TypeVar("T")

_MOST_ARGUMENTS = 90
"""Of one call: functions of PostgreSQL take up to 100, those of SQLite 127 and once 100."""


def in_calls(arguments: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield arguments in parts, each of which a function of any database takes at once."""
    for start in range(0, len(arguments), _MOST_ARGUMENTS):
        yield arguments[start : start + _MOST_ARGUMENTS]


Member = tuple[str, str, str]
"""A member of a JSON object: text, the SQL of a value, text. It has its comma in front.

The texts are the same for each row. A member that may be missing is SQL as a whole: NULL then.
"""


def object_by_pattern(members: Sequence[Member], *, function: str, rest: str) -> str:
    """Return the SQL of the text of a JSON object.

    `function` is like `printf()`, with NULL as no text; `rest` makes of {0} what follows its first
    character.
    """
    parts, text = [], ""
    for before, value, after in members:
        parts.append((text + before, value))
        text = after
    if parts and (start := parts[0][0]):
        parts[0] = ("{" + start.removeprefix(","), parts[0][1])
        return _by_pattern([*parts, (text + "}", "")], function)
    return f"'{{' || {rest.format(_by_pattern([*parts, (text, '')], function))} || '}}'"


def _by_pattern(parts: Sequence[tuple[str, str]], function: str) -> str:
    calls = []
    for some in in_calls(parts):
        pattern = "".join(text.replace("%", "%%") + ("%s" if sql else "") for text, sql in some)
        values = "".join(f",\n    {sql}" for _, sql in some if sql)
        calls.append(f"{function}({quoted(pattern)}{values})")
    return " || ".join(calls)


def around(event: Event) -> tuple[str, str]:
    """Return what stands around the one value of a member of a creation or a deletion."""
    return ("[", ",null]") if event == "delete" else ("[null,", "]")


def quoted(text: str) -> str:
    """Return the SQL of a text, in the standard's way."""
    return "'" + text.replace("'", "''") + "'"


class Expressions(ABC):
    """Pieces of SQL that an entry is made of; every method returns SQL."""

    @abstractmethod
    def context(self, name: str) -> str:
        """Return the SQL of one part of the context inside a trigger."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """Return a quoted identifier."""

    @abstractmethod
    def cell(self, row: str, column: str) -> str:
        """Return the SQL of a column of the row `NEW` or `OLD`."""

    @abstractmethod
    def text(self, value: str, column: TrackedColumn) -> str:
        """Return the SQL that makes canonical text of a value."""

    @abstractmethod
    def step(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        """Return the SQL of the column of the row of `table` whose key is `value`."""

    @abstractmethod
    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        """Return the SQL that tells two texts or cells apart, NULL included."""

    @abstractmethod
    def pair(self, old: str, new: str) -> str:
        """Return the SQL of a JSON array of two texts, as text."""

    @abstractmethod
    def concatenate(self, parts: Sequence[str]) -> str:
        """Return the SQL that joins texts none of which is NULL."""

    @abstractmethod
    def join_words(self, parts: Sequence[str]) -> str:
        """Return the SQL that joins texts by a blank, leaving NULLs out."""

    @abstractmethod
    def json_string(self, text: str) -> str:
        """Return the SQL of a text as a JSON string, quotes included."""

    def literal(self, text: str) -> str:
        """Return a quoted text."""
        return quoted(text)

    def in_log(self, text: str) -> str:
        """Return the SQL of a text that is compared with a column of the log."""
        return text

    def number(self, value: str) -> str:
        """Return the SQL of a cell as an integer."""
        return value

    def value(self, row: str, column: TrackedColumn) -> str:
        """Return the SQL of a column's value, from the counterpart where it stands there."""
        if (via := column.via) is None:
            return self.cell(row, column.column.name)
        return self.step(
            self.cell(row, via.link),
            table=via.table,
            key=via.key,
            key_type=via.key_type,
            column=column.column.name,
        )

    def has_inherited_row(self, inheritance_join: InheritanceJoin) -> str:
        """Return the SQL that tells whether the row has its counterpart."""
        found = self.step(
            self.cell("OLD", inheritance_join.link),
            table=inheritance_join.table,
            key=inheritance_join.key,
            key_type=inheritance_join.key_type,
            column=inheritance_join.key,
        )
        return f"{found} IS NOT NULL"
