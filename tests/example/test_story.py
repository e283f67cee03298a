"""The demo's seeding: eighteen months on its own SQLite file, real time again afterwards."""

import json
import os
import sqlite3
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from demo.clock import story_clock
from tests.example.conftest import CUSTOMERS
from tests.example.reading import lines_of

IS_ON_SQLITE = os.environ.get("DATABASE_URL", "sqlite").startswith("sqlite")


def kernels_time(folder):
    """Return the time by the clock of the system, which nobody shifts."""
    file = folder / "touched"
    file.touch()
    return datetime.fromtimestamp(file.stat().st_mtime, tz=timezone.get_current_timezone())


@pytest.mark.skipif(not IS_ON_SQLITE, reason="only the clock of the demo's own SQLite is shifted")
def test_the_log_tells_of_eighteen_months_up_to_today(environment, first_run):
    path = environment["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        told = connection.execute(
            "SELECT min(timestamp), max(timestamp) FROM customer_history_entry"
            " WHERE subject_model = 'crm.customer'"
        ).fetchone()
    first, last = (datetime.fromisoformat(moment).date() for moment in told)
    assert 539 <= (timezone.now().date() - first).days <= 541
    assert (timezone.now().date() - last).days <= 1


@pytest.mark.skipif(not IS_ON_SQLITE, reason="only the clock of the demo's own SQLite is shifted")
def test_the_clock_of_the_story_stands_in_the_past_and_time_is_real_again_afterwards(tmp_path):
    with story_clock() as clock:
        clock.turn_to(days=540, hour=10, minute=12)
        told, real = timezone.localtime(), kernels_time(tmp_path)
    assert (told.hour, told.minute) == (10, 12)
    assert (real.date() - told.date()).days in (539, 540, 541)
    assert abs(timezone.now() - kernels_time(tmp_path)) < timedelta(minutes=5)


@pytest.mark.skipif(not IS_ON_SQLITE, reason="only the clock of the demo's own SQLite is shifted")
def test_time_is_real_again_after_a_story_that_broke_off(tmp_path):
    with pytest.raises(LookupError), story_clock() as clock:
        clock.turn_to(days=540, hour=10)
        raise LookupError
    assert abs(timezone.now() - kernels_time(tmp_path)) < timedelta(minutes=5)


@pytest.mark.skipif(IS_ON_SQLITE, reason="SQLite's clock is shifted")
def test_the_clock_of_a_server_is_left_alone(tmp_path):
    with story_clock() as clock:
        clock.turn_to(days=540, hour=10)
        assert abs(timezone.now() - kernels_time(tmp_path)) < timedelta(minutes=5)
    assert (timezone.now() - clock.now).days in (539, 540)


@pytest.fixture(scope="module")
def arrivals(first_run, people):
    """The entries by which customers came, newest first, as the administrator reads them."""
    query = "limit=200&entity=crm.customer&kind=create"
    return json.loads(people("admin").open(f"/api/history/?{query}").text)["results"]


def is_of_the_crowd(entry):
    return (entry["reason"] or "").startswith("Import of leads-")


def test_more_customers_come_by_the_import_and_over_the_api(first_run, arrivals):
    assert f"Customers: {CUSTOMERS}." in first_run
    made = [(one["user"]["name"], one["source"]["code"], is_of_the_crowd(one)) for one in arrivals]
    assert made.count(("admin", "import", True)) == 3
    assert made.count(("integration", "api", False)) == 13


def test_a_customer_of_the_crowd_has_a_tab_that_begins_with_the_import(arrivals, manager):
    imported = next(entry["subject"] for entry in arrivals if is_of_the_crowd(entry))
    lines = lines_of(manager.open(f"/lantern/customers/{imported['id']}/history"))
    entity = f"Customer {imported['label']}"
    assert lines[-1].told()[:3] == ("admin", "Customer Created", entity)
    assert lines[-1].source == "Import"
