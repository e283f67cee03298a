"""The feed: settled entries in ascending order, and the positions of those who follow it."""

from uuid import UUID

from django.db import connections

from django_customer_history.backends import settling_of
from django_customer_history.backends.settling import Settled
from django_customer_history.keys import datetime_of, microseconds_in
from django_customer_history.models import Entry
from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.entries import FeedPage, TimelineEntry
from django_customer_history.reading.query import MOST_SEARCHED


def settled_entries(alias: str, *, after: UUID, limit: int, patience: float) -> Settled:
    """Return how far the log of a database is settled. Raise `NotSettledError` if it cannot."""
    return settling_of(connections[alias]).settled(
        connections[alias],
        log=Entry._meta.db_table,
        after=after,
        limit=max(limit, MOST_SEARCHED),
        patience=patience,
    )


def feed_page(
    entries: tuple[TimelineEntry, ...], *, settled: Settled, after: UUID, place: UUID | None
) -> FeedPage:
    """Return a page; `place` is the last key that was looked at, None if all settled ones were."""
    end = max(UUID(int=max(settled.before.int - 1, 0)), after)
    return FeedPage(
        entries=entries,
        position=end if place is None else place,
        has_more=place is not None or settled.is_limited,
        settled_until=datetime_of(microseconds_in(settled.before)),
    )


def feed_cursor(position: UUID, *, question: str) -> str:
    """Return a position as an opaque text, bound to a timeline with its filters."""
    return Cursor(key=position, is_newer=True).write(question=_question(question))


def feed_position(cursor: str, *, question: str) -> UUID:
    """Return the position of such a text. Raise `InvalidCursorError` if it is of another."""
    return Cursor.read(cursor, question=_question(question)).key


def _question(question: str) -> str:
    # A page of the feed is not a page of the list.
    return f"feed {question}"
