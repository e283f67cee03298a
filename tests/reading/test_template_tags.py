"""The template tags with every kind of argument that a page can give them."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject

from tests.projects.crm.models import Account, Customer, Note, VipCustomer
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

TAGS = ["history_tab", "history_tab_link"]


def render(tag, user, **context):
    request = RequestFactory().get("/")
    request.user = user
    template = Template(f"{{% load customer_history %}}{{% {tag} record %}}")
    return template.render(Context({"request": request, **context})).strip()


@pytest.fixture
def reader(user, customer):
    grant(user, "view_customer_history", "view_account_history")
    return user


@pytest.mark.parametrize("tag", TAGS)
class TestArguments:
    def test_none(self, tag, reader):
        assert render(tag, reader, record=None) == ""

    def test_variable_that_does_not_exist(self, tag, reader):
        assert render(tag, reader) == ""

    def test_record_that_is_not_saved(self, tag, reader):
        assert render(tag, reader, record=Customer(name="new")) == ""
        # Its key is there before it is saved.
        assert render(tag, reader, record=Account(label="new")) == ""

    def test_model_without_a_history(self, tag, reader, customer):
        for record in (Note.objects.create(customer=customer, text="t"), reader):
            with pytest.raises(ImproperlyConfigured, match="has no history of its own"):
                render(tag, reader, record=record)

    def test_something_else(self, tag, reader):
        for record in ("a text", 5, Customer.objects.all()):
            with pytest.raises(ImproperlyConfigured, match="needs a record, not"):
                render(tag, reader, record=record)

    def test_proxies_and_lazy_objects(self, tag, reader, customer):
        expected = "Acme" if tag == "history_tab" else f"/records/crm.customer/{customer.pk}/"
        for record in (
            customer,
            VipCustomer.objects.get(pk=customer.pk),
            SimpleLazyObject(lambda: customer),
            Customer.objects.only("pk").get(pk=customer.pk),
        ):
            assert expected in render(tag, reader, record=record)

    def test_reader_without_rights(self, tag, customer, django_user_model):
        text = render(tag, django_user_model.objects.create_user("eve"), record=customer)
        assert "Acme" not in text
