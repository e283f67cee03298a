"""The dates above the log in the admin: ranges of keys from the first to the last entry."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from django_customer_history.keys import (
    microseconds_of,
    uuid_at,
)
from django_customer_history.models import Entry
from django_customer_history.tab.calendar import build_calendar
from django_customer_history.tab.query import TabQuery
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

URL = "/admin/customer_history/entry/"


@pytest.fixture
def staff(reader, user):
    user.is_staff = True
    user.save()
    grant(user, "view_entry")
    return reader


@pytest.fixture
def log():
    """Return a function that logs events at given moments in an empty log."""

    def log_events(*moments):
        Entry.objects.bulk_create(
            Entry(
                id=uuid_at(microseconds_of(moment)),
                timestamp=moment,
                kind="event",
                action=f"Event of {moment:%Y-%m-%d}",
                subject_model="crm.customer",
                subject_id="1",
                entity_model="crm.customer",
                entity_id="1",
                source="system",
                changes={},
            )
            for moment in moments
        )

    return log_events


def at(*numbers):
    return datetime(*numbers, tzinfo=UTC)


def calendar_at(client, query=""):
    return client.get(f"{URL}{query}").context["calendar"]


def names(links):
    return [link.name for link in links]


def today():
    return datetime.now(UTC)


class TestLinks:
    def test_from_years_to_days_and_back(self, staff, log):
        log(at(2024, 11, 3, 12), at(2024, 12, 31, 23, 30))
        top = calendar_at(staff)
        assert (top.wider, top.current) == ((), None)
        assert names(top.narrower) == [str(year) for year in range(2024, today().year + 1)]
        year = calendar_at(staff, top.narrower[0].link)
        assert (names(year.wider), year.current) == (["All dates"], "2024")
        assert names(year.narrower) == ["November 2024", "December 2024"]
        month = calendar_at(staff, year.narrower[0].link)
        assert (names(month.wider), month.current) == (["All dates", "2024"], "November 2024")
        assert names(month.narrower) == [f"November {day}" for day in range(3, 31)]
        answer = staff.get(f"{URL}{month.narrower[0].link}")
        day = answer.context["calendar"]
        assert (names(day.wider), day.current) == (
            ["All dates", "2024", "November 2024"],
            "November 3",
        )
        assert day.narrower == ()
        assert [entry.action for entry in answer.context["page"].entries] == ["Event of 2024-11-03"]
        assert day.wider[0].link == "?"

    def test_days_are_in_the_readers_zone(self, staff, log, settings):
        settings.CUSTOMER_HISTORY = {"READER_TIME_ZONE": lambda user: "Asia/Tokyo"}
        log(at(2023, 12, 31, 23, 30))
        assert names(calendar_at(staff).narrower)[0] == "2024"

    def test_single_part_shows_its_parts(self, staff, customer):
        now = today()
        parts = names(calendar_at(staff, f"?from={now.year}-01-01&to={now.year}-12-31").narrower)
        assert parts == [f"{now:%B} {now.day}"]
        assert names(calendar_at(staff).narrower) == parts

    def test_other_filters_are_kept(self, staff, log):
        log(at(2024, 11, 3))
        assert calendar_at(staff, "?kind=event").narrower[0].link == (
            "?kind=event&from=2024-01-01&to=2024-12-31"
        )
        for query in (
            "?from=2024-11-03",
            "?from=2024-11-03&to=2024-11-05",
            "?from=2024-11-03T10:00Z",
        ):
            assert calendar_at(staff, query).current is None


class TestWithoutDates:
    def test_range_outside_of_the_log(self, staff, customer):
        calendar = calendar_at(staff, "?from=2019-01-01&to=2019-12-31")
        assert (calendar.current, calendar.narrower) == ("2019", ())

    @pytest.mark.parametrize("query", ["?acton=x", "?from=2026-13-45&to=2026-13-45"])
    def test_no_calendar_for_wrong_filters(self, staff, customer, query):
        assert calendar_at(staff, query) is None

    def test_no_calendar_for_an_empty_log(self):
        assert build_calendar(TabQuery.read(QueryDict()), Entry.objects.none(), zone=UTC) is None


class TestQueries:
    def test_do_not_count_entries(self, staff, customer):
        for query in ("", f"?from={today().year}-01-01&to={today().year}-12-31", "?filter=open"):
            with CaptureQueriesContext(connection) as captured:
                assert staff.get(f"{URL}{query}").status_code == 200
            statements = " ".join(one["sql"] for one in captured).upper()
            assert "COUNT(" not in statements
            assert "TRUNC" not in statements
