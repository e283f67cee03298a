"""Runs: many edits of one field within minutes are one line that opens."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from django_customer_history.models import Entry
from tests.reading.conftest import grant
from tests.reading.tabs import shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def edit(customer, minute, old, new, *, field="name", **others):
    """Log an edit at so many minutes after noon."""
    values = {
        "timestamp": NOON + timedelta(minutes=minute),
        "kind": "update",
        "action": "Update",
        "subject_model": "crm.customer",
        "subject_id": str(customer.pk),
        "entity_model": "crm.customer",
        "entity_id": str(customer.pk),
        "entity_label": "Acme",
        "changes": {field: [old, new]},
        "source": "web",
        "user_id": "7",
        "user_label": "bo",
    }
    return Entry.objects.create(**values | others)


def lines(answer):
    """Return the old and new value of each line of that day, and how many edits it stands for."""
    return [
        (one.changes[0].old.text, one.changes[0].new.text, len(one.run))
        for day in answer.context["history"].days
        if day.iso == "2026-11-23"
        for one in day.entries
    ]


@pytest.fixture
def run(customer):
    """Four edits within 14 minutes, oldest first."""
    words = ["Acme", "Acne", "Acme Ltd", "Acme Inc", "Acme Corp"]
    pairs = pairwise(words)
    return [edit(customer, at, *pair) for at, pair in zip((0, 2, 12, 14), pairs, strict=True)]


class TestFolding:
    def test_a_run_is_one_line(self, reader, customer, run):
        answer = reader.get(tab_url(customer))
        assert lines(answer) == [("Acme", "Acme Corp", 4)]
        assert "edited 4 times" in shown(answer)
        assert answer.content.decode().count('<details class="ch-run">') == 1

    def test_the_run_has_each_edit(self, reader, customer, run):
        text = reader.get(tab_url(customer)).content.decode()
        (inside,) = re.findall(r"<ol reversed>(.*?)</ol>", text, re.DOTALL)
        assert re.findall(r"<bdi>([^<]+)</bdi>", inside.replace("\n", "")) == [
            "Acme Inc", "Acme Corp", "Acme Ltd", "Acme Inc", "Acne", "Acme Ltd", "Acme", "Acne",
        ]  # fmt: skip
        assert [inside.count(f"?entry={one.id}#ch-entry") for one in run] == [1, 1, 1, 1]

    def test_print_view_opens_it(self, reader, customer, run):
        text = reader.get(f"{tab_url(customer)}?print=yes").content.decode()
        assert '<details class="ch-run" open>' in text

    def test_two_edits_are_two_lines(self, reader, customer):
        edit(customer, 0, "a", "b")
        edit(customer, 1, "b", "c")
        assert lines(reader.get(tab_url(customer))) == [("b", "c", 0), ("a", "b", 0)]


class TestNoRun:
    @pytest.mark.parametrize(
        "last",
        [
            {"minute": 13},
            {"user_id": "8"},
            {"source": "api"},
            {"ip_address": "192.0.2.7"},
            {"field": "status"},
            {"old": "other"},
            {"action": "Renamed"},
            {"entity_id": "999999"},
        ],
        ids=str,
    )
    def test_one_edit_is_different(self, reader, customer, last):
        edit(customer, 0, "a", "b")
        edit(customer, 2, "b", "c")
        edit(customer, **{"minute": 3, "old": "c", "new": "d"} | last)
        assert [count for _, _, count in lines(reader.get(tab_url(customer)))] == [0, 0, 0]

    def test_masked_values(self, reader, customer):
        for at, pair in enumerate(["ab", "bc", "cd"]):
            edit(customer, at, *(f"900-12-000{one}" for one in pair), field="ssn")
        assert [count for _, _, count in lines(reader.get(tab_url(customer)))] == [0, 0, 0]

    def test_values_that_the_reader_may_see(self, reader, user, customer):
        grant(user, "view_confidential_customer_ssn")
        for at, pair in enumerate(["ab", "bc", "cd"]):
            edit(customer, at, *(f"900-12-000{one}" for one in pair), field="ssn")
        assert lines(reader.get(tab_url(customer))) == [("900-12-000a", "900-12-000d", 3)]


class TestPages:
    def test_opened_permalink_is_a_line(self, reader, customer, run):
        answer = reader.get(f"{tab_url(customer)}?entry={run[2].id}")
        assert lines(answer)[0] == ("Acme Ltd", "Acme Inc", 0)
        assert answer.context["history"].days[0].entries[0].is_target

    def test_a_run_across_pages_is_two(self, reader, customer, run, settings):
        for at, pair in enumerate(["ab", "bc"]):
            edit(customer, 20 + at, *pair, field="status")
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 5}
        first = reader.get(tab_url(customer))
        assert lines(first) == [("b", "c", 0), ("a", "b", 0), ("Acne", "Acme Corp", 3)]
        second = reader.get(tab_url(customer) + first.context["history"].older_link)
        assert lines(second)[0] == ("Acme", "Acne", 0)
