"""The tables are compared with the log, and what differs is named."""

import pytest
from django.db import connection

from django_customer_history import history
from django_customer_history.feed.seals.completeness import Completeness
from tests.projects.crm.models import Customer, Tag, Ticket

pytestmark = pytest.mark.django_db(transaction=True)


def found():
    """Return the kinds and the texts of what a comparison finds."""
    return [(one.kind, one.text) for one in Completeness(using="default").run()]


class TestNothingFound:
    def test_usual_writes(self, customer):
        tag = Tag.objects.create(name="vip")
        customer.tags.add(tag, Tag.objects.create(name="new"))
        customer.tags.remove(tag)
        Customer.objects.update(rate="44.99", api_token="t")
        ticket = Ticket.objects.create(customer=customer, udf={"a": 1, "b": None})
        Ticket.objects.update(udf={"a": 2, "c": [1, {"z": 1, "a": 1}]})
        Ticket.objects.create(customer=customer, udf=[1]).delete()
        ticket.refresh_from_db()
        assert found() == []
