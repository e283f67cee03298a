"""The text of a value does not depend on settings of the session, the server or Django."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, models
from django.test import override_settings
from django.test.utils import isolate_apps

from django_customer_history import history
from django_customer_history.backends import attach_session
from django_customer_history.capture.triggers import (
    compare_triggers,
    remove_all,
    synchronize_triggers,
)
from django_customer_history.models import Entry
from tests.factories import created, settings_of_session
from tests.projects.crm.models import Customer, Specimen, Ticket

pytestmark = pytest.mark.django_db

HOSTILE = {
    "postgresql": (
        "SET TimeZone = 'Pacific/Kiritimati'",
        "SET DateStyle = 'SQL, DMY'",
        "SET IntervalStyle = 'sql_standard'",
        "SET bytea_output = 'escape'",
        "SET extra_float_digits = -15",
        "SET xmlbinary = 'hex'",
        "SET escape_string_warning = off",
        "SET standard_conforming_strings = off",
        "SET quote_all_identifiers = on",
        "SET jit = on",
        "SET jit_above_cost = 0",
        "SET lc_monetary = 'C.UTF-8'",
    ),
    "mysql": (
        "SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,"
        "PAD_CHAR_TO_FULL_LENGTH'",
        "SET SESSION group_concat_max_len = 4",
        "SET SESSION div_precision_increment = 0",
        "SET SESSION time_zone = '+09:00'",
        "SET SESSION lc_time_names = 'de_DE'",
        "SET SESSION collation_connection = utf8mb4_bin",
        "SET SESSION max_sort_length = 64",
    ),
    "sqlite": (
        "PRAGMA case_sensitive_like = ON",
        "PRAGMA reverse_unordered_selects = ON",
    ),
}[connection.vendor]
FRIENDLY = {
    "postgresql": [
        *(f"RESET {sql.split()[1]}" for sql in HOSTILE if connection.vendor == "postgresql"),
        "SET TimeZone = 'UTC'",
    ],
    "mysql": [
        *(
            f"SET SESSION {name} = DEFAULT"
            for name in (
                "sql_mode",
                "group_concat_max_len",
                "div_precision_increment",
                "time_zone",
                "lc_time_names",
                "max_sort_length",
            )
        ),
        "SET NAMES utf8mb4",
    ],
    "sqlite": ["PRAGMA case_sensitive_like = OFF", "PRAGMA reverse_unordered_selects = OFF"],
}[connection.vendor]

VALUES = {
    "big": (2**63 - 1, "9223372036854775807"),
    "binary": (b"\xff\x01", "ff01"),
    "boolean": (True, "true"),
    "char": ('a\\b \u2028 \x01 🚨 it\'s "so"', 'a\\b \u2028 \x01 🚨 it\'s "so"'),
    "date": (date(2026, 2, 3), "2026-02-03"),
    "datetime": (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02T03:04:05.000006Z"),
    "decimal": (Decimal("-1234567890.12"), "-1234567890.12"),
    "duration": (timedelta(days=-2, microseconds=1), "-172799999999"),
    "float": (0.30000000000000004, "0.30000000000000004"),
    "ip": ("2001:db8::7", "2001:db8::7"),
    "json": ({"a": [1, None, "e"]}, '{"a": [1, null, "e"]}'),
    "small": (-32768, "-32768"),
    "text": ("Zeile\r\n\tEnde ", "Zeile\r\n\tEnde "),
    "time": (time(23, 59, 58, 7), "23:59:58.000007"),
    "uuid": (
        UUID("01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f"),
        "01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f",
    ),
}
GIVEN = {name: value for name, (value, _) in VALUES.items()}
TEXTS = {name: text for name, (_, text) in VALUES.items()}


def hostile():
    return settings_of_session(*HOSTILE, restore=FRIENDLY)


def only(vendor):
    return pytest.mark.skipif(connection.vendor != vendor, reason=f"needs {vendor}")


class TestSession:
    def test_every_type_is_the_same(self, log):
        with hostile():
            specimen = Specimen.objects.create(**GIVEN)
            Specimen.objects.filter(pk=specimen.pk).update(**dict.fromkeys(GIVEN))
            Specimen.objects.filter(pk=specimen.pk).update(**GIVEN)
            specimen.delete()
        assert log.changes() == [
            {name: [None, text] for name, text in TEXTS.items()},
            {name: [text, None] for name, text in TEXTS.items()},
            {name: [None, text] for name, text in TEXTS.items()},
            {name: [text, None] for name, text in TEXTS.items()},
        ]

    def test_small_changes_are_seen(self, log):
        with hostile():
            specimen = Specimen.objects.create(float=0.1, char="a")
            Specimen.objects.filter(pk=specimen.pk).update(float=0.10000000000000002)
            Specimen.objects.filter(pk=specimen.pk).update(char="A")
        assert log.changes()[1:] == [
            {"float": ["0.1", "0.10000000000000002"]},
            {"char": ["a", "A"]},
        ]

    def test_keys_of_json(self, customer, log):
        long = "k" * 3_000
        first = {"a": 1, f"{long}1": "x" * 5_000, f"{long}2": None, 'q"\\': [1]}
        with hostile():
            ticket = Ticket.objects.create(customer=customer, udf=first)
            Ticket.objects.filter(pk=ticket.pk).update(udf={**first, f"{long}2": 2})
        created, updated = log.changes()
        assert {name: pair for name, pair in created.items() if name.startswith("udf")} == {
            "udf.a": [None, "1"],
            f"udf.{long}1": [None, f'"{"x" * 5_000}"'],
            f"udf.{long}2": [None, "null"],
            'udf.q"\\': [None, "[1]"],
        }
        assert updated == {f"udf.{long}2": ["null", "2"]}

    def test_many_keys_of_json(self, customer, log):
        Ticket.objects.create(customer=customer, udf={f"key{n}": "x" * 100 for n in range(3_000)})
        names = {name for name in log.only().changes if name.startswith("udf.")}
        assert names == {f"udf.key{n}" for n in range(3_000)}

    def test_json_lists_and_nothing(self, customer, log):
        ticket = Ticket.objects.create(customer=customer, udf=None)
        rows = Ticket.objects.filter(pk=ticket.pk)
        for value in ([1], None, {"a": 1}, "text", models.Value(None, models.JSONField()), [2]):
            rows.update(udf=value)
        assert log.changes()[1:] == [
            {"udf": [None, "[1]"]},
            {"udf": ["[1]", None]},
            {"udf.a": [None, "1"]},
            {"udf": ['{"a": 1}', '"text"']},
            {"udf": ['"text"', "null"]},
            {"udf": ["null", "[2]"]},
        ]

    def test_null_of_json(self, log):
        specimen = Specimen.objects.create(json=[1])
        for value in (models.Value(None, models.JSONField()), None):
            Specimen.objects.filter(pk=specimen.pk).update(json=value)
        assert log.changes()[1:] == [{"json": ["[1]", "null"]}, {"json": ["null", None]}]


@pytest.mark.django_db(transaction=True)
class TestInstallation:
    def test_triggers_of_a_hostile_session(self, customer, log):
        remove_all(connection)
        with hostile():
            synchronize_triggers(connection)
        assert not compare_triggers(connection)
        specimen = Specimen.objects.create(**GIVEN)
        specimen.delete()
        texts = {name: pair[1] for name, pair in log.changes()[-2].items()}
        assert texts == TEXTS


@pytest.mark.django_db(transaction=True)
class TestDjango:
    """Datetimes follow Django's rules in every mode."""

    MOMENT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)

    def in_mode(self, request, monkeypatch, **database):
        """Let Django, the session and the triggers take over changed settings."""
        if database:
            monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", database["TIME_ZONE"])

        def renew():
            for name in ("timezone", "timezone_name"):
                connection.__dict__.pop(name, None)
            connection.ensure_connection()
            connection.ensure_timezone()
            attach_session(connection)
            synchronize_triggers(connection)

        def restore():
            monkeypatch.undo()
            renew()

        request.addfinalizer(restore)
        renew()

    def test_database_with_a_time_zone(self, customer, log, request, monkeypatch):
        self.in_mode(request, monkeypatch, TIME_ZONE="America/New_York")
        specimen = Specimen.objects.create(datetime=self.MOMENT)
        winter = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
        Specimen.objects.update(datetime=winter)
        created, updated = log.entries()
        assert created.changes == {"datetime": [None, "2026-07-01T12:00:00.000000Z"]}
        assert updated.changes["datetime"][1] == "2026-01-02T03:04:05.000006Z"
        assert abs(created.timestamp - datetime.now(UTC)) < timedelta(minutes=5)
        assert history.as_of(specimen, created.timestamp)["datetime"] == self.MOMENT
        history.record("Called", subject=customer)
        assert abs(log.entries()[-1].timestamp - datetime.now(UTC)) < timedelta(minutes=5)

    def test_without_time_zone_support(self, customer, log, request, monkeypatch):
        with override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
            self.in_mode(request, monkeypatch)
            local = datetime(2026, 7, 1, 21, 0)
            specimen = Specimen.objects.create(datetime=local)
            history.record("Called", subject=customer)
            created, called = log.entries()
            now = datetime.now()  # noqa: DTZ005 - Django has set the process's zone.
            assert abs(created.timestamp - now) < timedelta(minutes=5)
            assert abs(called.timestamp - now) < timedelta(minutes=5)
            assert history.as_of(specimen, now + timedelta(seconds=5))["datetime"] == local
            assert history.as_of(specimen, now - timedelta(minutes=5)) is None
            entries = Entry.objects.of_subject(Customer, customer.pk)
            assert entries.between(now - timedelta(minutes=5), None).count() >= 1
            assert entries.between(now + timedelta(minutes=5), None).count() == 0

    def test_naive_moments(self, customer):
        with override_settings(TIME_ZONE="Asia/Tokyo"):
            local = datetime.now(UTC).astimezone().replace(tzinfo=None)
            assert settings.USE_TZ
            for offset, known in ((-5, False), (5, True)):
                moment = local + timedelta(minutes=offset)
                with pytest.warns(RuntimeWarning, match="received a naive datetime"):
                    state = history.as_of(customer, moment)
                assert (state is not None) is known
            with pytest.warns(RuntimeWarning, match="received a naive datetime"):
                assert Entry.objects.between(local - timedelta(minutes=5), None).exists()


