"""Pages by key: each entry exactly once, in both directions, with cursors bound to a list."""

import base64
import hashlib
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import translation

from django_customer_history.models import Entry
from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.filters import Filters
from django_customer_history.reading.query import NEAR
from django_customer_history.reading.timeline import Timeline
from tests.factories import (
    MOMENT,
    count_index_reads,
    entry_key,
    log_100_000_updates,
    log_updates,
)
from tests.projects.crm.models import Account, Contract, Customer, Dealer, Note, Specimen
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db


def keys_of_all_pages(timeline, *, limit):
    """Follow the pages to the oldest one, and return the keys of their entries in order."""
    cursor, keys = None, []
    while True:
        page = timeline.page(cursor=cursor, limit=limit)
        keys += [entry.id for entry in page.entries]
        if page.older is None:
            return keys
        cursor = page.older


def add_entries(customer, *numbers):
    """Log entries of the same moment. Keys with odd numbers are between the existing keys."""
    record = {"subject_model": "crm.customer", "subject_id": str(customer.pk)}
    Entry.objects.bulk_create(
        Entry(
            id=entry_key(number), timestamp=MOMENT, kind="update", action="Update", source="web",
            entity_model="crm.customer", entity_id=str(customer.pk), **record,
        )
        for number in numbers
    )  # fmt: skip


class TestCursors:
    def test_are_bound_to_their_filters(self, customer, reader, user):
        log_updates(customer, 3)
        url = f"/api/history/subjects/crm.customer/{customer.pk}/"
        link = reader.get(f"{url}?limit=1&kind=update&user=system").json()["next"]
        cursor = link.partition("cursor=")[2].partition("&")[0]
        same = reader.get(f"{url}?user=system&kind=update&limit=2&cursor={cursor}")
        assert len(same.json()["results"]) == 2
        for other in ("kind=update", "kind=create&user=system", ""):
            answer = reader.get(f"{url}?{other}&cursor={cursor}")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["parameter"] == "cursor"
        elsewhere = reader.get(f"/api/history/?kind=update&user=system&cursor={cursor}")
        assert elsewhere.status_code == 400

    @pytest.mark.parametrize(
        "cursor", ["", "x", "====", "a" * 36, base64.b64encode(b"o" * 27).decode()]
    )
    def test_malformed_cursors_fail(self, reader, cursor):
        answer = reader.get("/api/history/", {"cursor": cursor})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["parameter"] == "cursor"

    def test_forged_cursors_fail(self, customer, reader, user):
        log_updates(customer, 3)
        timeline = Timeline.of_everything(user)
        for number in (0, 1, 2**128 - 1):
            for direction in (b"o", b"n"):
                content = direction + number.to_bytes(16, "big")
                digest = hashlib.sha256(timeline.question.encode()).digest()[:10]
                text = base64.urlsafe_b64encode(content + digest).decode()
                answer = reader.get("/api/history/", {"cursor": text})
                assert answer.status_code == 400
                assert answer.json()["errors"][0]["parameter"] == "cursor"

    @pytest.mark.parametrize("is_newer", [False, True])
    @pytest.mark.parametrize("number", [0, 2**128 - 1])
    def test_beyond_the_first_and_last_key(self, number, is_newer, customer, reader):
        cursor = Cursor(key=UUID(int=number), is_newer=is_newer).write(question="*?[]")
        page = reader.get("/api/history/", {"cursor": cursor})
        assert page.status_code == 200
        has_entries = is_newer == (number == 0)
        assert bool(page.json()["results"]) == has_entries
        for link in (page.json()["next"], page.json()["previous"]):
            assert link is None or reader.get(link).status_code == 200

    @pytest.mark.parametrize("entry", [UUID(int=0), UUID(int=2**128 - 1)])
    def test_permalink_to_an_extreme_key(self, entry, customer, reader):
        answer = reader.get(f"/customers/{customer.pk}/history/", {"entry": str(entry)})
        assert answer.status_code == 404

    def test_survive_a_new_secret_key(self, customer, reader, settings):
        log_updates(customer, 3)
        link = reader.get("/api/history/?limit=1").json()["next"]
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
        reader.force_login(get_user_model().objects.get(username="ann"))
        assert reader.get(link).status_code == 200
        settings.SECRET_KEY_FALLBACKS = []
        reader.force_login(get_user_model().objects.get(username="ann"))
        assert reader.get(link).status_code == 400


WRONG_LIMITS = ["0", "201", "-1", "1.5", "", "abc", "٣", "9" * 30, "0" * 8 + "1000", "0" * 9 + "50"]


