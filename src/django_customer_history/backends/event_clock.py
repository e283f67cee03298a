"""How the INSERT of an entry from Python makes its key and its time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EventClock:
    """The SQL of an INSERT ... SELECT whose row gets its key and time from the database."""

    columns: Mapping[str, str]
    """The SQL of `id` and `timestamp`."""
    source: str
    """The query that the statement selects from, as `clock`."""
    returning: str = ""
    """What ends the statement."""
    key_of: Callable[[Any], UUID | None]
    """Returns the key of the row from the cursor of the statement; None: there is no row."""


def returned_key(cursor: Any) -> UUID | None:
    """Return the key of a statement that ends with RETURNING."""
    row = cursor.fetchone()
    if row is None:
        return None
    return row[0] if isinstance(row[0], UUID) else UUID(row[0])
