"""Names do not reveal hidden values: names of actions, labels of records, and links."""

import pytest
from django.contrib.auth import get_user_model
from django.db import models
from django.urls import reverse

from django_customer_history import (
    history,
    masks,
)
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.registration.registry import (
    registration_of,
    registry,
)
from tests.projects.crm.models import (
    Account,
    Customer,
    Employee,
    Invoice,
    InvoiceLine,
    Note,
    Person,
    Shift,
    Specimen,
    Ticket,
    VipCustomer,
)
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


@pytest.fixture
def registered(monkeypatch):
    """Return a function that registers a model with other options."""

    def register(model, **options):
        own = registration_of(model, **options)
        monkeypatch.setitem(registry._registrations, model, own)

    return register


def listed(client, query=""):
    return client.get(f"/api/history/?limit=200&{query}").json()["results"]


def content(answer):
    return (answer.getvalue() if answer.streaming else answer.content).decode()


def read_all_outputs(client, customer):
    """Return the text of all outputs of a customer that show names."""
    urls = (
        "/api/history/?limit=200",
        f"/api/history/subjects/crm.customer/{customer.pk}/?limit=200",
        "/api/history/facets/",
        "/api/history/export/?format=csv",
        "/api/history/export/?format=ndjson",
        f"/customers/{customer.pk}/history/?filter=open",
        f"/customers/{customer.pk}/history/?print=yes",
        f"/project/customers/{customer.pk}/history/?limit=200",
    )
    return "".join(content(client.get(url)) for url in urls)


def mark_status(registered):
    ConfidentialField.objects.create(model="crm.ticket", field="status")


def register_status(registered):
    events = {
        "status": {"closed": "Ticket Closed", "open": "Ticket Reopened"},
        "urgent": {True: "Ticket Escalated"},
        "assigned_to": "Ticket Reassigned",
        "create": "Ticket Created",
    }
    confidential = {"status": masks.FULL}
    registered(Ticket, subject="customer", events=events, confidential=confidential)


@pytest.fixture
def tickets(customer, user):
    """A ticket whose status, assignee and urgency changed several times."""
    ticket = Ticket.objects.create(customer=customer, note="first")
    for changes in (
        {"status": "closed"},
        {"status": "open"},
        {"status": "closed", "assigned_to": user},
        {"status": "open", "urgent": True},
        {"status": "lost"},
    ):
        Ticket.objects.filter(pk=ticket.pk).update(**changes)
    Ticket.objects.create(customer=customer, status="closed")
    return ticket


STORED = [
    "Ticket Closed",
    "Update",
    "Ticket Reopened",
    "Ticket Closed",
    "Ticket Reopened",
    "Ticket Closed",
    "Ticket Created",
]
SHOWN = [
    "Ticket Created",
    "Update",
    "Ticket Escalated",
    "Ticket Reassigned",
    "Update",
    "Update",
    "Ticket Created",
]


@pytest.mark.parametrize("hide", [mark_status, register_status])
class TestNamesOfEvents:
    def test_hide_confidential_values(self, hide, reader, customer, tickets, registered):
        assert [one["action"] for one in listed(reader, "entity=crm.ticket")] == STORED
        hide(registered)
        assert [one["action"] for one in listed(reader, "entity=crm.ticket")] == SHOWN
        outputs = read_all_outputs(reader, customer)
        assert "Ticket Escalated" in outputs
        assert "Ticket Closed" not in outputs
        assert "Ticket Reopened" not in outputs
        grant(get_user_model().objects.get(username="ann"), "view_confidential")
        assert [one["action"] for one in listed(reader, "entity=crm.ticket")] == STORED
        assert "Ticket Closed" in read_all_outputs(reader, customer)

    @pytest.mark.parametrize("name", ["Ticket Closed", "Ticket Reopened", "ticket closed"])
    def test_hidden_names_find_nothing(self, hide, name, reader, tickets, registered):
        hide(registered)
        everything = [one["id"] for one in listed(reader)]
        assert listed(reader, f"action={name}") == []
        assert [one["id"] for one in listed(reader, f"-action={name}")] == everything
        facets = reader.get(f"/api/history/facets/?action={name}").json()
        assert (facets["kinds"], facets["complete"]) == ([], True)
        rows = content(reader.get(f"/api/history/export/?format=csv&action={name}")).splitlines()
        assert len(rows) == 1

    @pytest.mark.parametrize("name", sorted(set(SHOWN)))
    def test_find_the_names_that_are_shown(self, hide, name, reader, tickets, registered):
        hide(registered)
        everything = listed(reader, "entity=crm.ticket")
        found = listed(reader, f"entity=crm.ticket&action={name}")
        assert [one["id"] for one in found] == [
            one["id"] for one in everything if one["action"] == name
        ]
        assert len(found) == SHOWN.count(name)
        others = listed(reader, f"entity=crm.ticket&-action={name}")
        assert len(others) == len(SHOWN) - SHOWN.count(name)

    def test_find_stored_names_if_permitted(self, hide, reader, user, tickets, registered):
        hide(registered)
        grant(user, "view_confidential_ticket_status", "view_confidential")
        assert len(listed(reader, "action=Ticket Closed")) == 3
        assert len(listed(reader, "action=Ticket Closed&action=Ticket Created")) == 4

    def test_filter_works_on_every_page(self, hide, reader, customer, tickets, registered):
        hide(registered)
        url = f"/api/history/subjects/crm.customer/{customer.pk}/?limit=1&action=Update"
        seen = []
        while url:
            page = reader.get(url).json()
            seen += [one["action"] for one in page["results"]]
            url = page["next"]
        assert seen == ["Update"] * 3


