"""Related records have the names that they had when the entry was written."""

import csv
import io

import pytest

from django_customer_history import history
from django_customer_history.models import ConfidentialField
from tests.projects.crm.models import Customer, Note, Referral, Site, Tag
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


@pytest.fixture
def referral(customer, reader):
    """A referral to a customer who was renamed twice since."""
    other = Customer.objects.create(name="First name")
    referral = Referral.objects.create(seller=customer, buyer=other)
    Customer.objects.filter(pk=other.pk).update(name="Second name")
    Referral.objects.filter(pk=referral.pk).update(note="changed")
    Customer.objects.filter(pk=other.pk).update(name="Third name")
    Referral.objects.filter(pk=referral.pk).update(buyer=None)
    return referral


def names(client, customer):
    url = f"/api/history/subjects/crm.customer/{customer.pk}/?entity=crm.referral&field=buyer"
    return [
        (change["old_display"], change["new_display"])
        for entry in client.get(url).json()["results"]
        for change in entry["changes"]
        if change["field"] == "buyer"
    ]


class TestNames:
    def test_at_the_time_of_the_entry(self, reader, customer, referral):
        assert names(reader, customer) == [("Third name", None), (None, "First name")]

    def test_of_a_deleted_record(self, reader, customer, referral):
        Customer.objects.filter(name="Third name").delete()
        assert names(reader, customer) == [("Third name", None), (None, "First name")]

    def test_of_the_subject(self, reader, customer):
        Customer.objects.update(name="Acme Ltd")
        Customer.objects.update(rate="44.99")
        url = f"/api/history/subjects/crm.customer/{customer.pk}/export/?format=csv"
        rows = list(csv.DictReader(io.StringIO(reader.get(url).getvalue().decode())))
        assert {(row["action"], row["customer"]) for row in rows} == {
            ("Create", "Acme"),
            ("Update", "Acme Ltd"),
        }

    @pytest.mark.parametrize(
        "url",
        [
            "/customers/{}/history/",
            "/api/history/subjects/crm.customer/{}/export/?format=csv",
            "/api/history/subjects/crm.customer/{}/export/?format=ndjson",
            "/api/history/?limit=200",
            "/project/customers/{}/history/",
        ],
    )
    def test_in_every_output(self, url, reader, customer, referral):
        answer = reader.get(url.format(customer.pk))
        text = (answer.getvalue() if answer.streaming else answer.content).decode()
        assert "First name" in text

    def test_before_tracking_began(self, reader, customer):
        with history.paused(reason="older than the registration"):
            other = Customer.objects.create(name="Before")
        Referral.objects.create(seller=customer, buyer=other)
        assert names(reader, customer) == [(None, "Before")]
        Customer.objects.filter(pk=other.pk).update(rate="1.00")
        assert names(reader, customer) == [(None, "Before")]
        Customer.objects.filter(pk=other.pk).update(name="After")
        Customer.objects.filter(pk=other.pk).update(name="Much later")
        assert names(reader, customer)[0][1] in ("Before", "After")

    def test_first_entry_is_a_rename(self, reader, customer):
        with history.paused(reason="older than the registration"):
            other = Customer.objects.create(name="Before")
        Referral.objects.create(seller=customer, buyer=other)
        Customer.objects.filter(pk=other.pk).update(name="After")
        assert names(reader, customer) == [(None, "Before")]

    def test_record_without_a_label(self, reader, user, customer):
        """The log has no names of tags: they have the name of today."""
        tag = customer.tags.create(name="old")
        Tag.objects.filter(pk=tag.pk).update(name="new")
        url = f"/api/history/subjects/crm.customer/{customer.pk}/?kind=add"
        (entry,) = reader.get(url).json()["results"]
        assert entry["changes"][0]["new_display"] == "new"

    def test_confidential_name(self, reader, user, customer, referral):
        ConfidentialField.objects.create(model="crm.customer", field="name")
        assert names(reader, customer) == [("*****", None), (None, "*****")]
        grant(user, "view_confidential_customer_name")
        assert names(reader, customer) == [("Third name", None), (None, "First name")]


class TestFailingNames:
    """One record whose name raises an error does not break the others."""

    URLS = (
        "/api/history/?limit=200",
        "/api/history/subjects/crm.customer/{}/",
        "/customers/{}/history/",
        "/project/customers/{}/history/",
        "/api/history/export/?format=csv",
    )

    @pytest.fixture
    def failing(self, customer, user, monkeypatch):
        def fail(self):
            raise ValueError("no name")

        Note.objects.create(customer=customer, text="a note")
        customer.tags.create(name="vip")
        monkeypatch.setattr(Tag, "__str__", fail)
        monkeypatch.setattr(Note, "__str__", fail)
        monkeypatch.setattr(Note, "get_absolute_url", fail, raising=False)
        return customer

    @pytest.mark.parametrize("url", URLS)
    def test_other_entries_are_shown(self, url, reader, failing):
        answer = reader.get(url.format(failing.pk))
        assert answer.status_code == 200
        text = (answer.getvalue() if answer.streaming else answer.content).decode()
        assert "a note" in text

    def test_key_instead_of_the_name(self, reader, failing):
        url = f"/api/history/subjects/crm.customer/{failing.pk}/?kind=add"
        (entry,) = reader.get(url).json()["results"]
        assert entry["changes"][0]["new_display"] == f"#{Tag.objects.get().pk}"

    def test_last_logged_name(self, reader, user, customer, monkeypatch):
        """The label has a related record whose name raises."""
        site = Site.objects.create(name="Main gate")
        grant(user, "view_site_history")
        monkeypatch.setattr(
            Site, "name", property(lambda self: 1 / 0, lambda self, value: None), raising=False
        )
        url = f"/api/history/subjects/crm.site/{site.pk}/"
        answer = reader.get(url)
        assert answer.status_code == 200
        assert answer.json()["results"][0]["subject"]["label"] == "Main gate"
