"""Fixtures of the reading tests: users with and without permissions, confidential values."""

import io

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client

from django_customer_history import history
from django_customer_history.models import ConfidentialField
from tests.projects.crm.models import Account, Customer, Invoice, Note, Specimen

SSN = "987-65-4321"
HIDDEN = ("987-65", "987654321", "4711-secret", "Very Private Ltd", "mauve", "5f4dcc3b")
"""Values of `confidential_customer`, or parts, that only a reader with permission may see."""


def grant(user, *codenames):
    """Give a user permissions, and clear the cached ones."""
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    for cache in ("_perm_cache", "_user_perm_cache", "_group_perm_cache"):
        user.__dict__.pop(cache, None)


@pytest.fixture
def reader(user):
    """A client of a user who may read and export the history of customers."""
    grant(user, "view_customer_history", "export_customer_history")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def stranger(django_user_model):
    """A client of a user without any permission."""
    client = Client()
    client.force_login(django_user_model.objects.create_user("eve"))
    return client


@pytest.fixture
def confidential_customer(customer, user):
    """A customer whose history has a confidential value in every place that can contain one."""
    other = Customer.objects.create(name="Very Private Ltd", ssn=SSN)
    Customer.objects.filter(pk=customer.pk).update(ssn=SSN, portal_password="5f4dcc3b")
    Note.objects.create(customer=other, text="moves")
    Note.objects.filter(text="moves").update(customer=customer)
    invoice = Invoice.objects.create(customer=other, number="4711-secret")
    Invoice.objects.filter(pk=invoice.pk).update(customer=customer)
    invoice.delete()
    account = Account.objects.create(label="x")
    Specimen.objects.create(account=account, json={"colour": "mauve", "size": "extra large"})
    Specimen.objects.update(json={"inner": [{"colour": "mauve"}], "colour": "mauve"})
    history.record("Credit checked", subject=customer, changes={"ssn": (None, SSN)})
    with history.acting(user=user, source="api"):
        customer.tags.create(name="tagged")
    ConfidentialField.objects.create(model="crm.customer", field="name")
    ConfidentialField.objects.create(model="crm.invoice", field="number", label="Number")
    ConfidentialField.objects.create(model="crm.specimen", field="json.colour")
    ConfidentialField.objects.create(model="crm.specimen", field="json.inner.colour")
    with history.paused(reason="older than the registration"):
        older = Customer.objects.create(
            name="Very Private Ltd", ssn=SSN, portal_password="5f4dcc3b"
        )
        Invoice.objects.create(customer=customer, number="4711-secret")
    call_command("history_baseline", stdout=io.StringIO(), stderr=io.StringIO())
    older.tags.create(name="tagged too")
    grant(user, "view_account_history", "export_account_history")
    return customer
