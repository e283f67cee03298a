"""What health, the system check and `history_triggers` find wrong in a database."""

from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.core.management.color import no_style
from django.core.management.sql import sql_flush
from django.db import DatabaseError, connection, connections, transaction

from django_customer_history import health
from django_customer_history.capture.checks import check_triggers
from django_customer_history.capture.partitions import partitions
from django_customer_history.capture.triggers import (
    compare_triggers,
    remove_all,
    synchronize_triggers,
)
from django_customer_history.models import Entry
from tests.conftest import Log
from tests.projects.crm.models import Customer, Legacy, Specimen

pytestmark = pytest.mark.django_db(transaction=True)
VENDOR = connection.vendor
LOG = "customer_history_entry"
UPDATE_OF_CUSTOMERS = "customer_history_crm_customer_update"

only_postgresql = pytest.mark.skipif(VENDOR != "postgresql", reason="about PostgreSQL")
only_mysql = pytest.mark.skipif(VENDOR != "mysql", reason="about MariaDB and MySQL")


def run(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def definition_of_the_log():
    """Return the statement that creates the log."""
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW CREATE TABLE {LOG}")
        return cursor.fetchone()[1]


def problems():
    """Return the problems of the database, without the model of the tests that has no table."""
    return [one for one in health.problems() if "schemed" not in one]


def checked():
    return [one for one in check_triggers(databases=["default"]) if "Schemed" not in one.msg]


@contextmanager
def changed(*statements, back=()):
    run(*statements)
    try:
        yield
    finally:
        run(*back)
        synchronize_triggers(connection)


FOREIGN = {
    "sqlite": (
        f"CREATE TRIGGER alien AFTER INSERT ON {LOG} BEGIN SELECT 1; END",
        "DROP TRIGGER alien",
    ),
    "postgresql": (
        "CREATE FUNCTION alien() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        f"CREATE TRIGGER alien BEFORE INSERT ON {LOG} FOR EACH ROW EXECUTE FUNCTION alien()",
        "DROP FUNCTION alien CASCADE",
    ),
    "mysql": (
        f"CREATE TRIGGER alien BEFORE INSERT ON {LOG} FOR EACH ROW SET NEW.action = 'x'",
        "DROP TRIGGER alien",
    ),
}
VIEWS = {
    "sqlite": ("a view", "CREATE VIEW legacy AS SELECT 1 AS id, 1 AS customer_id, 't' AS text"),
    "postgresql": (
        "a view",
        "CREATE VIEW legacy AS SELECT 1 AS id, 1::bigint AS customer_id, 't' AS text",
    ),
    "mysql": ("a view", "CREATE VIEW legacy AS SELECT 1 AS id, 1 AS customer_id, 't' AS text"),
}


class TestGoodDatabase:
    def test_no_problems(self):
        assert problems() == []
        assert checked() == []


class TestLog:
    def test_foreign_trigger(self):
        create, drop = FOREIGN[VENDOR]
        with changed(create, back=[drop]):
            (problem,) = problems()
            assert problem.startswith(f"the trigger alien on {LOG} is not of this package")
            (message,) = checked()
            assert message.id == "customer_history.W030"
            assert problem in message.msg
            errors = StringIO()
            with pytest.raises(CommandError, match="the log is not safe"):
                call_command("history_triggers", stdout=StringIO(), stderr=errors)
            assert problem in errors.getvalue()
        assert problems() == []

    def test_temporary_table(self):
        with transaction.atomic():
            run(f"CREATE TEMPORARY TABLE {LOG} (id int)")
            try:
                (problem,) = problems()
            finally:
                run({"mysql": f"DROP TEMPORARY TABLE {LOG}"}.get(VENDOR, f"DROP TABLE {LOG}"))
        assert "temporary table" in problem
        assert problems() == []

    @only_postgresql
    def test_rule(self):
        rule = f"CREATE RULE alien AS ON INSERT TO {LOG} DO INSTEAD NOTHING"
        with changed(rule, back=[f"DROP RULE alien ON {LOG}"]):
            assert problems() == [
                f"the rule alien on {LOG} is not of this package and can change or drop entries"
            ]

    @only_postgresql
    @pytest.mark.parametrize("mode", ["ENABLE", "ENABLE REPLICA", "DISABLE"])
    def test_protection_must_be_always_on(self, mode):
        name = "customer_history_customer_history_entry_append_only_delete"
        word = {"ENABLE": "enabled as default", "ENABLE REPLICA": "enabled as replica"}
        with changed(f"ALTER TABLE {LOG} {mode} TRIGGER {name}"):
            assert problems() == [f"stale on {LOG} ({word.get(mode, 'disabled')})"]
            call_command("history_triggers", fix=True, stdout=StringIO(), stderr=StringIO())
            assert problems() == []
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            run("SET LOCAL session_replication_role = replica", f"DELETE FROM {LOG}")

    @only_postgresql
    def test_rows_hidden_from_the_role(self):
        with transaction.atomic():
            run(
                "CREATE ROLE history_reader",
                f"GRANT SELECT ON {LOG} TO history_reader",
                f"ALTER TABLE {LOG} ENABLE ROW LEVEL SECURITY",
                "SET LOCAL ROLE history_reader",
            )
            problem = "row-level security hides entries of the log from the current role"
            assert problem in problems()
            run(
                "RESET ROLE",
                f"CREATE POLICY read_all ON {LOG} FOR SELECT USING (true)",
                "SET LOCAL ROLE history_reader",
            )
            assert problem not in problems()
            run("RESET ROLE")
            transaction.set_rollback(True)

    @only_postgresql
    def test_definer_without_search_path(self):
        function = f"ALTER FUNCTION {UPDATE_OF_CUSTOMERS} SECURITY"
        with changed(f"{function} DEFINER", back=[f"{function} INVOKER"]):
            assert problems() == [
                f"{UPDATE_OF_CUSTOMERS}() is SECURITY DEFINER and uses the search_path of its"
                " caller"
            ]


@only_mysql
class TestCollation:
    """`migrate --fake` and restored dumps leave a log that takes 'abc' and 'ABC' for the same."""

    WRONG = f"ALTER TABLE {LOG} CONVERT TO CHARACTER SET"
    OF_SUBJECT = f"ALTER TABLE {LOG} MODIFY subject_id varchar(255) COLLATE"

    @pytest.fixture(autouse=True)
    def exact_again(self):
        yield
        run(f"{self.WRONG} utf8mb4 COLLATE utf8mb4_bin")

    def test_found(self):
        run(f"{self.OF_SUBJECT} utf8mb4_unicode_ci NULL")
        assert problems() == [f"keys are not compared exactly in subject_id of {LOG}"]
        (warning,) = checked()
        assert warning.id == "customer_history.W036"
        assert warning.hint == (
            "Run: manage.py history_triggers --fix. It runs: ALTER TABLE `customer_history_entry`"
            " CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )

    def test_fixed_with_an_entry(self):
        run(f"{self.OF_SUBJECT} utf8mb4_unicode_ci NULL")
        log, output = Log(), StringIO()
        call_command("history_triggers", fix=True, stdout=output)
        assert output.getvalue().startswith("Repaired the collation of subject_id.\n")
        assert problems() == []
        entry = log.only()
        assert (entry.action, entry.kind, entry.source) == (
            "Collation Repaired",
            "event",
            "command",
        )
        assert (entry.entity_model, entry.entity_id) == ("customer_history.triggers", "*")
        assert entry.changes == {
            "customer_history_entry.subject_id": ["utf8mb4_unicode_ci", "utf8mb4_bin"]
        }

    @pytest.mark.parametrize("wrong", ["latin1", "utf8mb3", "utf8mb4 COLLATE utf8mb4_unicode_ci"])
    def test_no_entry_changes(self, wrong):
        """Also not from another character set, as far as that could hold the texts."""
        for name in ("Straße", "strasse", "STRASSE "):
            Customer.objects.create(name=name)
        Customer.objects.filter(name="strasse").update(name="Élan")
        definition = definition_of_the_log()
        entries = list(Entry.objects.order_by("id").values())
        assert len(entries) >= 4
        run(f"{self.WRONG} {wrong}")
        call_command("history_triggers", fix=True, stdout=StringIO())
        repaired = Entry.objects.order_by("id").last()
        assert repaired.action == "Collation Repaired"
        assert list(Entry.objects.exclude(id=repaired.id).order_by("id").values()) == entries
        assert definition_of_the_log() == definition

    def test_role_without_the_right(self):
        role = "customer_history_weak"
        database = connection.settings_dict["NAME"]
        run(
            f"{self.OF_SUBJECT} utf8mb4_unicode_ci NULL",
            f"DROP USER IF EXISTS {role}@'%'",
            f"CREATE USER {role}@'%'",
            f"GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON `{database}`.* TO {role}@'%'",
        )
        log = Log()
        connections.settings["weak"] = {**connection.settings_dict, "USER": role, "PASSWORD": ""}
        connections["weak"].connect()
        try:
            with pytest.raises(CommandError) as error:
                call_command("history_triggers", database="weak", fix=True, stdout=StringIO())
        finally:
            connections["weak"].close()
            del connections["weak"], connections.settings["weak"]
            run(f"DROP USER {role}@'%'")
        message = str(error.value)
        assert message.startswith(
            "The collation of the table 'customer_history_entry' could not be repaired in the"
            " database 'weak': (1142, "
        )
        assert message.endswith(
            " The database role needs the ALTER, CREATE, INSERT privilege on"
            " 'customer_history_entry'. Run as an administrator: GRANT ALTER, CREATE, INSERT ON"
            f" `{database}`.* TO '{role}'@'%'; Then run this again."
        )
        assert log.entries() == []
        assert problems() == [f"keys are not compared exactly in subject_id of {LOG}"]

    def test_not_of_a_temporary_table(self):
        run(
            f"{self.OF_SUBJECT} utf8mb4_unicode_ci NULL",
            f"CREATE TEMPORARY TABLE {LOG} (id int)",
        )
        try:
            with pytest.raises(CommandError, match="the log is not safe"):
                call_command("history_triggers", fix=True, stdout=StringIO(), stderr=StringIO())
        finally:
            run(f"DROP TEMPORARY TABLE {LOG}")
        assert problems() == [f"keys are not compared exactly in subject_id of {LOG}"]


class TestTriggers:
    @only_postgresql
    @pytest.mark.parametrize(
        ("mode", "word"), [("ENABLE REPLICA", "enabled as replica"), ("DISABLE", "disabled")]
    )
    def test_capture_in_no_session(self, mode, word):
        call_command("migrate", verbosity=0)  # The log knows the registrations from now on.
        with changed(f"ALTER TABLE crm_customer {mode} TRIGGER {UPDATE_OF_CUSTOMERS}"):
            assert problems() == [f"stale on crm_customer ({word})"]
            call_command("migrate", verbosity=0)
            assert problems() == []
        entry = Entry.objects.filter(action="Triggers Installed").latest("id")
        assert entry.changes == {"crm_customer": [word, "good"]}

    @only_postgresql
    def test_other_event_or_table(self):
        function = f"EXECUTE FUNCTION {UPDATE_OF_CUSTOMERS}()"
        with changed(
            f"DROP TRIGGER {UPDATE_OF_CUSTOMERS} ON crm_customer",
            f"CREATE TRIGGER {UPDATE_OF_CUSTOMERS} AFTER UPDATE OF name ON crm_customer"
            f" FOR EACH ROW {function}",
        ):
            assert problems() == ["stale on crm_customer"]
        assert problems() == []

    @only_mysql
    def test_other_event(self):
        with connection.cursor() as cursor:
            cursor.execute(f"SHOW CREATE TRIGGER {UPDATE_OF_CUSTOMERS}")
            sql = cursor.fetchone()[2]
        with changed(
            f"DROP TRIGGER {UPDATE_OF_CUSTOMERS}",
            sql.replace("AFTER UPDATE", "BEFORE UPDATE", 1),
        ):
            assert problems() == ["stale on crm_customer"]
        assert problems() == []

    @only_mysql
    def test_definer_is_gone(self):
        account = "'history_gone'@'localhost'"
        with connection.cursor() as cursor:
            cursor.execute(f"SHOW CREATE TRIGGER {UPDATE_OF_CUSTOMERS}")
            sql = cursor.fetchone()[2]
        definer = sql.split("DEFINER=")[1].split()[0]
        with changed(
            f"DROP USER IF EXISTS {account}",
            f"DROP TRIGGER {UPDATE_OF_CUSTOMERS}",
            sql.replace(definer, account, 1),
        ):
            reason = "its definer history_gone@localhost does not exist"
            assert problems() == [f"stale on crm_customer ({reason})"]
            call_command("history_triggers", fix=True, stdout=StringIO(), stderr=StringIO())
            assert problems() == []
        Customer.objects.create(name="Acme")


class TestSwitches:
    """Switching capture and protection off and on is in the log."""

    @pytest.fixture(autouse=True)
    def registrations_are_logged(self):
        call_command("migrate", verbosity=0)  # The log is empty after the tests before.

    def test_removed_and_fixed(self):
        log = Log()
        output = {"stdout": StringIO(), "stderr": StringIO()}
        call_command("history_triggers", remove=True, **output)
        Customer.objects.create(name="unseen")
        call_command("history_triggers", fix=True, **output)
        removed, installed = log.entries()
        assert (removed.action, installed.action) == ("Triggers Removed", "Triggers Installed")
        assert (removed.kind, removed.source) == ("event", "command")
        assert removed.entity_model == "customer_history.triggers"
        assert removed.changes["crm_customer"] == ["good", None]
        assert removed.changes[LOG] == ["good", None]
        assert installed.changes["crm_customer"] == ["missing", "good"]
        assert installed.changes.keys() == removed.changes.keys()

    def test_removed_and_migrated(self):
        call_command("history_triggers", remove=True, stdout=StringIO())
        log = Log()
        call_command("migrate", verbosity=0)
        installed = log.only()
        assert installed.action == "Triggers Installed"
        assert installed.changes["crm_customer"] == ["missing", "good"]

    def test_nothing_to_fix(self):
        log = Log()
        call_command("history_triggers", fix=True, stdout=StringIO(), stderr=StringIO())
        call_command("migrate", verbosity=0)
        assert log.entries() == []

    def test_protection_switched_off(self, settings):
        log = Log()
        settings.CUSTOMER_HISTORY = {**settings.CUSTOMER_HISTORY, "APPEND_ONLY_TRIGGERS": False}
        call_command("migrate", verbosity=0)
        settings.CUSTOMER_HISTORY = {**settings.CUSTOMER_HISTORY, "APPEND_ONLY_TRIGGERS": True}
        call_command("migrate", verbosity=0)
        removed, installed = [one for one in log.entries() if "Triggers" in one.action]
        assert (removed.action, removed.changes[LOG]) == ("Triggers Removed", ["good", None])
        assert (installed.action, installed.changes[LOG]) == (
            "Triggers Installed",
            ["missing", "good"],
        )


class TestViews:
    @pytest.fixture(autouse=True)
    def without_table(self):
        remove_all(connection)
        run("ALTER TABLE legacy RENAME TO legacy_kept")
        yield
        remove_all(connection)
        run("ALTER TABLE legacy_kept RENAME TO legacy")
        synchronize_triggers(connection)

    def test_registered_view(self):
        kind, create = VIEWS[VENDOR]
        with changed(create, back=["DROP VIEW legacy"]):
            call_command("migrate", verbosity=0)
            (error,) = [one for one in checked() if one.obj is Legacy]
            assert (error.id, error.level) == ("customer_history.E031", 40)
            assert error.msg == (
                "Database 'default': changes of crm.Legacy cannot be recorded, because 'legacy' is"
                f" {kind}: it has no rows of its own."
            )
            assert not [one for one in compare_triggers(connection).good if one.table == "legacy"]

    @only_postgresql
    def test_materialized_view(self):
        create = VIEWS[VENDOR][1].replace("CREATE VIEW", "CREATE MATERIALIZED VIEW")
        with changed(create, back=["DROP MATERIALIZED VIEW legacy"]):
            call_command("migrate", verbosity=0)
            assert any("'legacy' is a materialized view" in one for one in problems())


class TestFirstMigrate:
    def test_no_warning_while_migrating(self, capsys):
        call_command("history_triggers", remove=True, stdout=StringIO())
        call_command("migrate", verbosity=0, skip_checks=False)
        assert "customer_history." not in capsys.readouterr().err
        call_command("check", databases=["default"])
        assert "customer_history.W004" in capsys.readouterr().err


class TestPartitions:
    @only_postgresql
    def test_wider_rights_on_a_partition(self):
        if not is_partitioned():
            pytest.skip("the log is one table")
        with connection.cursor() as cursor:
            cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits LIMIT 1")
            (part,) = cursor.fetchone()
        with changed(
            "CREATE ROLE history_app",
            f"GRANT SELECT ON {LOG} TO history_app",
            f"GRANT SELECT, DELETE ON {part} TO history_app",
            back=["DROP OWNED BY history_app", "DROP ROLE history_app"],
        ):
            assert problems() == [
                f"history_app has DELETE on the partition {part}, but not on the log"
            ]
            run(f"REVOKE DELETE ON {part} FROM history_app")
            assert problems() == []

    @only_postgresql
    def test_new_partition_has_no_rights(self):
        if not is_partitioned():
            pytest.skip("the log is one table")
        with changed(
            "CREATE ROLE history_app",
            f"GRANT SELECT ON {LOG} TO history_app",
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO history_app",
            back=[
                "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM history_app",
                "DROP OWNED BY history_app",
                "DROP ROLE history_app",
            ],
        ):
            call_command("history_partitions", create=True, ahead=5, stdout=StringIO())
            assert problems() == []


def is_partitioned():
    return bool(partitions(connection))


class TestLimits:
    """What these databases cannot do is refused; nothing is lost in silence."""

    @only_mysql
    def test_write_that_reads_the_log(self):
        customer = Customer.objects.create(name="Acme")
        created = Entry.objects.filter(kind="create").values("entity_id")
        with pytest.raises(DatabaseError) as error:
            Customer.objects.filter(pk__in=created).update(name="changed")
        assert error.value.args[0] == 1442
        customer.refresh_from_db()
        assert customer.name == "Acme"

    @only_mysql
    @pytest.mark.slow
    def test_row_above_the_largest_packet(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            (largest,) = cursor.fetchone()
        specimen = Specimen.objects.create()
        for name in ("text", "json", "binary"):
            value = b"x" * (largest // 8 * 3) if name == "binary" else "x" * (largest // 8 * 3)
            Specimen.objects.filter(pk=specimen.pk).update(**{name: value})
        with pytest.raises(DatabaseError):
            specimen.delete()
        assert Specimen.objects.filter(pk=specimen.pk).exists()


class TestFlushStatements:
    def test_each_ends_with_a_semicolon(self):
        statements = sql_flush(no_style(), connection)
        assert statements
        assert all(statement.endswith(";") for statement in statements)
