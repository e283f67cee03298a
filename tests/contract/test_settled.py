"""The settled order: nothing is skipped, nothing comes twice, whoever commits last."""

import time
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction

from django_customer_history import health
from django_customer_history.backends import settling_of
from django_customer_history.capture.checks import check_triggers
from django_customer_history.capture.lag import SettledLag
from django_customer_history.exceptions import NotSettledError
from django_customer_history.models import Entry
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Tag
from tests.writers import writing

pytestmark = pytest.mark.django_db(transaction=True)

FEW_SECONDS = 5.0
IN_THE_MAKING = 0.51
"""In seconds: on MariaDB and MySQL the newest keys wait for half a second."""

CACHE_OF_INNODB = 0.12
"""In seconds: MariaDB and MySQL keep the list of transactions for 0.1 seconds after a look."""
WRITERS = 16
ATTEMPTS = 30
"""Others use the same server, which hides the loss at times."""


@pytest.fixture
def timeline(db):
    return Timeline.of_everything(get_user_model()(is_superuser=True, is_active=True))


@pytest.fixture
def start(timeline):
    """The position behind everything that is in the log now."""
    return timeline.feed(limit=200, patience=FEW_SECONDS).position


@contextmanager
def open_transaction(name):
    """Write a tag in a transaction of another session, which is open in the block."""
    own, other = connections["default"], connection.copy()
    try:
        connections["default"] = other
        try:
            other.set_autocommit(False)
            Tag.objects.create(name=name)
        finally:
            connections["default"] = own
        yield other
    finally:
        other.close()


def names(page):
    return [
        change.new for entry in page.entries for change in entry.changes if change.field == "name"
    ]


needs_two_writers = pytest.mark.skipif(
    "connection.vendor == 'sqlite'", reason="SQLite has one writer at a time."
)


class TestOrder:
    def test_oldest_first(self, timeline, start):
        for name in "abc":
            Tag.objects.create(name=name)
        page = timeline.feed(after=start, patience=FEW_SECONDS)
        assert names(page) == ["a", "b", "c"]
        assert not page.has_more
        again = timeline.feed(after=page.position, patience=FEW_SECONDS)
        assert (again.entries, again.position >= page.position) == ((), True)

    def test_pages(self, timeline, start):
        for name in "abcde":
            Tag.objects.create(name=name)
        found, position, has_more = [], start, True
        while has_more:
            page = timeline.feed(after=position, limit=2, patience=FEW_SECONDS)
            found += names(page)
            position, has_more = page.position, page.has_more
        assert found == ["a", "b", "c", "d", "e"]

    def test_filters(self, timeline, start):
        Tag.objects.create(name="a").delete()
        page = timeline.filtered(kind="delete").feed(after=start, patience=FEW_SECONDS)
        assert [entry.kind for entry in page.entries] == ["delete"]

    def test_empty_log(self, timeline, start):
        page = timeline.feed(after=start, patience=FEW_SECONDS)
        assert page.entries == ()
        assert page.position >= start


@needs_two_writers
class TestOpenTransactions:
    @pytest.mark.parametrize(
        ("end", "expected"), [("commit", ["slow", "quick"]), ("rollback", ["quick"])]
    )
    def test_later_entries_wait(self, timeline, start, end, expected):
        with open_transaction("slow") as other:
            Tag.objects.create(name="quick")
            before = timeline.feed(after=start, patience=0.2)
            getattr(other, end)()
        time.sleep(IN_THE_MAKING)
        after = timeline.feed(after=before.position, patience=FEW_SECONDS)
        assert names(before) == []
        assert names(after) == expected

    def test_entries_before_it_do_not_wait(self, timeline, start):
        Tag.objects.create(name="before")
        time.sleep(IN_THE_MAKING)
        timeline.feed(after=start, patience=FEW_SECONDS)
        with open_transaction("slow"):
            assert names(timeline.feed(after=start, patience=0.2)) == ["before"]

    def test_from_within_a_transaction(self, timeline, start):
        Tag.objects.create(name="a")
        time.sleep(IN_THE_MAKING)
        with transaction.atomic():
            assert names(timeline.feed(after=start, patience=FEW_SECONDS)) == ["a"]

    def test_open_transaction_is_named(self, timeline, start):
        with open_transaction("slow"):
            (found,) = settling_of(connection).open_transactions(connection)
        assert found.seconds >= 0
        assert found.session


