"""PostgreSQL: triggers refuse to lose what policies of other tables hide from the current role."""

from collections.abc import Iterator, Mapping, Sequence

from django_customer_history.backends.postgresql import host_templates
from django_customer_history.backends.postgresql.expressions import (
    TRANSITION_TABLE,
    PostgreSQLExpressions,
)
from django_customer_history.backends.tables import Event, Join, TrackedTable
from django_customer_history.backends.templates import fill

HIDDEN_ROWS_MESSAGE = (
    "customer history: TRUNCATE of {} refused, because row-level security hides rows from this role"
)
HIDDEN_SUBJECT_MESSAGE = (
    "customer history: the subject of a row of {} cannot be found, because row-level security"
    " hides rows of {} from this role"
)
_EVENTS: Mapping[Event, str] = {"insert": TRANSITION_TABLE, "update": "(SELECT NEW.*)"}


def hidden_subject_checks(
    backend: PostgreSQLExpressions, table: TrackedTable, event: Event
) -> Iterator[str]:
    """Yield statements that refuse a row whose subject policies hide.

    A deletion takes the subject that the log last knew.
    """
    rows = _EVENTS.get(event) if table.rows_in == "table" else "(SELECT NEW.*)"
    if rows is None or event not in _EVENTS:
        return
    if table.part_of and table.relation is not None:
        return  # Links of a parent's field: most lead to no row of the child.
    known = set()
    for way in dict.fromkeys(path.key[0].via for path in table.subjects):
        for number, join in enumerate(way):
            if join.is_part:
                continue  # A row of a parent without a child has no such part.
            is_hidden = _is_hidden(backend, way, number, rows)
            if is_hidden not in known:
                known.add(is_hidden)
                name, parent = backend.table(table.name), backend.table(join.table)
                yield fill(
                    host_templates.REFUSE_HIDDEN_SUBJECT,
                    table=backend.literal(parent),
                    is_hidden=is_hidden,
                    message=backend.literal(HIDDEN_SUBJECT_MESSAGE.format(name, parent)),
                )


def _is_hidden(backend: PostgreSQLExpressions, way: Sequence[Join], number: int, rows: str) -> str:
    """Return the SQL of whether a row leads to no row of the table of a step of the way."""
    joined = "".join(
        f" JOIN {backend.table(join.table)} AS step_{place}"
        f" ON step_{place}.{backend.quote(join.key)} = {_link(backend, way, place)}"
        for place, join in enumerate(way[:number])
    )
    last, found = way[number], _link(backend, way, number)
    return (
        f"EXISTS (SELECT 1 FROM {rows} AS written{joined} WHERE {found} IS NOT NULL AND NOT EXISTS"
        f" (SELECT 1 FROM {backend.table(last.table)} AS hidden"
        f" WHERE hidden.{backend.quote(last.key)} = {found}))"
    )


def _link(backend: PostgreSQLExpressions, way: Sequence[Join], place: int) -> str:
    row = f"step_{place - 1}" if place else "written"
    return f"{row}.{backend.quote(way[place].link)}"
