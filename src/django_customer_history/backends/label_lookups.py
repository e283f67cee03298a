"""The SQL that looks up the labels of many records in the log, each at the time of one entry."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

Term = tuple[int, str, str, Any]
"""A number for the answer, the model and the key of a record, and the key of an entry."""

Lookup = tuple[str, list[Any]]
"""A statement and its parameters. It returns the number of the term, and of the entry with the
label the key, the label, the kind, and the changes if the label is a later one."""

# With the values in each term, every database steps right to the one entry in the index.
_TERM = """
SELECT * FROM (
    SELECT %s AS number, id, entity_label, kind, {changes} AS changes
    FROM customer_history_entry
    WHERE entity_model = %s AND entity_id = %s AND id {side} %s AND entity_label IS NOT NULL
    ORDER BY id {order}
    LIMIT 1
) AS record"""
_LAST = _TERM.format(changes="NULL", side="<=", order="DESC")
_LATER = _TERM.format(changes="changes", side=">", order="ASC")

_MOST_TERMS = 400
"""Terms of one UNION; SQLite allows 500."""


def union_lookups(terms: Sequence[Term], *, is_later: bool) -> Iterator[Lookup]:
    """Yield the statements with one branch for each term.

    Each finds the last label up to the entry of the term; with `is_later` the first one after it.
    """
    for start in range(0, len(terms), _MOST_TERMS):
        some = terms[start : start + _MOST_TERMS]
        sql = " UNION ALL ".join([_LATER if is_later else _LAST] * len(some))
        yield sql, list(chain.from_iterable(some))
