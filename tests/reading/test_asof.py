"""A record as it was, from any entry: put together from the log, under the same masks."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone

from django_customer_history import history
from django_customer_history.exceptions import NotFoundError
from django_customer_history.management.commands.history_export import CommandReader
from django_customer_history.models import Entry
from django_customer_history.point_in_time.record import record_as_of
from tests.projects.crm.models import (
    Customer,
    Entrance,
    Note,
    Pass,
    Referral,
    Specimen,
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


def then(entry, reader=EVERYTHING):
    """Return the fields of the record just before and just after an entry, in words."""
    record = record_as_of(reader, entry.id)
    return {
        one.field: tuple(
            side if side is None else (side.display if side.state == "value" else side.state)
            for side in (one.before, one.after)
        )
        for one in record.fields
    }


def test_the_record_before_and_after_a_change(customer):
    customer.rate = "44.99"
    customer.save()
    customer.name, customer.rate = "Acme Ltd", "50.00"
    customer.save()
    Customer.objects.update(status="canceled")
    created, first, second, _last = entries(customer)
    assert then(first) == {
        "name": ("Acme", "Acme"),
        "status": ("Active customer", "Active customer"),
        "rate": ("39.99", "44.99"),
        "ssn": ("123-45-6789", "123-45-6789"),
        "api_token": ("secret", "secret"),
        "portal_password": ("secret", "secret"),
    }
    assert then(second)["name"] == ("Acme", "Acme Ltd")
    assert then(second)["rate"] == ("44.99", "50.00")
    assert then(second)["status"] == ("Active customer", "Active customer")
    assert then(created)["name"] == (None, "Acme")
    record = record_as_of(EVERYTHING, second.id)
    assert [one.field for one in record.fields if one.is_changed] == ["name", "rate"]
    assert (record.existed_before, record.exists_after, record.has_unknown) == (True, True, False)


def test_a_record_that_goes_and_one_that_comes_again_under_its_key(customer):
    key = customer.pk
    customer.delete()
    Customer.objects.create(pk=key, name="Another")
    _created, deleted, again = Entry.objects.of_entity(Customer, key).order_by("id")
    assert then(deleted)["name"] == ("Acme", None)
    assert then(again)["name"] == (None, "Another")
    assert then(again)["ssn"] == (None, "")
    gone = record_as_of(EVERYTHING, deleted.id)
    assert (gone.existed_before, gone.exists_after) == (True, False)


def test_links_are_a_list_of_names(customer):
    # As numbers their keys are in this order, as text in the other.
    vip, eu = (Tag.objects.create(pk=key, name=name) for key, name in ((9, "vip"), (10, "eu")))
    customer.tags.add(vip)
    customer.tags.add(eu)
    customer.tags.remove(vip)
    _created, first, second, third = entries(customer)
    assert then(first)["tags"] == ("null", "vip")
    assert then(second)["tags"] == ("vip", "vip, eu")
    assert then(third)["tags"] == ("vip, eu", "eu")


def test_what_was_set_before_tracking_began_is_unknown_or_known_from_later(db):
    with history.paused(reason="older"):
        older = Customer.objects.create(name="Old", ssn="1")
    Customer.objects.filter(pk=older.pk).update(rate="1.00")
    Customer.objects.filter(pk=older.pk).update(name="New")
    first, _second = entries(older)
    assert then(first) == {
        "name": ("Old", "Old"),  # The later change tells what was there.
        "status": ("unknown", "unknown"),
        "rate": ("39.99", "1.00"),
        "ssn": ("unknown", "unknown"),
        "api_token": ("secret", "secret"),
        "portal_password": ("secret", "secret"),
    }
    assert record_as_of(EVERYTHING, first.id).has_unknown
    call_command("history_baseline", "crm.customer", stdout=io.StringIO(), stderr=io.StringIO())
    assert then(first)["status"] == ("Active customer", "Active customer")
    assert then(first)["ssn"] == ("1", "1")
    began = Entry.objects.get(action="Baseline")
    assert then(began)["ssn"] == ("unknown", "1")
    assert then(began)["name"] == ("New", "New")


def test_a_snapshot_fills_what_the_log_does_not_know(db):
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
    assert then(entry) == {
        "name": ("Eve", "Eve"),
        "ssn": ("123-45-6789", "123-45-6789"),
        "pin": ("secret", "secret"),
        "password": ("secret", "secret"),
        "rate": ("1.00", "2.00"),
    }
    masked = then(entry, reader=CommandReader(is_unmasking=False))
    assert masked["ssn"] == ("masked", "masked")


def test_keys_of_json_are_fields(customer):
    ticket = Ticket.objects.create(customer=customer, udf={"colour": "red", "size": 1})
    ticket.udf = {"colour": "blue"}
    ticket.save()
    _created, changed = entries(ticket)
    shown = then(changed)
    assert shown["udf.colour"] == ("red", "blue")
    assert shown["udf.size"] == ("1", "null")
    assert "udf" not in shown


def test_an_entry_on_two_tabs_tells_the_same_on_both(customer):
    other = Customer.objects.create(name="Other")
    referral = Referral.objects.create(seller=customer, buyer=other, note="a")
    Referral.objects.update(note="b")
    told = entries(referral)
    assert len(told) == 4
    assert [then(one)["note"] for one in told] == [(None, "a"), (None, "a"), ("a", "b"), ("a", "b")]


def test_an_event_that_changed_no_row_shows_the_row_as_it_was(customer):
    history.record("Credit checked", subject=customer, changes={"score": (None, 7)})
    customer.name = "Later"
    customer.save()
    event = Entry.objects.get(action="Credit checked")
    assert then(event)["name"] == ("Acme", "Acme")
    assert "score" not in then(event)


def test_the_page_names_both_moments_and_every_state(reader, user, customer):
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


def test_each_row_of_the_tab_leads_there_but_an_event(reader, customer):
    history.record("Credit checked", subject=customer)
    page = reader.get(f"/customers/{customer.pk}/history/").content.decode()
    created, event = Entry.objects.of_entity(Customer, customer.pk).order_by("id")
    assert f'href="/records/record/{created.id}/"' in page
    assert f"/records/record/{event.id}/" not in page


def test_who_may_not_see_the_entry_gets_nothing(stranger, client, customer):
    (entry,) = entries(customer)
    assert stranger.get(f"/records/record/{entry.id}/").status_code == 404
    assert stranger.get(f"/api/history/entries/{entry.id}/record/").status_code == 404
    assert client.get(f"/records/record/{entry.id}/").status_code == 302
    assert client.get(f"/api/history/entries/{entry.id}/record/").status_code == 401


def test_over_rest(reader, customer):
    Customer.objects.update(rate="44.99")
    _created, changed = entries(customer)
    answer = reader.get(f"/api/history/entries/{changed.id}/record/")
    told = answer.json()
    assert told["entry"]["id"] == str(changed.id)
    assert (told["existed_before"], told["exists_after"]) == (True, True)
    by_name = {one["field"]: one for one in told["fields"]}
    assert by_name["rate"] == {
        "field": "rate",
        "label": "Rate",
        "type": "decimal",
        "before": {"state": "value", "value": "39.99", "display": "39.99"},
        "after": {"state": "value", "value": "44.99", "display": "44.99"},
        "is_changed": True,
        "permission": None,
    }
    assert by_name["ssn"]["after"] == {"state": "masked", "value": None, "display": "***-**-6789"}
    assert by_name["ssn"]["permission"] == "crm.view_confidential_customer_ssn"
    assert reader.get(f"/api/history/entries/{changed.id}/record/?x=1").status_code == 400


def test_an_entry_about_no_tracked_record_has_none(customer):
    with history.paused(reason="test"):
        pass
    pause = Entry.objects.filter(action="History Paused").get()
    with pytest.raises(NotFoundError):
        record_as_of(EVERYTHING, pause.id)


def test_from_python_a_row_at_a_moment(customer):
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


def test_from_python_what_is_unknown_is_missing_and_null_is_none(customer):
    with history.paused(reason="older"):
        older = Customer.objects.create(name="Old")
    Customer.objects.filter(pk=older.pk).update(rate="1.00")
    assert set(history.as_of(older, timezone.now())) == {"rate"}
    specimen = Specimen.objects.create(char="c")
    state = history.as_of(specimen, timezone.now())
    assert (state["char"], state["uuid"]) == ("c", None)
    note = Note.objects.create(customer=customer, text="t")
    assert history.as_of(note, timezone.now()) == {"customer": customer.pk, "text": "t"}


def test_imported_history_is_history_too(db):
    start = datetime(2024, 3, 1, tzinfo=UTC)
    with history.paused(reason="before it was installed"):
        client = PastClient(name="Acme")
        client._history_date = start
        client.save()
        client.name, client._history_date = "Acme Ltd", start + timedelta(days=2)
        client.save()
    call_command(
        "history_import_simple_history", "past.client", stdout=io.StringIO(), stderr=io.StringIO()
    )
    assert history.as_of(client, start + timedelta(days=1))["name"] == "Acme"
    assert history.as_of(client, start + timedelta(days=3))["name"] == "Acme Ltd"
    assert history.as_of(client, start - timedelta(days=1)) is None


def test_a_foreign_key_that_holds_a_secret_is_as_secret_then(customer):
    one, other = (Pass.objects.create(customer=customer, code=code) for code in ("tok-1", "tok-2"))
    entrance = Entrance.objects.create(held=one, gate="north")
    Entrance.objects.update(held=other)
    _created, moved = entries(entrance)
    assert then(moved) == {"held": ("secret", "secret"), "gate": ("north", "north")}
    assert history.as_of(entrance, moved.timestamp) == {"gate": "north"}
