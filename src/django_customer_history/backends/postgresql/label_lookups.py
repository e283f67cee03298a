"""The look-up of labels on PostgreSQL: one statement, whose text is the same for any number."""

from collections.abc import Iterator, Sequence

from django_customer_history.backends.label_lookups import Lookup, Term

# Planning a UNION of hundreds of branches takes longer than all of its steps in the index.
_TERMS = """
SELECT term.number, record.id, record.entity_label, record.kind, record.changes
FROM unnest(%s::integer[], %s::text[], %s::text[], %s::uuid[]) AS term (number, model, key, at)
CROSS JOIN LATERAL (
    SELECT id, entity_label, kind, {changes} AS changes
    FROM customer_history_entry
    WHERE entity_model = term.model AND entity_id = term.key AND id {side} term.at
        AND entity_label IS NOT NULL
    ORDER BY id {order}
    LIMIT 1
) AS record"""
_LAST = _TERMS.format(changes="NULL", side="<=", order="DESC")
_LATER = _TERMS.format(changes="changes", side=">", order="ASC")


def array_lookups(terms: Sequence[Term], *, is_later: bool) -> Iterator[Lookup]:
    """Yield the statement for all terms, as `union_lookups` yields its statements."""
    if terms:
        columns = [list(column) for column in zip(*terms, strict=True)]
        columns[-1] = [str(key) for key in columns[-1]]
        yield _LATER if is_later else _LAST, columns
