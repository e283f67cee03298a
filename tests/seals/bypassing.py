"""How somebody with the rights of the owner writes past the triggers."""

from contextlib import contextmanager
from itertools import chain

from django.db import connection

from django_customer_history.backends import backend_of
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.feed.seals.completeness import Completeness


def run(*statements):
    """Run SQL; return the rows of the last statement."""
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def without_triggers(*tables):
    """Drop the triggers of some tables, and create them again as they were."""
    connection.check_constraints()  # PostgreSQL alters no table that has deferred checks.
    triggers = [one for one in compare_triggers(connection).good if one.table in tables]
    assert triggers
    run(*chain.from_iterable(backend_of(connection).drop(one) for one in triggers))
    yield
    run(*chain.from_iterable(one.statements for one in triggers))


def bypass(table, *statements):
    """Run SQL while the triggers of a table are dropped."""
    with without_triggers(table):
        run(*statements)


def found():
    """Return the kinds and the texts of what a comparison of the tables finds."""
    return [(one.kind, one.text) for one in Completeness(using="default").run()]
