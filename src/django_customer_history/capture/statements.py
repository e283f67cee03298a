"""Tells the SQL that may write from the SQL that only reads."""

import re
from functools import lru_cache

_COMMON_WRITES = ("INSERT", "UPDATE", "DELETE")
_LOCKING = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)
_WRITING = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|MERGE|REPLACE|TRUNCATE|CALL|DO|EXECUTE|COPY|LOAD)\b",
    re.IGNORECASE,
)


def may_write(sql: object) -> bool:
    """Return whether a statement, or one of several in a text, may write to a table.

    A column that is called like a verb makes a read look like a write, which costs a moment;
    never the other way round.
    """
    if not isinstance(sql, str):
        return True
    if sql.startswith(_COMMON_WRITES):
        return True
    return _has_a_writing_word(sql)


@lru_cache(maxsize=2048)
def _has_a_writing_word(sql: str) -> bool:
    return _WRITING.search(_LOCKING.sub("", sql)) is not None
