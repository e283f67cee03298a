"""Long decimals, and moments as keys: the log has what Django reads."""

from datetime import datetime, timedelta
from decimal import Decimal

import django
import pytest
from django.db import connection, models
from django.test import override_settings
from django.test.utils import isolate_apps

from django_customer_history import history
from django_customer_history.models import Entry
from tests.factories import created

pytestmark = pytest.mark.django_db(transaction=True)

KEEPS_DIGITS = connection.vendor != "sqlite"


@pytest.fixture
def amounts():
    with isolate_apps("tests"):

        class Amount(models.Model):
            small = models.DecimalField(max_digits=30, decimal_places=17, null=True)
            large = models.DecimalField(max_digits=30, decimal_places=2, null=True)

            class Meta:
                app_label = "exact"

    with created(Amount=(Amount, {"subject": "self"})):
        yield Amount


@pytest.fixture
def visits():
    with isolate_apps("tests"):

        class Visit(models.Model):
            at = models.DateTimeField(primary_key=True)
            name = models.CharField(max_length=20)

            class Meta:
                app_label = "exact"

    settings = override_settings(USE_TZ=False, TIME_ZONE="America/New_York")
    with settings, created(Visit=(Visit, {"subject": "self"})):
        yield Visit


# SQLite stores these numbers as integers, of which Django 6.1 reads all digits.
AS_INTEGER = {
    "12345678901234600.00": "12345678901234568.00",
    "-100000000000000000.00": "-100000000000000001.00",
    "-9223372036854780000.00": "-9223372036854775808.00",
} if django.VERSION >= (6, 1) else {}  # fmt: skip


class TestLongDecimals:
    @pytest.mark.parametrize(
        ("name", "given", "exact", "rounded"),
        [
            ("small", "0.09999999999999998", "0.09999999999999998", "0.10000000000000000"),
            ("small", "-0.12345678901234567", "-0.12345678901234567", "-0.12345678901234600"),
            ("small", "0.00123456789012345", "0.00123456789012345", "0.00123456789012345"),
            ("small", "7", "7.00000000000000000", "7.00000000000000000"),
            ("large", "1234567890123.45", "1234567890123.45", "1234567890123.45"),
            ("large", "12345678901234567.89", "12345678901234567.89", "12345678901234600.00"),
            ("large", "9" * 25, "9" * 25 + ".00", "1" + "0" * 25 + ".00"),
            ("large", "-100000000000000001", "-100000000000000001.00", "-100000000000000000.00"),
            ("large", "-9223372036854775808", "-9223372036854775808.00",
             "-9223372036854780000.00"),
        ],
    )  # fmt: skip
    def test_log_has_what_django_reads(self, amounts, name, given, exact, rounded):
        row = amounts.objects.create(**{name: Decimal(given)})
        expected = exact if KEEPS_DIGITS else AS_INTEGER.get(rounded, rounded)
        assert Entry.objects.of_entity(amounts, row.pk).get().changes == {name: [None, expected]}
        row.refresh_from_db()
        assert str(getattr(row, name)) == expected


class TestMomentsAsKeys:
    @pytest.mark.parametrize(
        ("local", "in_utc"),
        [
            (datetime(2026, 7, 1, 13, 0, 0, 5), "2026-07-01T17:00:00.000005Z"),
            (datetime(2026, 1, 1, 12, 0), "2026-01-01T17:00:00.000000Z"),
            # Two moments have this local time.
            (datetime(2026, 11, 1, 1, 30), "2026-11-01T06:30:00.000000Z"),
        ],
    )
    def test_naive_keys(self, visits, local, in_utc):
        visit = visits.objects.create(at=local, name="a")
        visits.objects.update(name="b")
        text = in_utc if connection.vendor == "postgresql" else local.isoformat("T", "microseconds")
        written = Entry.objects.filter(entity_model="exact.visit")
        assert {one.entity_id for one in written} == {text}
        later = datetime.now() + timedelta(minutes=1)  # noqa: DTZ005 - as the settings say
        for given in ((visit,), (visits, local), (visits, text)):
            assert history.entries_for(*given).count() == 2
        assert history.as_of(visit, later) == {"name": "b"}
        assert history.as_of(visits, later, key=local) == {"name": "b"}
        history.record("Seen", subject=visit)
        assert history.entries_for(visit).count() == 3
