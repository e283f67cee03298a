"""Clocks: one for all entries, and what is said if it was set back."""

import io
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection

from django_customer_history import health, history
from django_customer_history.capture.checks import check_triggers
from django_customer_history.capture.clock import clock_problem
from django_customer_history.keys import microseconds_in, uuid_at
from django_customer_history.models import Entry
from django_customer_history.testing import capture_entries
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[-10, 10], ids=["behind", "ahead"])
def application_clock(request):
    """Set the clock of the application, and not that of the database."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has the clock of the application")
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=request.param)):
        yield


@pytest.mark.usefixtures("application_clock")
class TestWrongApplicationClock:
    def test_events_are_in_order(self, log):
        customer = Customer.objects.create(name="New")
        event = history.record("Called", subject=customer)
        customer.delete()
        with history.paused(reason="a sync"):
            pass
        written = log.entries()
        assert [entry.action for entry in written] == [
            "Create",
            "Called",
            "Delete",
            "History Paused",
            "History Resumed",
        ]
        times = [entry.timestamp for entry in written]
        assert times == sorted(times)
        assert times[-1] - times[0] < timedelta(minutes=1)
        assert (event.id, event.timestamp) == (written[1].id, written[1].timestamp)

    def test_export_has_all_before_it(self, customer, log):
        Customer.objects.update(name="Acme Ltd")
        out = io.StringIO()
        call_command("history_export", f"crm.customer:{customer.pk}", stdout=out)
        Customer.objects.update(name="Acme Inc")
        assert [entry.action for entry in log.entries()] == ["Update", "History Exported", "Update"]
        assert "Acme Ltd" in out.getvalue()
        assert "Acme Inc" not in out.getvalue()

    def test_baselines_are_in_order(self, log):
        history_off = Customer.objects.create(name="Old")
        with capture_entries() as captured:
            call_command("history_baseline", verbosity=0, stdout=io.StringIO())
            history_off.delete()
        times = [entry.timestamp for entry in captured.entries]
        assert times == sorted(times)
        assert captured.actions[-1] == "Delete"


class TestClockSetBack:
    def future_entry(self):
        moment = datetime.now(UTC) + timedelta(hours=1)
        Entry.objects.create(
            id=uuid_at(int(moment.timestamp() * 1_000_000)),
            timestamp=moment,
            kind="event",
            action="Later",
            entity_model="crm.customer",
            entity_id="1",
            source="system",
            changes={},
        )

    def test_newest_entry_is_of_the_future(self, customer):
        assert clock_problem(connection) is None
        self.future_entry()
        problem = clock_problem(connection)
        assert problem.startswith("the newest entry is 0:59:5")
        # A second may have passed.
        _, separator, until = problem.partition(" ahead of the clock")
        assert [one for one in health.problems() if one.endswith(separator + until)]
        assert "customer_history.W040" in [one.id for one in check_triggers(["default"])]

    def test_time_in_a_key(self):
        for microsecond in (0, 1, 999, 1_000_001, 1_795_000_000_123_456):
            assert microseconds_in(uuid_at(microsecond)) == microsecond