class TestConditionalRequests:
    def test_not_modified_until_a_change(self, customer, reader, user):
        url = f"/api/history/subjects/crm.customer/{customer.pk}/"
        answer = reader.get(url)
        etag = answer["ETag"]
        again = reader.get(url, headers={"If-None-Match": etag})
        assert again.status_code == 304
        assert again.content == b""
        assert again["ETag"] == etag
        assert again["Cache-Control"] == "private, no-store"
        grant(user, "view_confidential_customer_ssn")
        unmasked = reader.get(url, headers={"If-None-Match": etag})
        assert unmasked.status_code == 200
        Customer.objects.update(name="Renamed")
        changed = reader.get(url, headers={"If-None-Match": unmasked["ETag"]})
        assert changed.status_code == 200
        assert changed["ETag"] != unmasked["ETag"]

    def test_if_match_fails_after_a_change(self, customer, reader):
        url = f"/api/history/subjects/crm.customer/{customer.pk}/"
        etag = reader.get(url)["ETag"]
        for wanted in (etag, f'"x", {etag}', "*"):
            assert reader.get(url, headers={"If-Match": wanted}).status_code == 200
        Customer.objects.update(name="Renamed")
        answer = reader.get(url, headers={"If-Match": etag})
        assert answer.status_code == 412
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["title"] == "Precondition Failed"
        weak = reader.get(url)["ETag"]
        assert reader.get(url, headers={"If-None-Match": f"W/{weak}"}).status_code == 304
        assert reader.get(url, headers={"If-None-Match": "*"}).status_code == 304


class TestThrottling:
    def test_uses_the_rates_of_the_project(self, reader, customer, settings):
        cache.clear()
        url = f"/api/history/subjects/crm.customer/{customer.pk}/"
        rates = {"customer_history": "2/hour", "customer_history_export": "1/hour"}
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
        assert [reader.get(url).status_code for _ in range(3)] == [200, 200, 429]
        answer = reader.get(url)
        assert answer["Content-Type"] == "application/problem+json"
        assert int(answer["Retry-After"]) > 0
        exports = [reader.get(f"{url}export/").status_code for _ in range(2)]
        assert exports == [200, 429]
        cache.clear()

    @pytest.mark.parametrize(
        "route",
        [
            "get ",
            "get facets/",
            "get entries/{}/",
            "get entries/{}/record/",
            "post entries/{}/reveal/",
        ],
    )
    def test_every_endpoint_is_throttled(self, route, reader, user, customer, settings):
        cache.clear()
        grant(user, "view_confidential_customer_ssn")
        entry = Entry.objects.get(kind="create", entity_model="crm.customer").id
        settings.REST_FRAMEWORK = {
            **settings.REST_FRAMEWORK,
            "DEFAULT_THROTTLE_RATES": {"customer_history": "2/hour"},
        }
        method, path = route.split(" ")
        url = f"/api/history/{path.format(entry)}"
        answers = [getattr(reader, method)(url) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2]["Content-Type"] == "application/problem+json"
        cache.clear()


PATHS = [
    "",
    "facets/",
    "export/",
    "subjects/crm.customer/1/",
    "subjects/crm.customer/1/facets/",
    "subjects/crm.customer/1/export/",
    "entries/x/",
    "entries/x/record/",
]


class TestErrors:
    @pytest.mark.parametrize("limit", WRONG_LIMITS)
    def test_page_size_has_bounds(self, reader, limit):
        answer = reader.get("/api/history/", {"limit": limit})
        assert answer.status_code == 400
        assert answer.json()["errors"] == [
            {"parameter": "limit", "detail": "Give a whole number from 1 to 200."}
        ]

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace"])
    def test_every_endpoint_is_read_only(self, reader, user, path, method):
        strict = Client(enforce_csrf_checks=True)  # A browser that sends no token.
        strict.force_login(user)
        for client in (reader, strict, Client()):
            answer = getattr(client, method)(f"/api/history/{path}")
            assert answer.status_code == 405
            assert answer["Allow"] == "GET, HEAD, OPTIONS"
            assert answer["Content-Type"] == "application/problem+json"
            assert answer["Cache-Control"] == "private, no-store"

    def test_unknown_entry_is_not_found(self, reader):
        for key in ("x", "00000000-0000-0000-0000-000000000000"):
            for path in ("", "record/"):
                answer = reader.get(f"/api/history/entries/{key}/{path}")
                assert answer.status_code == 404
                assert answer["Content-Type"] == "application/problem+json"
                assert answer.json()["status"] == 404