class TestRecordedEvents:
    def test_recorded_names_are_kept(self, reader, customer):
        mark_status(None)
        history.record("Ticket Closed", subject=customer)
        assert listed(reader)[0]["action"] == "Ticket Closed"


class TestLabelsFromRelatedRecords:
    def test_record_without_a_label(self, reader, customer, monkeypatch):
        """The URL and the label contain a value of the record behind a foreign key."""
        note = Note.objects.create(customer=customer, text="t")
        monkeypatch.setattr(
            Note, "get_absolute_url", lambda self: f"/by/{self.customer.ssn}/", raising=False
        )
        monkeypatch.setattr(Note, "__str__", lambda self: f"of {self.customer.ssn}")
        history.record("Noted", subject=customer, entity=note)
        assert "123-45-6789" not in read_all_outputs(reader, customer)
        assert listed(reader, "entity=crm.note")[0]["entity"]["url"] is None

    def test_value_in_another_format(self, reader, customer, monkeypatch):
        Note.objects.create(customer=customer, text="t")
        monkeypatch.setattr(
            Note,
            "get_absolute_url",
            lambda self: f"/by/{self.customer.ssn.replace('-', '')}/",
            raising=False,
        )
        assert "123456789" not in read_all_outputs(reader, customer)

    def test_record_two_relations_away(self, reader, user, customer, monkeypatch):
        grant(user, "view_entry")
        other = Customer.objects.create(name="Other", ssn="555-66-7777")
        Ticket.objects.create(customer=other)
        monkeypatch.setattr(
            Ticket, "get_absolute_url", lambda self: f"/{self.customer.ssn}", raising=False
        )
        assert "555-66" not in read_all_outputs(reader, other)
        monkeypatch.setattr(Ticket, "get_absolute_url", lambda self: "/shown", raising=False)
        assert "/shown" in read_all_outputs(reader, other)

    def test_foreign_key_in_a_label(self, reader, user, customer, registered, monkeypatch):
        registered(Invoice, subject="customer", label=["number", "customer"])
        registered(Customer, subject="self", confidential={"ssn": masks.SSN})
        monkeypatch.setattr(Customer, "__str__", lambda self: f"{self.name}, {self.ssn}")
        invoice = Invoice.objects.create(customer=customer, number="INV-1")
        InvoiceLine.objects.create(invoice=invoice, product="Siren")
        outputs = read_all_outputs(reader, customer)
        assert "123-45" not in outputs
        assert "INV-1, Acme" not in outputs
        grant(user, "view_confidential")
        assert "123-45" in read_all_outputs(reader, customer)

    def test_record_behind_a_proxy(self, reader, user, customer, monkeypatch):
        field = Note._meta.get_field("customer")
        monkeypatch.setattr(field.remote_field, "model", VipCustomer)
        monkeypatch.setitem(field.__dict__, "related_model", VipCustomer)
        ConfidentialField.objects.create(model="crm.customer", field="name")
        Note.objects.create(customer=customer, text="t")
        assert "Acme" not in read_all_outputs(reader, customer)