@only("postgresql")
class TestPostgreSQLTypes:
    """Arrays, ranges, hstore and others: the same text, and Python values again."""

    INSERT = """
    INSERT INTO settings_shape (
      id, moments, bytes, spans, floats, words, during, days, numbers, pairs, maps, far,
      endless, ancient
    )
    VALUES (
      1, '{"2026-01-02 03:04:05+00"}', ARRAY[decode('00ff', 'hex')], ARRAY[interval '1 day 2 h'],
      '{0.30000000000000004}', '{a,NULL,"b,c"}',
      '["2026-01-02 03:04:05+00","2026-02-02 00:00:00+00")', '[2026-01-02,2026-02-03)', '[1,)',
      'a => 1, b => NULL', ARRAY['a => "é"'::hstore], interval '500000 years',
      'infinity', '0044-03-15 12:00:00+00 BC'
    )
    """
    TEXTS = {
        "moments": '["2026-01-02T03:04:05+00:00"]',
        "bytes": r'["\\x00ff"]',
        "spans": '["1 day 02:00:00"]',
        "floats": "[0.30000000000000004]",
        "words": '["a", null, "b,c"]',
        "during": '["2026-01-02 03:04:05+00","2026-02-02 00:00:00+00")',
        "days": "[2026-01-02,2026-02-03)",
        "numbers": "[1,)",
        "pairs": '{"a": "1", "b": null}',
        "maps": '[{"a": "é"}]',
        "far": "15778800000000000000",
        "endless": "infinity",
        "ancient": "0044-03-15T12:00:00.000000Z BC",
    }

    @pytest.fixture
    def shape(self, customer):
        from django.contrib.postgres import fields  # noqa: PLC0415 - needs psycopg

        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS hstore")
        with isolate_apps("tests"):

            class Shape(models.Model):
                moments = fields.ArrayField(models.DateTimeField(), null=True)
                bytes = fields.ArrayField(models.BinaryField(), null=True)
                spans = fields.ArrayField(models.DurationField(), null=True)
                floats = fields.ArrayField(models.FloatField(), null=True)
                words = fields.ArrayField(models.TextField(), null=True)
                during = fields.DateTimeRangeField(null=True)
                days = fields.DateRangeField(null=True)
                numbers = fields.IntegerRangeField(null=True)
                pairs = fields.HStoreField(null=True)
                maps = fields.ArrayField(fields.HStoreField(), null=True)
                far = models.DurationField(null=True)
                endless = models.DateTimeField(null=True)
                ancient = models.DateTimeField(null=True)

                class Meta:
                    app_label = "settings"

        with created(Shape=(Shape, {})):
            yield Shape

    def write(self, *statements):
        with hostile(), connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)

    def test_texts(self, shape, log):
        cleared = ", ".join(f"{name} = NULL" for name in self.TEXTS)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        self.write(
            self.INSERT, f"UPDATE settings_shape SET {cleared}", "DELETE FROM settings_shape"
        )
        created_, updated, _ = log.changes()
        assert created_ == {name: [None, text] for name, text in self.TEXTS.items()}
        assert updated == {name: [text, None] for name, text in self.TEXTS.items()}

    def test_texts_by_the_row_as_json(self, shape, log):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE settings_shape ADD COLUMN later int")
        self.write(self.INSERT, "UPDATE settings_shape SET floats = NULL, far = NULL")
        created_, updated = log.changes()
        assert created_ == {name: [None, text] for name, text in self.TEXTS.items()}
        assert updated == {name: [self.TEXTS[name], None] for name in ("floats", "far")}

    def test_python_values(self, shape, log):
        from django.db.backends.postgresql.psycopg_any import (  # noqa: PLC0415 - needs psycopg
            DateRange,
            DateTimeTZRange,
            NumericRange,
        )

        self.write(self.INSERT)
        moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        state = history.as_of(shape, datetime.now(UTC) + timedelta(minutes=1), key=1)
        assert {name: state[name] for name in self.TEXTS} == {
            "moments": [moment],
            "bytes": [b"\x00\xff"],
            "spans": [timedelta(days=1, hours=2)],
            "floats": [0.30000000000000004],
            "words": ["a", None, "b,c"],
            "during": DateTimeTZRange(moment, datetime(2026, 2, 2, tzinfo=UTC), "[)"),
            "days": DateRange(date(2026, 1, 2), date(2026, 2, 3), "[)"),
            "numbers": NumericRange(1, None, "[)"),
            "pairs": {"a": "1", "b": None},
            "maps": [{"a": "é"}],
            "far": timedelta(days=500_000 * 36525 // 100),
            "endless": "infinity",
            "ancient": "0044-03-15T12:00:00.000000Z BC",
        }
