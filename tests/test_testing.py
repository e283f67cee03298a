"""Helpers for the tests of projects: the entries that a block writes."""

from datetime import UTC, datetime

import pytest
import time_machine

from django_customer_history import history
from django_customer_history.testing import capture_entries
from tests.projects.crm.models import Customer, Stock

pytestmark = pytest.mark.django_db


class TestCaptureEntries:
    def test_entries_after_the_block(self, customer):
        with capture_entries() as captured:
            Customer.objects.update(rate="44.99")
            history.record("Credit Checked", subject=customer)
            assert captured.entries == []
        assert captured.actions == ["Update", "Credit Checked"]
        assert captured.changes == [{"rate": ["39.99", "44.99"]}, {}]

    def test_one_block_after_another(self, customer):
        for rate in ("1.00", "2.00", "3.00"):
            with capture_entries() as captured:
                Customer.objects.update(rate=rate)
            assert [one["rate"][1] for one in captured.changes] == [rate]

    def test_record_with_composite_key(self, customer):
        with capture_entries() as captured:
            stock = Stock.objects.create(warehouse=1, product="p", quantity=3)
        assert [entry.entity_id for entry in captured.about(stock)] == ['["1","p"]']
        assert captured.about(customer) == []

    @pytest.mark.parametrize("year", [2001, 2100])
    def test_clock_set_by_the_test(self, year, customer):
        with time_machine.travel(datetime(year, 1, 1, tzinfo=UTC)), capture_entries() as captured:
            history.record("Then", subject=customer)
        assert captured.actions == ["Then"]
        with capture_entries() as captured:
            history.record("Now", subject=customer)
        assert captured.actions == ["Now"]

    def test_number_of_statements(self, customer, django_assert_num_queries):
        with django_assert_num_queries(3), capture_entries():
            pass
