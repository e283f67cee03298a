"""The log in monthly partitions: no entry is lost when the log is partitioned."""

import threading
from datetime import UTC, datetime, timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from django_customer_history.backends import features_of
from django_customer_history.capture import partitions as module
from django_customer_history.capture.checks import check_triggers
from django_customer_history.capture.partitions import (
    PartitionError,
    create_partitions,
    partition_log,
    partitions,
)
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.keys import uuid_at
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer

NOVEMBER = datetime(2026, 11, 10, 12, tzinfo=UTC)


class Clock(datetime):
    """A clock for the module, which the tests set."""

    moment = NOVEMBER

    @classmethod
    def now(cls, tz=None):
        return cls.moment.astimezone(tz)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(module, "datetime", Clock)
    monkeypatch.setattr(Clock, "moment", NOVEMBER)
    return Clock


@pytest.fixture
def unpartitioned_log(transactional_db):
    """Make the log one table. After the test, partition it as the settings say."""
    if not features_of(connection).supports_partitions:
        pytest.skip("the database has no partitions")
    recreate_log()
    yield
    recreate_log()
    partition_log(connection)


def recreate_log():
    # `migrate` to zero and back would also remove the permissions of other apps.
    run("DROP TABLE customer_history_entry CASCADE")
    run(f"DROP FUNCTION IF EXISTS {', '.join(append_only_functions())} CASCADE")
    with connection.schema_editor() as editor:
        editor.create_model(Entry)
    call_command("history_triggers", fix=True, stdout=StringIO())


def append_only_functions():
    found = run(
        "SELECT proname FROM pg_proc WHERE proname LIKE 'customer\\_history\\_%%append_only%%'"
    )
    return [f'"{name}"' for (name,) in found] or ["no_such_function"]


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def bounds():
    return [
        (
            one.name.removeprefix("customer_history_entry_"),
            one.start and f"{one.start:%Y-%m-%d}",
            one.end and f"{one.end:%Y-%m-%d}",
        )
        for one in partitions(connection)
    ]


def entry_at(moment):
    """Write an entry of a certain time, as imports do."""
    return Entry.objects.create(
        id=uuid_at(int(moment.timestamp()) * 1_000_000),
        timestamp=moment,
        kind="update",
        action="Update",
        entity_model="crm.customer",
        entity_id="1",
        source="import",
    )


def warnings():
    return [one.id for one in check_triggers(["default"])]


def table_of(entry):
    ((name,),) = run(
        f"SELECT tableoid::regclass::text FROM customer_history_entry WHERE id = '{entry.pk}'"
    )
    return name.removeprefix("customer_history_entry_")


class TestWarnings:
    def test_last_partition_is_in_use(self, unpartitioned_log, clock):
        create_partitions(connection, ahead=1)
        assert "customer_history.W006" not in warnings()
        clock.moment = datetime(2027, 1, 2, tzinfo=UTC)
        assert "customer_history.W006" in warnings()

    def test_log_is_not_partitioned(self, unpartitioned_log, settings):
        settings.CUSTOMER_HISTORY = {"PARTITIONS": "month"}
        Customer.objects.create(name="Acme")
        partition_log(connection)
        assert partitions(connection) == ()
        assert "customer_history.W007" in warnings()


def indexes(table):
    found = run(
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        f" WHERE i.indrelid = '{table}'::regclass ORDER BY 1"
    )
    assert all(is_valid for _, is_valid in found)
    return [name for name, _ in found]