class TestLoggedLabels:
    LOGGED = ("name", "ssn")

    @pytest.fixture
    def renamed(self, customer):
        """Entries whose labels contain the confidential value that labels had before."""
        options = {"subject": "self", "confidential": {"ssn": masks.SSN}}
        Entry.objects.bulk_create(
            Entry(
                timestamp=customer.updated_at, kind="update", action="Update", source="web",
                subject_model="crm.customer", subject_id=str(customer.pk),
                entity_model="crm.customer", entity_id=str(customer.pk),
                entity_label="Acme 321-54-9876", changes=changes,
            )
            for changes in (
                {"rate": ["1", "2"]},
                {"ssn": ["321-54-9876", "123-45-6789"]},
            )
        )  # fmt: skip
        return options

    def test_hidden_if_label_was_changed(self, reader, user, renamed, registered):
        registered(Customer, label=self.LOGGED, **renamed)
        log_registrations("default")
        registered(Customer, label="name", **renamed)
        log_registrations("default")
        assert "321-54" not in content(reader.get("/api/history/?limit=200"))
        grant(user, "view_confidential_customer_ssn")
        assert "Acme 321-54-9876" in content(reader.get("/api/history/?limit=200"))

    def test_hidden_if_label_was_removed(self, reader, user, renamed, registered):
        registered(Customer, **renamed)
        assert "321-54" not in content(reader.get("/api/history/?limit=200"))
        grant(user, "view_confidential")
        assert "Acme 321-54-9876" in content(reader.get("/api/history/?limit=200"))

    def test_hidden_if_entry_has_the_value(self, reader, renamed, registered):
        registered(Customer, label="name", **renamed)
        entries = [one for one in listed(reader) if one["changes"][0]["field"] == "ssn"]
        assert entries[0]["entity"]["label"] == "*****"

    def test_hidden_if_record_has_the_value(self, reader, customer, renamed, registered):
        registered(Customer, label="name", **renamed)
        Customer.objects.filter(pk=customer.pk).update(ssn="321-54-9876")
        url = reverse("customer_history_api:subject", args=["crm.customer", customer.pk])
        assert "Acme 321-54-9876" not in content(reader.get(url))

    def test_hidden_for_a_deleted_record(self, reader, user, renamed, registered):
        other = Customer.objects.create(name="Gone")
        note = Note.objects.create(customer=other, text="t")
        registered(Customer, label=self.LOGGED, **renamed)
        log_registrations("default")
        Entry.objects.create(
            timestamp=other.updated_at, kind="update", action="Update", source="web",
            subject_model="crm.customer", subject_id=str(other.pk), entity_model="crm.customer",
            entity_id=str(other.pk), entity_label="Gone 321-54-9876", changes={},
        )  # fmt: skip
        registered(Customer, label="name", **renamed)
        log_registrations("default")
        note.delete()
        other.delete()
        assert "321-54" not in content(reader.get("/api/history/?limit=200"))

    def test_shown_without_hidden_values(self, reader, renamed, registered):
        registered(Customer, label=("name", "status"), **renamed)
        log_registrations("default")
        registered(Customer, label="name", **renamed)
        log_registrations("default")
        labels = {one["entity"]["label"] for one in listed(reader, "kind=create")}
        assert labels == {"Acme"}


class TestKeys:
    def test_staff_cannot_mark_a_key(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("root"))
        for model, field in (("crm.code", "code"), ("crm.stock", "warehouse"), ("crm.note", "id")):
            answer = client.post(
                "/admin/customer_history/confidentialfield/add/",
                {"model": model, "field": field, "label": "", "mask": "full"},
            )
            assert "A key cannot be confidential" in content(answer)
        assert not ConfidentialField.objects.exists()

    def test_foreign_key_to_a_hidden_field(self, reader, user, customer, monkeypatch, registered):
        """A foreign key with `to_field` contains a value of the other row instead of its key."""
        grant(user, "view_account_history")
        held = models.ForeignKey(Customer, models.CASCADE, to_field="ssn", related_name="+")
        monkeypatch.setattr(Customer._meta.get_field("ssn"), "_unique", True)
        held.set_attributes_from_name("char")
        held.model, held.concrete = Specimen, True
        own = {**Specimen._meta._forward_fields_map, "char": held}
        monkeypatch.setitem(Specimen._meta.__dict__, "_forward_fields_map", own)
        monkeypatch.setitem(Specimen._meta.__dict__, "fields_map", {})
        others = [one for one in Specimen._meta.concrete_fields if one.name != "char"]
        monkeypatch.setitem(Specimen._meta.__dict__, "concrete_fields", (*others, held))
        account = Account.objects.create(label="a")
        Entry.objects.create(
            timestamp=customer.updated_at, kind="update", action="Update", source="web",
            subject_model="crm.account", subject_id=str(account.pk), entity_model="crm.specimen",
            entity_id="1", changes={"char": [None, "123-45-6789"]},
        )  # fmt: skip
        (change,) = listed(reader, "entity=crm.specimen")[0]["changes"]
        assert (change["masked"], change["new_display"]) == (True, "***-**-6789")
        assert change["permission"] == "crm.view_confidential_customer_ssn"
        assert listed(reader, "q=123-45") == []
        grant(user, "view_confidential_customer_ssn")
        (change,) = listed(reader, "entity=crm.specimen")[0]["changes"]
        assert (change["masked"], change["new"]) == (False, "123-45-6789")


class TestMultiTableChildren:
    @pytest.fixture
    def employee(self, customer):
        employee = Employee.objects.create(name="Bea Secret", badge="7", customer=customer)
        Shift.objects.create(employee=employee)
        return employee

    def test_registration_of_the_parent(self, reader, user, customer, employee, registered):
        assert "Bea Secret" in read_all_outputs(reader, customer)
        registered(Person, subject="customer", confidential={"name": masks.FULL})
        assert "Bea Secret" not in read_all_outputs(reader, customer)
        change = listed(reader, "entity=crm.employee")[0]["changes"][0]
        assert change["permission"] == "crm.view_confidential_person_name"

    def test_mark_on_the_parent_model(self, reader, user, customer, employee, registered):
        registered(Person, subject="customer")
        ConfidentialField.objects.create(model="crm.person", field="name", label="Its name")
        assert "Bea Secret" not in read_all_outputs(reader, customer)
        grant(user, "view_confidential_person_name")
        assert "Bea Secret" in read_all_outputs(reader, customer)
