"""The operations that are measured, the same for every package."""

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from benchmarks.peers.base import Peer

FIELDS = 22
"""Columns in the entry of a new customer: all except the key."""


@dataclass(kw_only=True)
class Stage:
    """What operations work on: the package, the user, and rows that exist from the start."""

    peer: Peer
    user: object
    session: str
    rows: int
    keys: list
    turn: int = 0

    def next_values(self):
        """Return a rate and a status that no row has yet."""
        self.turn += 1
        return Decimal(f"{self.turn}.50"), f"status {self.turn}"

    def customers(self):
        from benchmarks.crm.models import Customer

        return list(Customer.objects.filter(pk__in=self.keys).order_by("pk"))


@dataclass(kw_only=True)
class Operation:
    """One operation: `run` is measured, `prepare` is not."""

    stage: Stage
    name: ClassVar[str]
    title: ClassVar[str]
    per_row: ClassVar[int] = 1
    """How many times the rows of the stage it writes."""
    by_request: ClassVar[bool] = False
    """Whether the package's middleware sets the user, instead of a block."""

    def prepare(self):
        pass

    def run(self):
        raise NotImplementedError

    def expected(self):
        """Return how many entries the log must have by (kind, model, number of fields)."""
        return Counter()

    def transaction(self):
        """Return a block with a transaction and with the package's own unit of work."""
        from contextlib import ExitStack

        from django.db import transaction

        stack = ExitStack()
        stack.enter_context(transaction.atomic())
        stack.enter_context(self.stage.peer.unit(self.stage.user))
        return stack

    def change(self, row):
        row.rate, row.status = self.values
        row.save()


class Create(Operation):
    name, title = "create", "`create()` in one transaction"

    def run(self):
        from benchmarks.crm.models import Customer

        with self.transaction():
            for number in range(self.stage.rows):
                Customer.objects.create(name=f"new {number}")

    def expected(self):
        return Counter({("create", "customer", FIELDS): self.stage.rows})


class Save(Operation):
    name, title = "save", "`save()` of 2 fields in one transaction"

    def prepare(self):
        self.found, self.values = self.stage.customers(), self.stage.next_values()

    def run(self):
        with self.transaction():
            for row in self.found:
                self.change(row)

    def expected(self):
        return Counter({("update", "customer", 2): self.stage.rows})


class SaveInAutocommit(Save):
    name, title = "autocommit", "the same in autocommit"

    def run(self):
        for row in self.found:
            with self.stage.peer.unit(self.stage.user):
                self.change(row)


class GetChangeSave(Save):
    name, title = "get_save", "get(), change, save()"

    def prepare(self):
        self.values = self.stage.next_values()

    def run(self):
        from benchmarks.crm.models import Customer

        with self.transaction():
            for key in self.stage.keys:
                self.change(Customer.objects.get(pk=key))


class Delete(Operation):
    name, title = "delete", "`delete()` with 5 notes, 3 invoices, 2 tags"
    share = 5

    def prepare(self):
        from benchmarks.crm.models import Customer, Invoice, Note, Tag

        self.count = max(self.stage.rows // self.share, 1)
        tags = [Tag.objects.get_or_create(name=name)[0] for name in ("north", "vip")]
        self.doomed = []
        for number in range(self.count):
            one = Customer.objects.create(name=f"doomed {number}")
            for line in range(5):
                Note.objects.create(customer=one, text=f"note {line}")
            for line in range(3):
                Invoice.objects.create(
                    customer=one, number=f"{number}-{line}", total=Decimal("9.99")
                )
            one.tags.add(*tags)
            self.doomed.append(one)

    def run(self):
        with self.transaction():
            for one in self.doomed:
                one.delete()

    def expected(self):
        return Counter(
            {
                ("delete", "customer", FIELDS): self.count,
                ("delete", "note", 2): 5 * self.count,
                ("delete", "invoice", 3): 3 * self.count,
                ("remove", "customer", 1): 2 * self.count,
            }
        )


class BulkCreate(Operation):
    name, title = "bulk_create", "`bulk_create()`, per row of 22 columns"
    per_row = 5

    def prepare(self):
        from benchmarks.crm.models import Customer

        names = range(self.stage.rows * self.per_row)
        self.made = [Customer(name=f"bulk {number}") for number in names]

    def run(self):
        from benchmarks.crm.models import Customer

        with self.transaction():
            Customer.objects.bulk_create(self.made)

    def expected(self):
        return Counter({("create", "customer", FIELDS): self.stage.rows * self.per_row})


class BulkUpdate(Save):
    name, title = "bulk_update", "`bulk_update()` of 2 fields, per row"

    def run(self):
        from benchmarks.crm.models import Customer

        with self.transaction():
            for row in self.found:
                row.rate, row.status = self.values
            Customer.objects.bulk_update(self.found, ["rate", "status"])


class Update(Save):
    name, title = "update", "`queryset.update()` of 2 fields, per row"
    per_row = 10

    def prepare(self):
        from benchmarks.crm.models import Customer

        self.values = self.stage.next_values()
        missing = self.stage.rows * self.per_row - Customer.objects.filter(city="Bulk").count()
        Customer.objects.bulk_create(Customer(name="b", city="Bulk") for _ in range(missing))

    def run(self):
        from benchmarks.crm.models import Customer

        with self.transaction():
            rate, status = self.values
            Customer.objects.filter(city="Bulk").update(rate=rate, status=status)

    def expected(self):
        return Counter({("update", "customer", 2): self.stage.rows * self.per_row})


class Requests(Operation):
    """Requests by a user with a session, through Django's handler and middleware."""

    by_request = True

    def prepare(self):
        from django.core.handlers.wsgi import WSGIHandler
        from django.test import RequestFactory

        self.values = self.stage.next_values()
        self.handler = WSGIHandler()
        factory = RequestFactory(headers={"cookie": f"sessionid={self.stage.session}"})
        self.environs = [self.request(factory, key).environ for key in self.stage.keys]

    def request(self, factory, key):
        raise NotImplementedError

    def run(self):
        for environ in self.environs:
            response = self.handler(environ, _ignore)
            if response.status_code != 200:
                raise AssertionError(response.status_code)
            response.close()


def _ignore(_status, _headers):
    """Ignore the start of the response."""


class Post(Requests):
    name, title = "post", "POST request: get, change, save"

    def request(self, factory, key):
        rate, status = self.values
        return factory.post(f"/customers/{key}/change/", {"rate": rate, "status": status})

    def expected(self):
        return Counter({("update", "customer", 2): self.stage.rows})


class Get(Requests):
    name, title = "get", "GET request that writes nothing"

    def request(self, factory, key):
        return factory.get(f"/customers/{key}/")


OPERATIONS = {
    operation.name: operation
    for operation in (
        Create,
        Save,
        SaveInAutocommit,
        GetChangeSave,
        Delete,
        BulkCreate,
        BulkUpdate,
        Update,
        Post,
        Get,
    )
}


def block_of(operation):
    """Return the block in which the operation runs."""
    if operation.by_request:
        return nullcontext()
    return operation.stage.peer.acting(operation.stage.user)
