"""PostgreSQL: a tracked table in partitions, or with tables that inherit from it."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from django_customer_history import health
from django_customer_history.capture.triggers import (
    compare_triggers,
    remove_all,
    synchronize_triggers,
)
from tests.conftest import Log
from tests.projects.crm.models import Customer, Invoice, InvoiceLine, Legacy

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="about PostgreSQL"),
]
COLUMNS = "id integer NOT NULL, customer_id bigint NOT NULL, text varchar(40) NOT NULL"


def run(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def replaced():
    """Put the table aside that a migration has created."""
    remove_all(connection)
    run("ALTER TABLE legacy RENAME TO legacy_kept")
    yield
    run("DROP TABLE legacy CASCADE")
    remove_all(connection)
    run("ALTER TABLE legacy_kept RENAME TO legacy")
    synchronize_triggers(connection)


@pytest.fixture
def partitioned(replaced):
    run(
        f"CREATE TABLE legacy ({COLUMNS}, CONSTRAINT new_legacy PRIMARY KEY (id, text))"
        " PARTITION BY LIST (text)",
        "CREATE TABLE legacy_open PARTITION OF legacy FOR VALUES IN ('open', 'new')",
        "CREATE TABLE legacy_rest PARTITION OF legacy DEFAULT PARTITION BY HASH (id)",
        "CREATE TABLE legacy_hash PARTITION OF legacy_rest"
        " FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    )
    synchronize_triggers(connection)
    return Customer.objects.create(name="Acme")


@pytest.fixture
def inherited(replaced):
    run(
        f"CREATE TABLE legacy ({COLUMNS}, CONSTRAINT new_legacy PRIMARY KEY (id))",
        "CREATE TABLE legacy_old (note text) INHERITS (legacy)",
    )
    synchronize_triggers(connection)
    return Customer.objects.create(name="Acme")


def recorded(log):
    return [(one.kind, one.entity_id, one.changes.get("text")) for one in log.entries()]


class TestPartitions:
    def test_each_write_by_the_table(self, partitioned):
        log = Log()
        Legacy.objects.bulk_create(
            [Legacy(id=n, customer=partitioned, text="open") for n in (1, 2)]
        )
        Legacy.objects.filter(id=1).update(text="new")
        Legacy.objects.filter(id=2).delete()
        assert recorded(log) == [
            ("create", "1", [None, "open"]),
            ("create", "2", [None, "open"]),
            ("update", "1", ["open", "new"]),
            ("delete", "2", ["open", None]),
        ]
        assert {one.subject_id for one in log.entries()} == {str(partitioned.pk)}

    def test_rows_that_move(self, partitioned):
        Legacy.objects.bulk_create(
            [Legacy(id=n, customer=partitioned, text="open") for n in (1, 2, 3)]
        )
        log = Log()
        Legacy.objects.filter(id__lt=3).update(text="closed")
        Legacy.objects.filter(id=1).delete()
        Legacy.objects.create(id=1, customer=partitioned, text="open")
        assert sorted(recorded(log)[:2]) == [
            ("update", "1", ["open", "closed"]),
            ("update", "2", ["open", "closed"]),
        ]
        assert recorded(log)[2:] == [
            ("delete", "1", ["closed", None]),
            ("create", "1", [None, "open"]),
        ]

    def test_writes_to_a_partition(self, partitioned):
        log = Log()
        run(
            f"INSERT INTO legacy_open VALUES (1, {partitioned.pk}, 'open')",
            "UPDATE legacy_open SET text = 'new'",
            "DELETE FROM legacy_open",
            f"INSERT INTO legacy_hash VALUES (2, {partitioned.pk}, 'closed')",
            "TRUNCATE legacy_hash",
        )
        assert recorded(log) == [
            ("create", "1", [None, "open"]),
            ("update", "1", ["open", "new"]),
            ("delete", "1", ["new", None]),
            ("create", "2", [None, "closed"]),
            ("delete", "2", ["closed", None]),
        ]

    def test_truncate_of_the_table(self, partitioned):
        Legacy.objects.create(id=1, customer=partitioned, text="open")
        Legacy.objects.create(id=2, customer=partitioned, text="closed")
        log = Log()
        run("TRUNCATE legacy")
        assert sorted(recorded(log)) == [
            ("delete", "1", ["open", None]),
            ("delete", "2", ["closed", None]),
        ]

    def test_new_partition(self, partitioned):
        run("CREATE TABLE legacy_late PARTITION OF legacy FOR VALUES IN ('late')")
        log = Log()
        Legacy.objects.create(id=1, customer=partitioned, text="late")
        assert recorded(log) == [("create", "1", [None, "late"])]
        assert health.problems()[0] == "missing on legacy_late"
        with pytest.raises(IntegrityError, match="Run migrate"), transaction.atomic():
            run("TRUNCATE legacy")
        call_command("migrate", verbosity=0)
        log.clear()
        run("TRUNCATE legacy")
        assert recorded(log) == [("delete", "1", ["late", None])]

    def test_detached_partition(self, partitioned):
        run("ALTER TABLE legacy DETACH PARTITION legacy_open")
        assert health.problems()[0] == "orphaned on legacy_open"
        synchronize_triggers(connection)
        assert not compare_triggers(connection)
        run("DROP TABLE legacy_open")


class TestTwoLevels:
    """A partition that has partitions: what is logged does not depend on the level written to."""

    @pytest.fixture
    def levels(self, replaced):
        run(
            f"CREATE TABLE legacy ({COLUMNS}, CONSTRAINT new_legacy PRIMARY KEY (id, text))"
            " PARTITION BY LIST (text)",
            "CREATE TABLE legacy_open PARTITION OF legacy FOR VALUES IN ('open')",
            "CREATE TABLE legacy_rest PARTITION OF legacy DEFAULT PARTITION BY LIST (text)",
            "CREATE TABLE legacy_low PARTITION OF legacy_rest FOR VALUES IN ('a', 'b', 'closed')",
            "CREATE TABLE legacy_high PARTITION OF legacy_rest FOR VALUES IN ('c', 'd', 'late')",
        )
        synchronize_triggers(connection)
        return Customer.objects.create(name="Acme")

    @pytest.mark.parametrize("table", ["legacy", "legacy_rest"])
    def test_move_within_the_middle(self, levels, table):
        run(f"INSERT INTO {table} VALUES (1, {levels.pk}, 'closed')")
        log = Log()
        run(f"UPDATE {table} SET text = 'late' WHERE id = 1")
        assert recorded(log) == [("update", "1", ["closed", "late"])]
        run("DELETE FROM legacy_high")
        assert recorded(log)[1:] == [("delete", "1", ["late", None])]

    def test_move_between_levels(self, levels):
        run(f"INSERT INTO legacy_open VALUES (1, {levels.pk}, 'open')")
        log = Log()
        run(
            "UPDATE legacy SET text = 'closed' WHERE id = 1",
            "UPDATE legacy SET text = 'open' WHERE id = 1",
        )
        assert recorded(log) == [
            ("update", "1", ["open", "closed"]),
            ("update", "1", ["closed", "open"]),
        ]

    def test_writes_to_each_level(self, levels):
        log = Log()
        run(
            f"INSERT INTO legacy_low VALUES (1, {levels.pk}, 'a')",
            "UPDATE legacy_low SET text = 'b'",
            "DELETE FROM legacy_low",
            f"INSERT INTO legacy_rest VALUES (2, {levels.pk}, 'c')",
            "UPDATE legacy_rest SET text = 'd'",
            "TRUNCATE legacy_rest",
        )
        assert recorded(log) == [
            ("create", "1", [None, "a"]),
            ("update", "1", ["a", "b"]),
            ("delete", "1", ["b", None]),
            ("create", "2", [None, "c"]),
            ("update", "2", ["c", "d"]),
            ("delete", "2", ["d", None]),
        ]

    def test_detach_and_attach(self, levels):
        run(f"INSERT INTO legacy VALUES (1, {levels.pk}, 'a')")
        log = Log()
        run("ALTER TABLE legacy DETACH PARTITION legacy_rest")
        assert health.problems()
        synchronize_triggers(connection)
        assert not compare_triggers(connection)
        run("UPDATE legacy_low SET text = 'b'")
        assert recorded(log) == []
        run("ALTER TABLE legacy ATTACH PARTITION legacy_rest DEFAULT")
        synchronize_triggers(connection)
        assert not compare_triggers(connection)
        run("UPDATE legacy SET text = 'c'", "TRUNCATE legacy_rest")
        assert recorded(log) == [
            ("update", "1", ["b", "c"]),
            ("delete", "1", ["c", None]),
        ]


class TestInheritingTables:
    def test_each_write(self, inherited):
        log = Log()
        run(
            f"INSERT INTO legacy VALUES (1, {inherited.pk}, 'own')",
            f"INSERT INTO legacy_old VALUES (2, {inherited.pk}, 'child', 'n')",
            "UPDATE legacy SET text = 'both'",
            "UPDATE legacy_old SET note = 'm'",
            "DELETE FROM legacy WHERE id = 2",
        )
        assert [(one.kind, one.entity_id, one.changes) for one in log.entries()][2:] == [
            ("update", "1", {"text": ["own", "both"]}),
            ("update", "2", {"text": ["child", "both"]}),
            ("update", "2", {"note": ["n", "m"]}),
            (
                "delete",
                "2",
                {
                    "customer": [str(inherited.pk), None],
                    "text": ["both", None],
                    "note": ["m", None],
                },
            ),
        ]

    def test_truncate_and_only(self, inherited):
        run(
            f"INSERT INTO legacy VALUES (1, {inherited.pk}, 'own')",
            f"INSERT INTO legacy_old VALUES (2, {inherited.pk}, 'child', 'n')",
        )
        log = Log()
        run("TRUNCATE ONLY legacy", "TRUNCATE legacy")
        assert recorded(log) == [("delete", "1", ["own", None]), ("delete", "2", ["child", None])]


class TestRowSecurity:
    """Policies of a tracked table hide rows from a role, and so from what runs as that role."""

    @pytest.fixture
    def limited(self):
        run(
            "DROP ROLE IF EXISTS history_limited",
            "CREATE ROLE history_limited",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO history_limited",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO history_limited",
            "ALTER TABLE crm_note ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY own ON crm_note USING (text LIKE 'own%%')",
        )
        yield "history_limited"
        run(
            "RESET ROLE",
            "DROP POLICY own ON crm_note",
            "ALTER TABLE crm_note DISABLE ROW LEVEL SECURITY",
            "DROP OWNED BY history_limited",
            "DROP ROLE history_limited",
        )

    def test_truncate_is_refused(self, limited):
        customer = Customer.objects.create(name="Acme")
        customer.notes.create(text="hidden")
        with pytest.raises(DatabaseError, match="row-level security hides"), transaction.atomic():
            run(f"SET LOCAL ROLE {limited}", "TRUNCATE crm_note")
        assert customer.notes.exists()

    def test_baseline_is_refused(self, limited):
        with transaction.atomic():
            run(f"SET LOCAL ROLE {limited}")
            with pytest.raises(Exception, match="row-level security hides rows of crm_note"):
                call_command("history_baseline", "crm.note", verbosity=0)

    def test_hidden_subject_is_refused(self, limited):
        customer = Customer.objects.create(name="Acme")
        invoice = Invoice.objects.create(customer=customer, number="7")
        run("ALTER TABLE crm_invoice ENABLE ROW LEVEL SECURITY")
        try:
            with (
                pytest.raises(DatabaseError, match=r'hides rows of "public"\."crm_invoice"'),
                transaction.atomic(),
            ):
                run(f"SET LOCAL ROLE {limited}")
                InvoiceLine.objects.create(invoice=invoice, product="Siren")
            InvoiceLine.objects.create(invoice=invoice, product="Keypad")
        finally:
            run("ALTER TABLE crm_invoice DISABLE ROW LEVEL SECURITY")
        with transaction.atomic():
            run(f"SET LOCAL ROLE {limited}")
            line = InvoiceLine.objects.create(invoice=invoice, product="Siren")
        log = Log()
        line.delete()
        assert log.only().subject_id == str(customer.pk)

    def test_problem_and_its_fix(self, limited):
        problem = "policies of crm_note can hide rows from the triggers that record changes"
        assert problem in health.problems()
        names = [one.name for one in compare_triggers(connection).good if one.table == "crm_note"]
        for name in names:
            run(f'ALTER FUNCTION "{name}" SECURITY DEFINER SET search_path = public, pg_temp')
        assert problem not in health.problems()
        for name in names:
            run(f'ALTER FUNCTION "{name}" SECURITY INVOKER RESET search_path')
