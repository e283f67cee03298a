"""The search finds what the page shows: labels, names, amounts, dates and users."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.utils import translation

from django_customer_history import history
from django_customer_history.models import ConfidentialField
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import (
    Account,
    Claim,
    Customer,
    Employee,
    Note,
    Shift,
    Specimen,
    Ticket,
)
from tests.reading.conftest import grant
from tests.reading.tabs import shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


@pytest.fixture
def found(user, customer):
    """Return a function that returns the models of the entries that a search finds."""
    grant(user, "view_customer_history", "view_account_history", "view_entry")

    def search(*texts, **filters):
        timeline = Timeline.of_everything(user).filtered(q=texts, **filters)
        entries = [one for some in timeline.chunks() for one in some]
        assert [one.id for one in timeline.page(limit=200).entries] == [one.id for one in entries]
        return [f"{one.kind} {one.entity.name}" for one in entries]

    return search


class TestValues:
    def test_label_of_a_choice(self, found, customer):
        Customer.objects.filter(pk=customer.pk).update(status="canceled")
        assert found("active customer") == ["update customer", "create customer"]
        assert found("Canceled") == ["update customer"]
        assert found("inactive customer") == []

    def test_yes_and_no(self, found, customer):
        ticket = Ticket.objects.create(customer=customer, note="x")
        Ticket.objects.filter(pk=ticket.pk).update(urgent=True)
        assert found("yes", entity="crm.ticket") == ["update ticket"]
        assert found("no", entity="crm.ticket") == ["update ticket", "create ticket"]

    def test_amount_as_it_is_shown(self, found, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="1234.50")
        assert found("1,234.50") == ["update customer"]
        assert found("1234.5") == ["update customer"]
        assert found("1,235") == []

    def test_format_of_the_project(self, found, customer):
        with history.acting(reason="hail"):
            Claim.objects.create(customer=customer, amount="1299.00")
        assert found("$1,299") == ["create claim"]

    def test_dates_and_times(self, found):
        account = Account.objects.create(label="x")
        Specimen.objects.create(
            account=account,
            date=date(2026, 12, 7),
            datetime=datetime(2026, 3, 9, 14, 5, tzinfo=UTC),
            time=time(21, 30),
            duration=timedelta(days=3),
        )
        for text in ("Dec. 7, 2026", "march 9", "2:05 p.m.", "9:30 p.m.", "3 days"):
            assert found(text) == ["create specimen"], text
        assert found("Dec. 8, 2026") == []

    def test_in_the_language_of_the_reader(self, found, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="1234.50")
        ticket = Ticket.objects.create(customer=customer)
        Ticket.objects.filter(pk=ticket.pk).update(urgent=True)
        with translation.override("de"):
            assert found("1.234,50") == ["update customer"]
            assert found("Ja", kind="update") == ["update ticket"]
            assert found("yes") == []

    def test_what_is_not_shown_is_not_found(self, found, customer):
        Customer.objects.filter(pk=customer.pk).update(status="canceled")
        assert found("canceled", not_q="active customer") == []


class TestNames:
    def test_name_of_a_related_record(self, found, customer):
        employee = Employee.objects.create(name="Bea", badge="7", customer=customer)
        Shift.objects.create(employee=employee)
        assert found("Bea 7", entity="crm.shift") == ["create shift"]
        assert found("Bea 8") == []

    def test_user_and_record(self, found, user, customer):
        with history.acting(user=user):
            Note.objects.create(customer=customer, text="moves")
        assert found("ann", entity="crm.note") == ["create note"]
        assert "create customer" in found("acme")

    def test_masked_name_is_not_found(self, found, customer):
        ConfidentialField.objects.create(model="crm.customer", field="name")
        Note.objects.create(customer=customer, text="moves")
        assert found("acme") == []

    def test_masked_choice_is_not_found(self, found, customer):
        ConfidentialField.objects.create(model="crm.customer", field="status")
        assert found("active customer") == []

    def test_empty_result_says_where(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?q=zebra")
        assert "The search looks in values, and in the names of records and users." in shown(answer)
