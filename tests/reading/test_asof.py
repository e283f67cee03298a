"""A record before and after an entry, or at a moment, computed from the log."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone

from django_customer_history import history
from django_customer_history.exceptions import NotFoundError
from django_customer_history.management.reading import CommandReader
from django_customer_history.models import Entry
from django_customer_history.point_in_time.record import record_as_of
from tests.projects.crm.models import (
    Customer,
    Entrance,
    Note,
    Pass,
    Referral,
    Specimen,
    Stock,
    Tag,
    Ticket,
)
from tests.projects.past.models import Client as PastClient
from tests.projects.past.models import Member
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

EVERYTHING = CommandReader(is_unmasking=True)


def entries(record):
    return list(Entry.objects.of_entity(type(record), record.pk).order_by("id"))


def fields_at(entry, reader=EVERYTHING):
    """Return the displayed value, or the state, of each field just before and after an entry."""
    record = record_as_of(reader, entry.id)
    return {
        one.field: tuple(
            side if side is None else (side.display if side.state == "value" else side.state)
            for side in (one.before, one.after)
        )
        for one in record.fields
    }


class TestOutputs:
    def test_the_page_of_a_record(self, reader, user, customer):
        with history.paused(reason="older"):
            older = Customer.objects.create(name="Old", ssn="987-65-4321")
        Customer.objects.filter(pk=older.pk).update(rate="44.99")
        grant(user, "view_customer_history")
        entry = Entry.objects.of_entity(Customer, older.pk).get()
        page = reader.get(f"/records/record/{entry.id}/")
        text = page.content.decode()
        assert page.status_code == 200
        assert page["Cache-Control"] == "private, no-store"
        assert "44.99" in text
        assert "39.99" in text
        assert text.count("before tracking started</em>") == 6
        assert text.count("not stored") == 4
        assert reader.get(f"/customers/{older.pk}/history/{entry.id}/").status_code == 200
        assert reader.get(f"/customers/{customer.pk}/history/{entry.id}/").status_code == 404

    def test_links_on_the_tab(self, reader, customer):
        history.record("Credit checked", subject=customer)
        page = reader.get(f"/customers/{customer.pk}/history/").content.decode()
        created, event = Entry.objects.of_entity(Customer, customer.pk).order_by("id")
        assert f'href="/records/record/{created.id}/"' in page
        assert f"/records/record/{event.id}/" not in page

    def test_without_permission(self, stranger, client, customer):
        (entry,) = entries(customer)
        assert stranger.get(f"/records/record/{entry.id}/").status_code == 404
        assert stranger.get(f"/api/history/entries/{entry.id}/record/").status_code == 404
        assert client.get(f"/records/record/{entry.id}/").status_code == 302
        assert client.get(f"/api/history/entries/{entry.id}/record/").status_code == 401

    def test_the_answer_over_rest(self, reader, customer):
        Customer.objects.update(rate="44.99")
        _created, changed = entries(customer)
        answer = reader.get(f"/api/history/entries/{changed.id}/record/")
        record = answer.json()
        assert record["entry"]["id"] == str(changed.id)
        assert (record["existed_before"], record["exists_after"]) == (True, True)
        by_name = {one["field"]: one for one in record["fields"]}
        assert by_name["rate"] == {
            "field": "rate",
            "label": "Rate",
            "type": "decimal",
            "before": {"state": "value", "value": "39.99", "display": "39.99"},
            "after": {"state": "value", "value": "44.99", "display": "44.99"},
            "is_changed": True,
            "permission": None,
        }
        assert by_name["ssn"]["after"] == {
            "state": "masked",
            "value": None,
            "display": "***-**-6789",
        }
        assert by_name["ssn"]["permission"] == "crm.view_confidential_customer_ssn"
        assert reader.get(f"/api/history/entries/{changed.id}/record/?x=1").status_code == 400


class TestBeforeAndAfter:
    def test_before_and_after_a_change(self, customer):
        customer.rate = "44.99"
        customer.save()
        customer.name, customer.rate = "Acme Ltd", "50.00"
        customer.save()
        Customer.objects.update(status="canceled")
        created, first, second, _last = entries(customer)
        assert fields_at(first) == {
            "name": ("Acme", "Acme"),
            "status": ("Active customer", "Active customer"),
            "rate": ("39.99", "44.99"),
            "ssn": ("123-45-6789", "123-45-6789"),
            "api_token": ("secret", "secret"),
            "portal_password": ("secret", "secret"),
        }
        assert fields_at(second)["name"] == ("Acme", "Acme Ltd")
        assert fields_at(second)["rate"] == ("44.99", "50.00")
        assert fields_at(second)["status"] == ("Active customer", "Active customer")
        assert fields_at(created)["name"] == (None, "Acme")
        record = record_as_of(EVERYTHING, second.id)
        assert [one.field for one in record.fields if one.is_changed] == ["name", "rate"]
        assert (record.existed_before, record.exists_after, record.has_unknown) == (
            True,
            True,
            False,
        )

    def test_a_key_that_is_used_again(self, customer):
        key = customer.pk
        customer.delete()
        Customer.objects.create(pk=key, name="Another")
        _created, deleted, again = Entry.objects.of_entity(Customer, key).order_by("id")
        assert fields_at(deleted)["name"] == ("Acme", None)
        assert fields_at(again)["name"] == (None, "Another")
        assert fields_at(again)["ssn"] == (None, "")
        record = record_as_of(EVERYTHING, deleted.id)
        assert (record.existed_before, record.exists_after) == (True, False)

    def test_many_to_many_relations(self, customer):
        # These keys have this order as numbers, and the opposite order as text.
        vip, eu = (Tag.objects.create(pk=key, name=name) for key, name in ((9, "vip"), (10, "eu")))
        customer.tags.add(vip)
        customer.tags.add(eu)
        customer.tags.remove(vip)
        _created, first, second, third = entries(customer)
        assert fields_at(first)["tags"] == ("null", "vip")
        assert fields_at(second)["tags"] == ("vip", "vip, eu")
        assert fields_at(third)["tags"] == ("vip, eu", "eu")

    def test_before_tracking_started(self, db):
        with history.paused(reason="older"):
            older = Customer.objects.create(name="Old", ssn="1")
        Customer.objects.filter(pk=older.pk).update(rate="1.00")
        Customer.objects.filter(pk=older.pk).update(name="New")
        first, _second = entries(older)
        assert fields_at(first) == {
            "name": ("Old", "Old"),  # From the old value of the later change.
            "status": ("unknown", "unknown"),
            "rate": ("39.99", "1.00"),
            "ssn": ("unknown", "unknown"),
            "api_token": ("secret", "secret"),
            "portal_password": ("secret", "secret"),
        }
        assert record_as_of(EVERYTHING, first.id).has_unknown
        call_command("history_baseline", "crm.customer", stdout=io.StringIO(), stderr=io.StringIO())
        assert fields_at(first)["status"] == ("Active customer", "Active customer")
        assert fields_at(first)["ssn"] == ("1", "1")
        baseline = Entry.objects.get(action="Baseline")
        assert fields_at(baseline)["ssn"] == ("unknown", "1")
        assert fields_at(baseline)["name"] == ("New", "New")

    def test_snapshot_has_older_values(self, db):
        with history.paused(reason="older"):
            member = Member.objects.create(name="Eve", ssn="123-45-6789", pin="4711", rate="1.00")
        long_ago = timezone.now() - timedelta(days=1)
        Member.history.model.objects.create(
            id=member.pk,
            name="Eve",
            ssn="123-45-6789",
            rate="1.00",
            history_date=long_ago,
            history_type="~",
        )
        Member.objects.update(rate="2.00")
        (entry,) = entries(member)
        assert fields_at(entry) == {
            "name": ("Eve", "Eve"),
            "ssn": ("123-45-6789", "123-45-6789"),
            "pin": ("secret", "secret"),
            "password": ("secret", "secret"),
            "rate": ("1.00", "2.00"),
        }
        masked = fields_at(entry, reader=CommandReader(is_unmasking=False))
        assert masked["ssn"] == ("masked", "masked")

    def test_keys_of_a_json_field(self, customer):
        ticket = Ticket.objects.create(customer=customer, udf={"colour": "red", "size": 1})
        ticket.udf = {"colour": "blue"}
        ticket.save()
        _created, changed = entries(ticket)
        shown = fields_at(changed)
        assert shown["udf.colour"] == ("red", "blue")
        assert shown["udf.size"] == ("1", "null")
        assert "udf" not in shown

    def test_an_entity_with_two_subjects(self, customer):
        other = Customer.objects.create(name="Other")
        referral = Referral.objects.create(seller=customer, buyer=other, note="a")
        Referral.objects.update(note="b")
        logged = entries(referral)
        assert len(logged) == 4
        assert [fields_at(one)["note"] for one in logged] == [
            (None, "a"),
            (None, "a"),
            ("a", "b"),
            ("a", "b"),
        ]

    def test_event_without_a_change(self, customer):
        history.record("Credit checked", subject=customer, changes={"score": (None, 7)})
        customer.name = "Later"
        customer.save()
        event = Entry.objects.get(action="Credit checked")
        assert fields_at(event)["name"] == ("Acme", "Acme")
        assert "score" not in fields_at(event)

    def test_entity_that_is_not_a_record(self, customer):
        with history.paused(reason="test"):
            pass
        pause = Entry.objects.filter(action="History Paused").get()
        with pytest.raises(NotFoundError):
            record_as_of(EVERYTHING, pause.id)


class TestAsOf:
    def test_returns_python_values(self, customer):
        tag = customer.tags.create(name="vip")
        between = timezone.now()
        Customer.objects.update(rate="44.99", api_token="tok")
        customer.tags.clear()
        after = timezone.now()
        key = customer.pk
        Customer.objects.all().delete()
        assert history.as_of(Customer, between, key=key) == {
            "name": "Acme",
            "status": "active",
            "rate": Decimal("39.99"),
            "ssn": "123-45-6789",
            "tags": [tag.pk],
        }
        assert history.as_of(Customer, after, key=key)["tags"] == []
        assert str(history.as_of(Customer, after, key=key)["rate"]) == "44.99"
        assert history.as_of(Customer, timezone.now(), key=key) is None
        assert history.as_of(Customer, datetime(2020, 1, 1, tzinfo=UTC), key=key) is None

    def test_unknown_fields_and_null(self, customer):
        with history.paused(reason="older"):
            older = Customer.objects.create(name="Old")
        Customer.objects.filter(pk=older.pk).update(rate="1.00")
        assert set(history.as_of(older, timezone.now())) == {"rate"}
        specimen = Specimen.objects.create(char="c")
        state = history.as_of(specimen, timezone.now())
        assert (state["char"], state["uuid"]) == ("c", None)
        note = Note.objects.create(customer=customer, text="t")
        assert history.as_of(note, timezone.now()) == {"customer": customer.pk, "text": "t"}

    def test_a_composite_primary_key(self, db):
        stock = Stock.objects.create(warehouse=1, product="p", quantity=3)
        Stock.objects.update(quantity=4)
        created, changed = entries(stock)
        assert history.as_of(stock, created.timestamp) == {"quantity": 3}
        assert history.as_of(Stock, changed.timestamp, key=(1, "p")) == {"quantity": 4}
        history.record("Counted", entity=stock)
        assert Entry.objects.get(action="Counted").entity_id == changed.entity_id

    def test_an_imported_history(self, db):
        start = datetime(2024, 3, 1, tzinfo=UTC)
        with history.paused(reason="before it was installed"):
            client = PastClient(name="Acme")
            client._history_date = start
            client.save()
            client.name, client._history_date = "Acme Ltd", start + timedelta(days=2)
            client.save()
        call_command(
            "history_import_simple_history",
            "past.client",
            stdout=io.StringIO(),
            stderr=io.StringIO(),
        )
        assert history.as_of(client, start + timedelta(days=1))["name"] == "Acme"
        assert history.as_of(client, start + timedelta(days=3))["name"] == "Acme Ltd"
        assert history.as_of(client, start - timedelta(days=1)) is None

    def test_foreign_key_to_a_secret_field(self, customer):
        one, other = (
            Pass.objects.create(customer=customer, code=code) for code in ("tok-1", "tok-2")
        )
        entrance = Entrance.objects.create(held=one, gate="north")
        Entrance.objects.update(held=other)
        _created, moved = entries(entrance)
        assert fields_at(moved) == {"held": ("secret", "secret"), "gate": ("north", "north")}
        assert history.as_of(entrance, moved.timestamp) == {"gate": "north"}
