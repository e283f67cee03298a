"""Pages: by key, each entry exactly once, in both directions, bound to their question."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache

from django_customer_history.filters import Filters
from django_customer_history.models import Entry
from django_customer_history.timeline import Timeline
from tests.crm.models import Account, Customer, Note, Specimen
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


def fill(customer, count, *, has_changes=True):
    """Log so many entries of a customer, all of one moment."""
    Entry.objects.bulk_create(
        (
            Entry(
                timestamp=MOMENT,
                kind="update",
                action="Update",
                subject_model="crm.customer",
                subject_id=str(customer.pk),
                entity_model="crm.customer",
                entity_id=str(customer.pk),
                changes={"rate": [str(number), str(number + 1)]} if has_changes else {},
                source="web",
            )
            for number in range(count)
        ),
        batch_size=2_000,
    )


def walked(timeline, *, limit):
    """Return the keys of all pages in their order."""
    cursor, keys = None, []
    while True:
        page = timeline.page(cursor=cursor, limit=limit)
        keys += [entry.id for entry in page.entries]
        if page.older is None:
            return keys
        cursor = page.older


def test_a_hundred_thousand_entries_of_one_moment_come_back_each_once(customer, reader, user):
    fill(customer, 100_000, has_changes=False)
    timeline = Timeline.of_subject(user, Customer, customer.pk)
    cursor, keys, sizes = None, [], []
    while True:
        page = timeline.page(cursor=cursor, limit=200)
        keys += [entry.id for entry in page.entries]
        sizes.append(len(page.entries))
        if len(sizes) % 25 == 0:
            fill(customer, 3)  # They arrive meanwhile, of the very same moment.
        if page.older is None:
            break
        cursor = page.older
    assert sizes == [200] * 500 + [1]
    assert len(keys) == len(set(keys)) == 100_001
    assert keys == sorted(keys, reverse=True)
    assert timeline.queryset.count() == 100_001 + 20 * 3


def test_pages_hold_each_entry_once_also_while_new_ones_arrive(customer, reader, user):
    fill(customer, 1_001)
    timeline = Timeline.of_subject(user, Customer, customer.pk)
    cursor, keys = None, []
    while True:
        page = timeline.page(cursor=cursor, limit=200)
        keys += [entry.id for entry in page.entries]
        Note.objects.create(customer=customer, text="arrives meanwhile")
        if page.older is None:
            break
        cursor = page.older
    assert len(keys) == len(set(keys)) == 1_002
    assert keys == sorted(keys, reverse=True)


def test_one_can_page_back_to_the_head_and_sees_what_arrived(customer, reader):
    fill(customer, 6)
    address = f"/api/history/subjects/crm.customer/{customer.pk}/?limit=3"
    first = reader.get(address).json()
    assert first["previous"] is None
    second = reader.get(first["next"]).json()
    third = reader.get(second["next"]).json()
    assert [len(page["results"]) for page in (first, second, third)] == [3, 3, 1]
    assert third["next"] is None
    assert reader.get(third["previous"]).json()["results"] == second["results"]
    back = reader.get(second["previous"]).json()
    assert back["results"] == first["results"]
    assert back["previous"] is None
    Note.objects.create(customer=customer, text="new")
    arrived = reader.get(second["previous"]).json()
    assert arrived["results"] == first["results"]
    head = reader.get(arrived["previous"]).json()
    assert [entry["action"] for entry in head["results"]] == ["Create"]
    assert head["previous"] is None
    assert reader.get(head["next"]).json()["results"] == first["results"]


def test_a_page_beyond_the_head_is_empty_and_leads_back(customer, reader, user):
    fill(customer, 2)
    timeline = Timeline.of_subject(user, Customer, customer.pk)
    older = timeline.page(limit=2).older
    head = timeline.page(cursor=timeline.page(cursor=older, limit=2).newer, limit=2)
    assert head.newer is None
    assert len(head.entries) == 2


def test_a_cursor_belongs_to_its_filters(customer, reader, user):
    fill(customer, 3)
    address = f"/api/history/subjects/crm.customer/{customer.pk}/"
    link = reader.get(f"{address}?limit=1&kind=update&user=system").json()["next"]
    cursor = link.partition("cursor=")[2].partition("&")[0]
    same = reader.get(f"{address}?user=system&kind=update&limit=2&cursor={cursor}")
    assert len(same.json()["results"]) == 2
    for other in ("kind=update", "kind=create&user=system", ""):
        answer = reader.get(f"{address}?{other}&cursor={cursor}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["parameter"] == "cursor"
    elsewhere = reader.get(f"/api/history/?kind=update&user=system&cursor={cursor}")
    assert elsewhere.status_code == 400


@pytest.mark.parametrize(
    "cursor", ["", "x", "====", "a" * 36, base64.b64encode(b"o" * 27).decode()]
)
def test_what_is_no_cursor_is_refused(reader, cursor):
    answer = reader.get("/api/history/", {"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "", "abc", "٣", "9" * 30])
def test_the_size_of_a_page_has_bounds(reader, limit):
    answer = reader.get("/api/history/", {"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"parameter": "limit", "detail": "Give a whole number from 1 to 200."}
    ]


def test_a_client_that_has_the_head_gets_304_until_it_changes(customer, reader, user):
    address = f"/api/history/subjects/crm.customer/{customer.pk}/"
    answer = reader.get(address)
    etag = answer["ETag"]
    again = reader.get(address, headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""
    assert again["ETag"] == etag
    assert again["Cache-Control"] == "private, no-store"
    grant(user, "view_confidential_customer_ssn")
    unmasked = reader.get(address, headers={"If-None-Match": etag})
    assert unmasked.status_code == 200
    Customer.objects.update(name="Renamed")
    changed = reader.get(address, headers={"If-None-Match": unmasked["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != unmasked["ETag"]


def test_reading_is_throttled_where_the_host_names_a_rate(reader, customer, settings):
    cache.clear()
    address = f"/api/history/subjects/crm.customer/{customer.pk}/"
    rates = {"customer_history": "2/hour", "customer_history_export": "1/hour"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    assert [reader.get(address).status_code for _ in range(3)] == [200, 200, 429]
    answer = reader.get(address)
    assert answer["Content-Type"] == "application/problem+json"
    assert int(answer["Retry-After"]) > 0
    exports = [reader.get(f"{address}export/").status_code for _ in range(2)]
    assert exports == [200, 429]
    cache.clear()


@pytest.mark.parametrize("path", ["", "facets/", "export/", "entries/x/", "entries/x/reveal/"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_every_endpoint_is_read_only(reader, path, method):
    answer = getattr(reader, method)(f"/api/history/{path}")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "private, no-store"


def test_what_is_no_entry_is_not_found(reader):
    for key in ("x", "00000000-0000-0000-0000-000000000000"):
        for door in ("", "reveal/"):
            answer = reader.get(f"/api/history/entries/{key}/{door}")
            assert answer.status_code == 404
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == 404


def test_times_are_utc_and_values_are_typed(reader, user, log):
    grant(user, "view_account_history")
    account = Account.objects.create(label="a")
    Specimen.objects.create(
        account=account,
        boolean=True,
        big=2**53 + 1,
        decimal="1.50",
        date="2026-11-23",
        json={"a": [1, None]},
        duration=timedelta(hours=1),
    )
    entry = reader.get("/api/history/?entity=crm.specimen").json()["results"][0]
    told = {change["field"]: (change["type"], change["new"]) for change in entry["changes"]}
    assert told["boolean"] == ("boolean", True)
    assert told["big"] == ("number", 2**53 + 1)
    assert told["decimal"] == ("decimal", "1.50")
    assert told["date"] == ("date", "2026-11-23")
    assert told["json"] == ("json", {"a": [1, None]})
    assert told["duration"] == ("duration", "P0DT01H00M00S")
    assert entry["timestamp"].endswith("Z")


def test_a_deleted_related_record_keeps_the_last_name_that_the_log_knows(reader, customer):
    other = Customer.objects.create(name="First name")
    note = Note.objects.create(customer=other, text="t")
    Customer.objects.filter(pk=other.pk).update(name="Last name")
    Note.objects.filter(pk=note.pk).update(customer=customer)
    other.delete()
    found = reader.get("/api/history/?entity=crm.note&kind=update").json()["results"]
    change = next(one for one in found[0]["changes"] if one["field"] == "customer")
    assert change["type"] == "relation"
    assert change["old"] == other.pk or change["old"]
    assert (change["old_display"], change["new_display"]) == ("Last name", "Acme")


def test_a_python_caller_pages_over_filtered_entries(customer, reader, user):
    fill(customer, 5)
    timeline = Timeline.of_everything(user).filtered(Filters.of(kind="update"))
    assert len(walked(timeline, limit=2)) == 5