def asked(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


@needs_two_writers
class TestRulesThatLoseEntries:
    """They look right. If one of these tests fails, a simpler rule may do."""

    def test_keys_above_the_last_one(self, timeline, start):
        with open_transaction("slow") as other:
            Tag.objects.create(name="quick")
            last = Entry.objects.latest("id").id
            other.commit()
        found = Entry.objects.filter(id__gt=last)
        assert "slow" not in str([entry.changes for entry in found])

    def test_last_seconds_again(self, timeline, start):
        seconds = 0.3
        with open_transaction("slow") as other:
            time.sleep(seconds)
            Tag.objects.create(name="quick")
            last = Entry.objects.latest("id")
            other.commit()
        since = last.timestamp - timedelta(seconds=seconds)
        found = Entry.objects.filter(timestamp__gte=since)
        assert "slow" not in str([entry.changes for entry in found])

    def test_xip_of_the_snapshot(self, timeline, start):
        if connection.vendor != "postgresql":
            pytest.skip("about PostgreSQL")
        # It has no transaction whose id is newer than the last one that is over.
        assert any(map(self.is_missing_in_xip, range(ATTEMPTS)))

    def is_missing_in_xip(self, number):
        with open_transaction(f"open {number}") as other:
            running = asked("SELECT pg_snapshot_xip(pg_current_snapshot())::text")
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()::text")
                return cursor.fetchone() not in running

    def test_transactions_of_innodb(self, timeline, start):
        if connection.vendor != "mysql":
            pytest.skip("about MariaDB and MySQL")
        # The server keeps the table for 0.1 seconds.
        assert any(map(self.is_missing_in_innodb_trx, range(ATTEMPTS)))

    def is_missing_in_innodb_trx(self, number):
        open_now = "SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX"
        asked(open_now)
        with open_transaction(f"open {number}") as other:
            running = asked(open_now)
            return (other.connection.thread_id(),) not in running


@needs_two_writers
class TestLag:
    def test_nothing_open(self, timeline, start):
        time.sleep(CACHE_OF_INNODB)
        assert health.settled_lag() == SettledLag(seconds=0.0)

    def test_who_holds_it_back(self, timeline, start):
        time.sleep(CACHE_OF_INNODB)
        with open_transaction("slow"):
            time.sleep(0.1)
            lag = health.settled_lag()
        (found,) = lag.transactions
        assert lag.seconds == found.seconds
        assert found.session.isdigit()

    @pytest.mark.parametrize(("limit", "expected"), [(0, 1), (600, 0)])
    def test_problem_after_the_limit(self, timeline, start, settings, limit, expected):
        settings.CUSTOMER_HISTORY = {"SETTLED_LAG_LIMIT": limit}
        time.sleep(CACHE_OF_INNODB)
        with open_transaction("slow"):
            time.sleep(0.01)
            (session,) = [one.session for one in health.settled_lag().transactions]
            found = [one for one in health.problems() if "the feed" in one]
            checked = [one.id for one in check_triggers(["default"])]
        assert len(found) == expected
        assert all(f"the transaction of session {session} " in one for one in found)
        assert checked.count("customer_history.W041") == expected


class TestClock:
    def test_set_back(self, timeline, start):
        if connection.vendor == "sqlite":
            pytest.skip("SQLite takes the order from its lock, not from a clock.")
        ahead = UUID(int=start.int + (60_000 << 80))
        with pytest.raises(NotSettledError, match=r"was set back by \d+\.\d+ seconds"):
            timeline.feed(after=ahead)


@needs_two_writers
class TestManyWriters:
    def test_nothing_is_skipped(self, timeline, start):
        found, position = [], start
        with writing(WRITERS, longest=0.02):
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                page = timeline.feed(after=position, limit=100, patience=0.1)
                found += [entry.id for entry in page.entries]
                position = page.position
        time.sleep(IN_THE_MAKING)
        page = timeline.feed(after=position, limit=200_000, patience=FEW_SECONDS)
        found += [entry.id for entry in page.entries]
        expected = list(
            Entry.objects.filter(id__gt=start).order_by("id").values_list("id", flat=True)
        )
        assert found == expected
        assert len(expected) > 20
