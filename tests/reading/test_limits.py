"""What one request costs at most, counted: permission checks, entries and statements."""

import pytest
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_customer_history.models import Entry
from django_customer_history.point_in_time import record as record_module
from django_customer_history.reading import query as entry_query
from django_customer_history.reading.query import CHUNK_TO_ASK, MOST_ASKED
from tests.projects.crm.models import Customer
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

DJANGO = "django.contrib.auth.backends.ModelBackend"
MOST_RECORDS = MOST_ASKED + 2 * CHUNK_TO_ASK
"""The last chunk can go beyond the number, and the records of the page are asked about."""


class CountingBackend(BaseBackend):
    """Denies the customers that are called "hidden", and keeps whom it was asked about."""

    asked = set()

    def has_perm(self, user_obj, perm, obj=None):
        if obj is not None:
            self.asked.add(obj.pk)
        if getattr(obj, "name", "") == "hidden":
            raise PermissionDenied
        return False


@pytest.fixture
def client(user, settings):
    settings.AUTHENTICATION_BACKENDS = [DJANGO, f"{__name__}.CountingBackend"]
    grant(user, "view_customer_history", "export_customer_history")
    client = Client()
    client.force_login(user, backend=DJANGO)
    return client


@pytest.fixture
def many(customer):
    """A visible customer, and a thousand newer ones that the reader may not know of."""
    Customer.objects.bulk_create(Customer(name="hidden") for _ in range(1_000))
    return customer


def asked_by(request):
    CountingBackend.asked.clear()
    answer = request()
    return answer, len(CountingBackend.asked)


QUERIES = ["", "q=active", "kind=create", "action=Create", "field=name"]


class TestObjectPermissions:
    @pytest.mark.parametrize("query", QUERIES)
    def test_pages_of_all_records(self, query, client, many):
        url, pages, found = f"/api/history/?{query}", 0, []
        while url:
            answer, count = asked_by(lambda url=url: client.get(url))
            assert count <= MOST_RECORDS
            page = answer.json()
            found += [entry["subject"]["label"] for entry in page["results"]]
            url, pages = page["next"], pages + 1
        assert found == ["Acme"]
        assert 3 <= pages <= 6

    @pytest.mark.parametrize("query", QUERIES)
    def test_statements_of_a_search(self, query, client, many):
        """Each chunk takes a statement for its entries, and one for the records of each model."""
        with CaptureQueriesContext(connection) as captured:
            page = client.get(f"/api/history/?{query}").json()
        assert page["results"] == []
        for table in ("customer_history_entry", "crm_customer"):
            read = f"FROM {connection.ops.quote_name(table)}"
            assert sum(read in one["sql"] for one in captured) <= 7

    def test_page_offers_to_search_on(self, client, user, many):
        user.is_staff = True
        user.save()
        answer, count = asked_by(lambda: client.get("/admin/customer_history/entry/?q=active"))
        assert count <= MOST_RECORDS
        text = answer.content.decode()
        assert "No changes found so far." in text
        assert "Search older changes" in text
        assert answer.context["history"].older_link

    def test_menus(self, client, many):
        answer, count = asked_by(lambda: client.get("/api/history/facets/"))
        assert count <= MOST_RECORDS
        assert answer.json()["complete"] is False

    def test_back_to_newer_pages(self, client, many):
        first = client.get("/api/history/?limit=1").json()
        second = client.get(first["next"]).json()
        back = client.get(second["previous"])
        assert back.status_code == 200
        assert back.json()["results"] == []

    def test_search_stops_without_new_records(self, client, many, monkeypatch):
        """All entries are of one record that was asked about once."""
        monkeypatch.setattr(entry_query, "MOST_SEARCHED", 300)
        hidden = Customer.objects.filter(name="hidden").latest("pk")
        for number in range(400):
            Customer.objects.filter(pk=hidden.pk).update(rate=number)
        page = client.get("/api/history/").json()
        assert page["results"] == []
        assert page["next"] is not None


class TestRecordAsOf:
    def test_reads_a_limited_number(self, reader, customer, monkeypatch):
        monkeypatch.setattr(record_module, "MOST_REPLAYED", 20)
        Entry.objects.bulk_create(
            Entry(
                timestamp=timezone.now(), kind="update", action="Update", source="web",
                subject_model="crm.customer", subject_id=str(customer.pk),
                entity_model="crm.customer", entity_id=str(customer.pk),
                changes={"rate": [str(number), str(number + 1)]},
            )
            for number in range(50)
        )  # fmt: skip
        newest = Entry.objects.latest("id")
        answer = reader.get(f"/api/history/entries/{newest.id}/record/").json()
        states = {one["field"]: one["after"]["state"] for one in answer["fields"]}
        assert (states["rate"], states["name"]) == ("value", "unknown")


class TestStatements:
    @pytest.mark.parametrize("count", [1, 60])
    def test_same_number_for_any_page(self, count, client, many):
        for number in range(count):
            Customer.objects.filter(pk=many.pk).update(rate=number + 1)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(f"/api/history/subjects/crm.customer/{many.pk}/")
        assert len(captured) <= 15
