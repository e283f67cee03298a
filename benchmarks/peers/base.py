"""What an adapter is: the base does nothing, which is the plain run."""

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

PAGE = 50
START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 5_000


class Peer:
    """A package as its own documentation sets it up, logging who acts."""

    distribution = None
    """Its name on the package index; None: nothing is installed."""
    vendors = ("sqlite", "postgresql", "mysql")
    apps = ()
    middleware = ()
    settings = {}

    def register(self, models):
        """Have the history of the customer, its notes, invoices and tags kept."""

    def begin(self):
        """Do what is left to do when the tables are there."""

    def acting(self, user):
        """Return a block in which `user` acts."""
        return nullcontext()

    def unit(self, user):
        """Return a block around what is saved as one."""
        return nullcontext()

    def log(self):
        """Return the models of the log; one row of them stands for one row that was written."""
        return []

    def storage(self):
        """Return the models of all tables that grow with the log."""
        return self.log()

    def check(self, expected, since):
        """Raise if the log does not hold exactly what is expected, where that can be told."""

    def mark(self):
        """Return what `check` needs to know of the log as it is now."""

    def fill(self, customer, others, count, of_the_customer):
        """Put `count` changes of two fields into the log, evenly spread over the time."""

    def page(self, customer, start):
        """Return a page of what changed of a customer, newest first: who, when, old and new."""


def changes_to_fill(customer, others, count, of_the_customer):
    """Yield batches of (customer, number, moment): `of_the_customer` of them are the first's."""
    every = max(count // of_the_customer, 1)
    for start in range(0, count, BATCH):
        yield [
            (
                customer if number % every == 0 else others[number % len(others)],
                number,
                START + timedelta(seconds=number),
            )
            for number in range(start, min(start + BATCH, count))
        ]


def row_of(customer, number):
    """Return a customer's columns as Django's serializer writes them, as of a change."""
    from django.core import serializers

    customer.rate, customer.status = f"{number}.00", f"status {number}"
    return serializers.serialize("json", [customer])


@contextmanager
def moments_given(model, name):
    """Let a column of moments be filled with what is given, not with the clock."""
    field = model._meta.get_field(name)
    field.auto_now_add = False
    try:
        yield
    finally:
        field.auto_now_add = True


def differing(old, new):
    """Return what differs between two dicts of the same keys, as name to (old, new)."""
    return {name: (old.get(name), new[name]) for name in new if old.get(name) != new[name]}