class TestValues:
    def test_utc_times_and_typed_values(self, reader, user, log):
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
        values = {change["field"]: (change["type"], change["new"]) for change in entry["changes"]}
        assert values["boolean"] == ("boolean", True)
        assert values["big"] == ("number", 2**53 + 1)
        assert values["decimal"] == ("decimal", "1.50")
        assert values["date"] == ("date", "2026-11-23")
        assert values["json"] == ("json", {"a": [1, None]})
        assert values["duration"] == ("duration", "P0DT01H00M00S")
        assert entry["timestamp"].endswith("Z")

    def test_values_and_display_texts(self, reader, user, customer):
        grant(user, "view_dealer_history")
        dealer = Dealer.objects.create(name="Dealer")
        Contract.objects.create(dealer=dealer, scan="scans/2026/contract 7.pdf")
        Customer.objects.filter(pk=customer.pk).update(rate="1200.50", status="canceled")
        values = {
            (change["field"], change["type"]): (change["new"], change["new_display"])
            for entry in reader.get("/api/history/").json()["results"][:2]
            for change in entry["changes"]
        }
        assert values["scan", "file"] == ("scans/2026/contract 7.pdf", "contract 7.pdf")
        assert values["dealer", "relation"] == (dealer.pk, "Dealer")
        assert values["rate", "decimal"] == ("1200.50", "1,200.50")
        assert values["status", "choice"] == ("canceled", "Canceled")
        with translation.override("de"):
            german = reader.get("/api/history/?field=rate&kind=update").json()["results"][0]
        rate = next(one for one in german["changes"] if one["field"] == "rate")
        assert (rate["new"], rate["new_display"]) == ("1200.50", "1.200,50")

    def test_last_label_of_a_deleted_record(self, reader, customer):
        other = Customer.objects.create(name="First name")
        note = Note.objects.create(customer=other, text="t")
        Customer.objects.filter(pk=other.pk).update(name="Last name")
        Note.objects.filter(pk=note.pk).update(customer=customer)
        key = other.pk
        other.delete()
        found = reader.get("/api/history/?entity=crm.note&kind=update").json()["results"]
        change = next(one for one in found[0]["changes"] if one["field"] == "customer")
        assert change["type"] == "relation"
        assert (change["old"], change["new"]) == (key, customer.pk)
        assert (change["old_display"], change["new_display"]) == ("Last name", "Acme")


class TestPages:
    @pytest.mark.slow
    def test_many_entries_of_one_moment(self, customer, reader, user):
        log_100_000_updates(customer)
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        assert timeline.queryset.filter(timestamp=MOMENT).count() == 100_000
        keys, older, page = [], [], timeline.page(limit=200)
        while True:
            keys += [entry.id for entry in page.entries]
            if page.older is None:
                break
            if len(keys) % 5_000 == 0:
                position = keys[-1].int - entry_key(0).int
                # Newer than the current position, older, and newer than all existing entries.
                add_entries(customer, position + 1, position - 3, 300_000 + position)
                older.append(entry_key(position - 3))
            page = timeline.page(cursor=page.older, limit=200)
        seen = set(keys)
        assert len(keys) == len(seen)
        assert keys == sorted(keys, reverse=True)
        assert len(older) == 20
        created = Entry.objects.get(kind="create", entity_model="crm.customer").id
        assert seen == {created, *older, *(entry_key(2 * number) for number in range(1, 100_001))}

    @pytest.mark.slow
    @pytest.mark.skipif(connection.vendor != "mysql", reason="only MariaDB and MySQL need a hint")
    @pytest.mark.parametrize("filters", [{}, {"kind": "update"}, {"entity": "crm.customer"}])
    def test_hint_seeks_in_the_index(self, filters, customer, reader, user):
        log_100_000_updates(customer)
        timeline = Timeline.of_subject(user, Customer, customer.pk).filtered(**filters)
        for number in (10_000, 100_000, 190_000):
            for is_newer in (False, True):
                position = Cursor(key=entry_key(number), is_newer=is_newer)
                cursor = position.write(question=timeline.question)
                before = count_index_reads()
                assert len(timeline.page(cursor=cursor, limit=50).entries) == 50
                # With filters, it first looks how far the nearest entries of the log reach.
                searched = NEAR if filters else 0
                assert count_index_reads() - before < searched + 300

    def test_new_entries_while_paging(self, customer, reader, user):
        log_updates(customer, 1_001)
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        cursor, keys = None, []
        while True:
            page = timeline.page(cursor=cursor, limit=200)
            keys += [entry.id for entry in page.entries]
            Note.objects.create(customer=customer, text="added while paging")
            if page.older is None:
                break
            cursor = page.older
        assert len(keys) == len(set(keys)) == 1_002
        assert keys == sorted(keys, reverse=True)

    def test_back_to_the_newest_entries(self, customer, reader):
        log_updates(customer, 6)
        url = f"/api/history/subjects/crm.customer/{customer.pk}/?limit=3"
        first = reader.get(url).json()
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
        newer = reader.get(second["previous"]).json()
        assert newer["results"] == first["results"]
        newest = reader.get(newer["previous"]).json()
        assert [entry["action"] for entry in newest["results"]] == ["Create"]
        assert newest["previous"] is None
        assert reader.get(newest["next"]).json()["results"] == first["results"]

    def test_no_page_before_the_newest(self, customer, reader, user):
        log_updates(customer, 2)
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        older = timeline.page(limit=2).older
        newest = timeline.page(cursor=timeline.page(cursor=older, limit=2).newer, limit=2)
        assert newest.newer is None
        assert len(newest.entries) == 2

    def test_pages_of_filtered_entries(self, customer, reader, user):
        log_updates(customer, 5)
        timeline = Timeline.of_everything(user).filtered(Filters.of(kind="update"))
        assert len(keys_of_all_pages(timeline, limit=2)) == 5
