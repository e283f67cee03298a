"""The demo's data: eighteen months of work in a SQLite file, and the real time afterwards."""

import json
import os
import sqlite3
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from demo.clock import story_clock
from tests.example.conftest import CUSTOMERS
from tests.example.reading import read_changes

IS_ON_SQLITE = os.environ.get("DATABASE_URL", "sqlite").startswith("sqlite")


def system_time(folder):
    """Return the time of the system's clock, which the demo never changes."""
    file = folder / "touched"
    file.touch()
    return datetime.fromtimestamp(file.stat().st_mtime, tz=timezone.get_current_timezone())


class TestClock:
    @pytest.mark.skipif(not IS_ON_SQLITE, reason="the demo changes the clock on SQLite only")
    def test_log_covers_eighteen_months(self, environment, first_run):
        path = environment["DATABASE_URL"].removeprefix("sqlite:///")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            found = connection.execute(
                "SELECT min(timestamp), max(timestamp) FROM customer_history_entry"
                " WHERE subject_model = 'crm.customer'"
            ).fetchone()
        first, last = (datetime.fromisoformat(moment).date() for moment in found)
        assert 539 <= (timezone.now().date() - first).days <= 541
        assert (timezone.now().date() - last).days <= 1

    @pytest.mark.skipif(not IS_ON_SQLITE, reason="the demo changes the clock on SQLite only")
    def test_story_runs_in_the_past(self, tmp_path):
        with story_clock() as clock:
            clock.turn_to(days=540, hour=10, minute=12)
            story, real = timezone.localtime(), system_time(tmp_path)
        assert (story.hour, story.minute) == (10, 12)
        assert (real.date() - story.date()).days in (539, 540, 541)
        assert abs(timezone.now() - system_time(tmp_path)) < timedelta(minutes=5)

    @pytest.mark.skipif(not IS_ON_SQLITE, reason="the demo changes the clock on SQLite only")
    def test_failure_restores_the_clock(self, tmp_path):
        with pytest.raises(LookupError), story_clock() as clock:
            clock.turn_to(days=540, hour=10)
            raise LookupError
        assert abs(timezone.now() - system_time(tmp_path)) < timedelta(minutes=5)

    @pytest.mark.skipif(IS_ON_SQLITE, reason="the demo changes the clock on SQLite")
    def test_server_clock_does_not_change(self, tmp_path):
        with story_clock() as clock:
            clock.turn_to(days=540, hour=10)
            assert abs(timezone.now() - system_time(tmp_path)) < timedelta(minutes=5)
        assert (timezone.now() - clock.now).days in (539, 540)


@pytest.fixture(scope="module")
def arrivals(first_run, people):
    """The entries that created customers, newest first, as the administrator reads them."""
    query = "limit=200&entity=crm.customer&kind=create"
    return json.loads(people("admin").open(f"/api/history/?{query}").text)["results"]


def is_imported(entry):
    return (entry["reason"] or "").startswith("Import of leads-")


class TestImports:
    def test_imports_and_api_add_customers(self, first_run, arrivals):
        assert f"Customers: {CUSTOMERS}." in first_run
        made = [(one["user"]["name"], one["source"]["code"], is_imported(one)) for one in arrivals]
        assert made.count(("admin", "import", True)) == 3
        assert made.count(("integration", "api", False)) == 13

    def test_tab_starts_with_the_import(self, arrivals, manager):
        imported = next(entry["subject"] for entry in arrivals if is_imported(entry))
        changes = read_changes(manager.open(f"/lantern/customers/{imported['id']}/history"))
        assert changes[-1].without_ip_address()[:3] == ("admin", "Customer Created", "Customer")
        assert changes[-1].source == "Import"
