"""The SQL of values, rows and the context, which each database writes in its own way."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from django_customer_history.backends.tables import Join, TrackedColumn
from django_customer_history.backends.templates import call
from django_customer_history.values.types import ValueType

T = TypeVar("T")

_MAX_ARGUMENTS = 90
"""Arguments of one call: functions of PostgreSQL take up to 100, those of SQLite 127 or 100."""


def in_calls(arguments: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the arguments in parts that are small enough for one call on every database."""
    for start in range(0, len(arguments), _MAX_ARGUMENTS):
        yield arguments[start : start + _MAX_ARGUMENTS]


Member = tuple[str, str, str]
"""A member of a JSON object: the text before its value, the SQL of the value, the text after it.

The first text begins with a comma; both texts are the same for each row. A member that may be
missing has no texts: it is SQL as a whole, which is NULL where the member is missing.
"""


def object_by_pattern(
    members: Sequence[Member], *, function: str, rest: str, literal: Callable[[str], str]
) -> str:
    """Return the SQL of the text of a JSON object.

    `literal` returns the SQL of a text. `function` is like `printf()` and writes nothing for NULL.
    `rest` is a pattern for the SQL of a text without its first character; `{0}` stands for the
    text.
    """
    parts, text = [], ""
    for before, value, after in members:
        parts.append((text + before, value))
        text = after
    if parts and (start := parts[0][0]):
        parts[0] = ("{" + start.removeprefix(","), parts[0][1])
        return _by_pattern([*parts, (text + "}", "")], function, literal)
    members_text = _by_pattern([*parts, (text, "")], function, literal)
    return f"'{{' || {rest.format(members_text)} || '}}'"


def _by_pattern(
    parts: Sequence[tuple[str, str]], function: str, literal: Callable[[str], str]
) -> str:
    calls = []
    for some in in_calls(parts):
        pattern = "".join(text.replace("%", "%%") + ("%s" if sql else "") for text, sql in some)
        calls.append(call(function, [literal(pattern), *(sql for _, sql in some if sql)]))
    return " || ".join(calls)


def quoted(text: str) -> str:
    """Return the SQL of a text, as the SQL standard writes it."""
    return "'" + text.replace("'", "''") + "'"


class Expressions(ABC):
    """The pieces of SQL that an entry consists of; every method returns SQL."""

    @abstractmethod
    def context(self, name: str) -> str:
        """Return the SQL of one part of the context inside a trigger."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """Return a quoted identifier."""

    def table(self, name: str) -> str:
        """Return the name of a table as a trigger writes it: quoted, with its schema if known."""
        return self.quote(name)

    @abstractmethod
    def cell(self, row: str, column: str) -> str:
        """Return the SQL of a column of the row `NEW` or `OLD`."""

    @abstractmethod
    def text(self, value: str, column: TrackedColumn) -> str:
        """Return the SQL of the canonical text of a value."""

    @abstractmethod
    def lookup(self, value: str, join: Join, column: str, *, column_type: str = "") -> str:
        """Return the SQL of a column of the table of a step, in the row whose key is `value`.

        `column_type` is the type of the column; empty: it is a key.
        """

    @abstractmethod
    def differs(self, one: str, other: str, *, value_type: ValueType = ValueType.TEXT) -> str:
        """Return the SQL of whether two texts or cells differ; NULL equals NULL."""

    @abstractmethod
    def pair(self, old: str, new: str) -> str:
        """Return the SQL of a JSON array of two texts, as text."""

    @abstractmethod
    def concatenate(self, parts: Sequence[str]) -> str:
        """Return the SQL that joins texts; none of them is NULL."""

    @abstractmethod
    def join_words(self, parts: Sequence[str]) -> str:
        """Return the SQL that joins texts with blanks and leaves NULLs out."""

    @abstractmethod
    def json_string(self, text: str) -> str:
        """Return the SQL of a text as a JSON string, with its quotes."""

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
        """Return the SQL of a column's value; that of another table is read from there."""
        stored = column.column
        return self.along(row, column.via, stored.name, column_type=stored.type)

    def along(self, row: str, way: Sequence[Join], column: str, *, column_type: str = "") -> str:
        """Return the SQL of a column at the end of some steps."""
        value = self.cell(row, way[0].link if way else column)
        for join, read in zip(way, [*(one.link for one in way[1:]), column], strict=False):
            type_read = column_type if join is way[-1] else ""
            value = self.lookup(value, join, read, column_type=type_read)
        return value

    def exists(self, row: str, way: Sequence[Join]) -> str:
        """Return the SQL of whether there is a row at the end of some steps."""
        return f"{self.along(row, way, way[-1].key)} IS NOT NULL"
