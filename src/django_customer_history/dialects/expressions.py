"""The SQL of values, rows and the context, which each database writes in its own way."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from django_customer_history.tables import (
    Counterpart,
    Form,
    TrackedColumn,
)

_MOST_ARGUMENTS = 90
"""Of one call: functions of PostgreSQL take up to 100, those of SQLite 127 and once 100."""


def in_calls(arguments: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield arguments in parts, each of which a function of any database takes at once."""
    for start in range(0, len(arguments), _MOST_ARGUMENTS):
        yield arguments[start : start + _MOST_ARGUMENTS]


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
    def differs(self, one: str, other: str, *, form: Form = Form.TEXT) -> str:
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
        return "'" + text.replace("'", "''") + "'"

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

    def has_counterpart(self, counterpart: Counterpart) -> str:
        """Return the SQL that tells whether the row has its counterpart."""
        found = self.step(
            self.cell("OLD", counterpart.link),
            table=counterpart.table,
            key=counterpart.key,
            key_type=counterpart.key_type,
            column=counterpart.key,
        )
        return f"{found} IS NOT NULL"
