"""A search or a menu reads a limited number of entries, however long the log is."""

import pytest
from django.db import connection

from django_customer_history.models import Entry
from django_customer_history.reading import query as entry_query
from django_customer_history.reading.query import MOST_SEARCHED
from tests.factories import MOMENT, count_index_reads, entry_key, log_100_000_updates
from tests.projects.crm.models import Note

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.urls("tests.reading.urls"),
]

ENOUGH = 4 * MOST_SEARCHED
"""The search reads the entries once to find its limit, and once more to check each of them."""


@pytest.fixture
def count_read(settings):
    """Return a function that counts the entries that the database has read for this connection."""
    if connection.vendor == "sqlite":
        # The limit of time takes the place of the handler that counts.
        settings.CUSTOMER_HISTORY = {**settings.CUSTOMER_HISTORY, "READING_TIME_LIMIT": 0}
        yield from instructions_run()
    else:
        yield {"postgresql": tuples_read, "mysql": count_index_reads}[connection.vendor]


STEPS = 80
"""Instructions of SQLite's virtual machine for reading one entry: an upper limit."""


def instructions_run():
    count = 0

    def count_call():
        nonlocal count
        count += 1

    connection.ensure_connection()
    connection.connection.set_progress_handler(count_call, STEPS)
    yield lambda: count
    connection.connection.set_progress_handler(None, 0)


def tuples_read():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
            " WHERE relname LIKE 'customer\\_history\\_entry%%'"
        )
        return int(cursor.fetchone()[0])


@pytest.fixture
def long_history(customer, reader):
    """A history of a hundred thousand entries; only the oldest contains a certain word."""
    log_100_000_updates(customer)
    Entry.objects.create(
        id=entry_key(0), timestamp=MOMENT, kind="update", action="Update", source="web",
        subject_model="crm.customer", subject_id=str(customer.pk), entity_model="crm.customer",
        entity_id=str(customer.pk), changes={"name": ["Oldest", "Acme"]},
    )  # fmt: skip
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customer_history_entry")
    return customer


URLS = [
    "/api/history/",
    "/api/history/subjects/crm.customer/{}/",
    "/project/customers/{}/history/",
]


class TestSearch:
    @pytest.mark.parametrize("url", URLS)
    def test_continues_on_the_next_page(self, url, reader, long_history, count_read):
        link, pages, found = f"{url.format(long_history.pk)}?q=Oldest", 0, []
        while link:
            before = count_read()
            page = reader.get(link).json()
            assert count_read() - before < ENOUGH, pages
            found += [entry["kind"] for entry in page["results"]]
            link, pages, last = page["next"], pages + 1, link
        assert found == ["update"]
        assert pages == 11
        newer = reader.get(reader.get(last).json()["previous"])
        assert newer.status_code == 200
        assert newer.json()["results"] == []
        assert newer.json()["previous"] is not None

    def test_stops_at_a_full_page(self, reader, long_history, count_read):
        for number in range(30):
            Note.objects.create(customer=long_history, text=f"needle {number}")
        before = count_read()
        page = reader.get("/api/history/?q=needle&limit=20").json()
        assert len(page["results"]) == 20
        assert count_read() - before < ENOUGH
        second = reader.get(page["next"]).json()
        assert len(second["results"]) == 10

    def test_an_empty_page_has_a_next_link(self, reader, long_history):
        answer = reader.get(f"/customers/{long_history.pk}/history/?q=Oldest")
        assert answer.context["page"].entries == ()
        assert answer.context["history"].older_link
        assert answer.context["history"].older_link.replace("&", "&amp;") in answer.content.decode()

    @pytest.mark.parametrize("query", ["source=import", "ip_address=198.51.100.77", "field=name"])
    def test_a_filter_without_an_index(self, query, reader, long_history, count_read, monkeypatch):
        monkeypatch.setattr(entry_query, "NEAR", 1_000)
        monkeypatch.setattr(entry_query, "FAR", 5_000)
        Entry.objects.create(
            id=entry_key(1), timestamp=MOMENT, kind="update", action="Update", source="import",
            subject_model="crm.customer", subject_id="1",
            entity_model="crm.customer", entity_id="1",
            ip_address="198.51.100.77", changes={"name": ["Second", "Acme"]},
        )  # fmt: skip
        link, found, pages = f"/api/history/?{query}", [], 0
        while link:
            before = count_read()
            page = reader.get(link).json()
            if connection.vendor == "sqlite":
                # Servers may read a log as short as this completely; `benchmarks.growth` fails
                # if they do so with a long one.
                assert count_read() - before < 60_000
            found += [change["old"] for entry in page["results"] for change in entry["changes"]]
            link, pages = page["next"], pages + 1
        assert "Second" in found
        assert pages == 21

    @pytest.mark.parametrize("query", ["field=note", "kind=delete", "source=import", "q=nothing"])
    def test_filters_within_one_record(self, query, reader, long_history, count_read, monkeypatch):
        monkeypatch.setattr(entry_query, "NEAR", 1_000)
        monkeypatch.setattr(entry_query, "FAR", 5_000)
        before = count_read()
        page = reader.get(f"{URLS[1].format(long_history.pk)}?{query}").json()
        assert (page["results"], page["next"] is None) == ([], False)
        if connection.vendor == "sqlite":
            assert count_read() - before < 60_000


class TestMenus:
    @pytest.mark.parametrize("url", ["/api/history/facets/", f"{URLS[1]}facets/"])
    @pytest.mark.parametrize(
        "query", ["field=note", "action=Ticket Closed", "kind=delete", "-kind=update&-kind=create"]
    )
    def test_read_the_newest_entries(self, url, query, reader, long_history, count_read):
        before = count_read()
        facets = reader.get(f"{url.format(long_history.pk)}?{query}").json()
        assert count_read() - before < ENOUGH
        assert (facets["complete"], facets["kinds"]) == (False, [])

    def test_are_complete_with_an_index(self, reader, user, long_history):
        facets = reader.get("/api/history/facets/?entity=crm.customer:0").json()
        assert (facets["complete"], facets["kinds"]) == (True, [])
        Note.objects.create(customer=long_history, text="t")
        note = Entry.objects.get(entity_model="crm.note")
        facets = reader.get(f"/api/history/facets/?entity=crm.note:{note.entity_id}").json()
        assert (facets["complete"], facets["actions"]) == (
            True,
            [{"value": "Create", "label": "Create"}],
        )