class TestPartitioning:
    def test_partitions_by_month(self, unpartitioned_log, clock):
        entry_at(NOVEMBER)
        made = create_partitions(connection, ahead=2)
        assert bounds() == [
            ("start", None, "2026-12-01"),
            ("2026_12", "2026-12-01", "2027-01-01"),
            ("2027_01", "2027-01-01", "2027-02-01"),
            ("2027_02", "2027-02-01", None),
        ]
        assert len(made) == 4
        assert create_partitions(connection, ahead=2) == ()
        assert Entry.objects.count() == 1

    def test_migrate_partitions_a_new_log(self, unpartitioned_log, settings):
        settings.CUSTOMER_HISTORY = {"PARTITIONS": "month"}
        call_command("migrate", verbosity=0)
        assert len(partitions(connection)) >= 4
        assert not compare_triggers(connection)
        assert "customer_history.W007" not in warnings()

    def test_triggers_stay_good(self, unpartitioned_log, clock):
        assert not compare_triggers(connection)
        create_partitions(connection)
        assert not compare_triggers(connection)

    def test_indexes_and_privileges_stay(self, unpartitioned_log, clock):
        run("DROP ROLE IF EXISTS history_reader")
        run("CREATE ROLE history_reader")
        try:
            run("GRANT SELECT, INSERT ON customer_history_entry TO history_reader")
            before = indexes("customer_history_entry")
            create_partitions(connection)
            assert indexes("customer_history_entry") == before
            assert len(indexes("customer_history_entry_2026_12")) == len(before)
            assert run(
                "SELECT has_table_privilege('history_reader', 'customer_history_entry', 'INSERT'),"
                " has_table_privilege('history_reader', 'customer_history_entry', 'DELETE')"
            ) == [(True, False)]
        finally:
            run("DROP OWNED BY history_reader")
            run("DROP ROLE history_reader")

    def test_view_on_the_log_is_an_error(self, unpartitioned_log):
        run("CREATE VIEW of_last_week AS SELECT * FROM customer_history_entry")
        with pytest.raises(PartitionError, match="the view of_last_week"):
            create_partitions(connection)
        assert partitions(connection) == ()

    def test_log_in_use_is_an_error(self, unpartitioned_log, monkeypatch):
        monkeypatch.setattr(module, "_LOCK_TIMEOUT", "100ms")
        parameters = connection.get_connection_params()
        with psycopg.connect(
            **{
                key: parameters[key]
                for key in ("dbname", "user", "host", "port")
                if parameters.get(key)
            }
        ) as other:
            other.execute("SELECT * FROM customer_history_entry LIMIT 1")
            with pytest.raises(PartitionError, match="in use"):
                create_partitions(connection)
        assert partitions(connection) == ()
        assert len(create_partitions(connection)) >= 4

    def test_concurrent_writes_are_kept(self, unpartitioned_log):
        customers = Customer.objects.bulk_create([Customer(name=f"c{n}") for n in range(4)])
        stop, written, errors = threading.Event(), [0] * len(customers), []

        def write(number):
            try:
                while not stop.is_set():
                    Customer.objects.filter(pk=customers[number].pk).update(rate=written[number])
                    written[number] += 1
            except DatabaseError as error:
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=write, args=(n,)) for n in range(len(customers))]
        for thread in threads:
            thread.start()
        try:
            create_partitions(connection, ahead=6)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert errors == []
        assert sum(written) > len(customers)
        assert [
            Entry.objects.of_entity(Customer, one.pk).filter(kind="update").count()
            for one in customers
        ] == [count - 1 if customers[n].rate == 0 else count for n, count in enumerate(written)]


class TestPartitions:
    def test_next_month_adds_a_partition(self, unpartitioned_log, clock):
        create_partitions(connection, ahead=1)
        clock.moment = datetime(2026, 12, 2, tzinfo=UTC)
        create_partitions(connection, ahead=1)
        assert bounds() == [
            ("start", None, "2026-12-01"),
            ("2026_12", "2026-12-01", "2027-01-01"),
            ("2027_01", "2027-01-01", "2027-02-01"),
            ("2027_02", "2027-02-01", None),
        ]

    def test_entries_are_in_their_month(self, unpartitioned_log, clock):
        create_partitions(connection, ahead=1)
        assert [
            table_of(entry_at(moment))
            for moment in (
                datetime(2019, 5, 1, tzinfo=UTC),
                datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
                datetime(2027, 1, 1, tzinfo=UTC),
                datetime(2031, 1, 1, tzinfo=UTC),
            )
        ] == ["start", "2026_12", "2027_01", "2027_01"]

    def test_last_partition_grows(self, unpartitioned_log, clock):
        create_partitions(connection, ahead=1)
        clock.moment = datetime(2027, 3, 28, tzinfo=UTC)
        entry_at(clock.moment)
        create_partitions(connection, ahead=1)
        assert bounds()[2:] == [
            ("2027_01", "2027-01-01", "2027-05-01"),  # as April is less than a week away
            ("2027_05", "2027-05-01", None),
        ]

    @pytest.mark.parametrize("table", ["", "_start", "_2026_12"])
    @pytest.mark.parametrize(
        "statement", ["UPDATE {0} SET action = 'x'", "DELETE FROM {0}", "TRUNCATE {0}"]
    )
    def test_no_partition_can_be_changed(self, unpartitioned_log, clock, table, statement):
        create_partitions(connection)
        entry_at(NOVEMBER)
        entry_at(datetime(2026, 12, 24, tzinfo=UTC))
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            run(statement.format(f"customer_history_entry{table}"))
        assert Entry.objects.count() == 2

    def test_page_spans_partitions(self, unpartitioned_log, clock):
        create_partitions(connection)
        moments = [NOVEMBER + timedelta(days=9 * n) for n in range(12)]
        written = [entry_at(moment) for moment in moments]
        first = list(Entry.objects.newest_first()[:5])
        rest = list(Entry.objects.newest_first().older_than(first[-1].pk))
        assert [one.pk for one in first + rest] == [one.pk for one in reversed(written)]


class TestCommand:
    def test_list_and_create(self, unpartitioned_log, clock):
        output = StringIO()
        call_command("history_partitions", stdout=output)
        assert output.getvalue() == "The log is one table.\n"
        output = StringIO()
        call_command("history_partitions", create=True, ahead=1, stdout=output)
        assert output.getvalue().splitlines()[0] == "Partitions created: 3."
        assert (
            "customer_history_entry_2026_12           2026-12-01 to 2027-01-01" in output.getvalue()
        )

    def test_database_without_partitions(self):
        if features_of(connection).supports_partitions:
            pytest.skip("this database has partitions")
        with pytest.raises(CommandError, match="on PostgreSQL only"):
            call_command("history_partitions", create=True)
