"""The base of the adapters. It does nothing, which makes it the plain run."""

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

PAGE = 50
START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 5_000


class Peer:
    """A package, set up as its own documentation says, that logs the user."""

    distribution = None
    """Its name on the package index; None: nothing is installed."""
    vendors = ("sqlite", "postgresql", "mysql")
    apps = ()
    middleware = ()
    settings = {}

    def register(self, models):
        """Register the customer, its notes, invoices and tags."""

    def begin(self):
        """Finish the setup, after the tables have been created."""

    def acting(self, user):
        """Return a block in which `user` is the one who writes."""
        return nullcontext()

    def unit(self, user):
        """Return a block around one unit of work."""
        return nullcontext()

    def log(self):
        """Return the models of the log. They get one row for each row that is written."""
        return []

    def storage(self):
        """Return the models of all tables that grow with the log."""
        return self.log()

    def check(self, expected, since):
        """Raise if the log does not have exactly the expected entries."""

    def mark(self):
        """Return the present end of the log, for `check`."""

    def fill(self, customer, others, count, of_the_customer):
        """Log `count` changes of two fields, evenly distributed over time."""

    def page(self, customer, start):
        """Return a function that reads a page: user, time, old and new, newest first."""


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
    """Return the columns of a customer after a change, as Django's serializer writes them."""
    from django.core import serializers

    customer.rate, customer.status = f"{number}.00", f"status {number}"
    return serializers.serialize("json", [customer])


@contextmanager
def given_timestamps(model, name):
    """Store the given timestamps instead of the current time."""
    field = model._meta.get_field(name)
    field.auto_now_add = False
    try:
        yield
    finally:
        field.auto_now_add = True


def differing(old, new):
    """Return the differences between two dicts with the same keys, as name to (old, new)."""
    return {name: (old.get(name), new[name]) for name in new if old.get(name) != new[name]}
