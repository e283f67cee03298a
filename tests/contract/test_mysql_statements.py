"""Statements and modes that only MariaDB and MySQL have."""

import time
import uuid

import pytest
from django.db import DatabaseError, connection

from django_customer_history import history
from django_customer_history.capture.triggers import synchronize_triggers
from django_customer_history.context.resolved import NamedUser
from tests.contract.conftest import run, skip_unless_mysql_protocol
from tests.factories import registered_as
from tests.projects.crm.models import Code, Legacy, LegacyPart

ANN = NamedUser(id="1", label="ann")
SECONDS_FOR_AN_EVENT = 30


@pytest.fixture(autouse=True)
def _only_here(transactional_db):
    skip_unless_mysql_protocol()


@pytest.fixture
def codes(log):
    """Two codes whose creation is not in the log any more."""
    Code.objects.bulk_create([Code(code="a", text="Siren"), Code(code="b", text="Bell")])
    log.clear()
    return log


@pytest.mark.django_db(transaction=True)
class TestStatements:
    def test_update_of_several_rows(self, codes):
        run("UPDATE crm_code SET text = CONCAT(text, '!') ORDER BY code DESC LIMIT 2")
        assert codes.values("kind", "entity_id", "changes") == [
            ("update", "b", {"text": ["Bell", "Bell!"]}),
            ("update", "a", {"text": ["Siren", "Siren!"]}),
        ]

    def test_on_duplicate_key_update(self, codes):
        run(
            "INSERT INTO crm_code VALUES ('a', 'Horn'), ('c', 'Gong'), ('b', 'Bell')"
            " ON DUPLICATE KEY UPDATE text = VALUES(text)"
        )
        assert codes.values("kind", "entity_id", "changes") == [
            ("update", "a", {"text": ["Siren", "Horn"]}),
            ("create", "c", {"text": [None, "Gong"]}),
        ]

    def test_insert_ignore(self, codes):
        run("INSERT IGNORE INTO crm_code VALUES ('a', 'Horn'), ('c', 'Gong')")
        assert codes.values("kind", "entity_id") == [("create", "c")]

    def test_replace(self, codes):
        run("REPLACE INTO crm_code VALUES ('a', 'Horn'), ('c', 'Gong')")
        assert codes.values("kind", "entity_id", "changes") == [
            ("delete", "a", {"text": ["Siren", None]}),
            ("create", "a", {"text": [None, "Horn"]}),
            ("create", "c", {"text": [None, "Gong"]}),
        ]

    def test_insert_from_a_query(self, codes):
        run("INSERT INTO crm_code SELECT CONCAT(code, code), text FROM crm_code ORDER BY code")
        assert codes.values("kind", "entity_id", "changes") == [
            ("create", "aa", {"text": [None, "Siren"]}),
            ("create", "bb", {"text": [None, "Bell"]}),
        ]

    def test_load_data(self, codes):
        # The server writes the file itself, as it may run where this process has no files.
        ((folder,),) = run("SELECT COALESCE(NULLIF(@@secure_file_priv, ''), @@tmpdir)")
        name = f"{folder.rstrip('/')}/history_test_{uuid.uuid4().hex}.txt"
        run(
            f"SELECT 'a', 'Horn' UNION SELECT 'c', 'Gong' INTO OUTFILE '{name}'",
            f"LOAD DATA INFILE '{name}' REPLACE INTO TABLE crm_code",
        )
        assert codes.values("kind", "entity_id", "changes") == [
            ("delete", "a", {"text": ["Siren", None]}),
            ("create", "a", {"text": [None, "Horn"]}),
            ("create", "c", {"text": [None, "Gong"]}),
        ]

    def test_update_of_two_tables(self, customer, log):
        note = customer.notes.create(text="old")
        log.clear()
        run(
            "UPDATE crm_note JOIN crm_customer ON crm_note.customer_id = crm_customer.id"
            " SET crm_note.text = 'new', crm_customer.name = 'Bolt'"
        )
        assert sorted(log.values("entity_model", "entity_id", "subject_id", "changes")) == [
            ("crm.customer", str(customer.pk), str(customer.pk), {"name": ["Acme", "Bolt"]}),
            ("crm.note", str(note.pk), str(customer.pk), {"text": ["old", "new"]}),
        ]

    def test_delete_from_two_tables(self, customer, log):
        customer.notes.create(text="a")
        Code.objects.create(code="Acme", text="Siren")
        log.clear()
        run(
            "DELETE crm_note, crm_code FROM crm_note JOIN crm_customer"
            " ON crm_note.customer_id = crm_customer.id"
            " JOIN crm_code ON crm_code.code = crm_customer.name"
        )
        assert sorted(log.values("kind", "entity_model")) == [
            ("delete", "crm.code"),
            ("delete", "crm.note"),
        ]

    def test_prepared_statement(self, codes):
        with history.acting(user=ANN):
            run(
                "PREPARE change_text FROM 'UPDATE crm_code SET text = ? WHERE code = ?'",
                "SET @new_text = 'Horn', @code = 'a'",
                "EXECUTE change_text USING @new_text, @code",
                "DEALLOCATE PREPARE change_text",
            )
        assert codes.values("user_label", "changes") == [("ann", {"text": ["Siren", "Horn"]})]

    def test_stored_procedure(self, codes):
        run(
            "CREATE PROCEDURE history_test_rename(new_text VARCHAR(40))"
            " UPDATE crm_code SET text = new_text WHERE code = 'a'"
        )
        try:
            with history.acting(user=ANN), connection.cursor() as cursor:
                cursor.callproc("history_test_rename", ["Horn"])
        finally:
            run("DROP PROCEDURE history_test_rename")
        assert codes.values("user_label", "changes") == [("ann", {"text": ["Siren", "Horn"]})]

    def test_event_of_the_scheduler(self, codes):
        ((before,),) = run("SELECT @@event_scheduler")
        run("SET GLOBAL event_scheduler = ON")
        try:
            with history.acting(user=ANN):
                run(
                    "CREATE EVENT history_test_event ON SCHEDULE AT CURRENT_TIMESTAMP"
                    " DO UPDATE crm_code SET text = 'Horn' WHERE code = 'a'"
                )
            deadline = time.monotonic() + SECONDS_FOR_AN_EVENT
            while not codes.entries() and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            run("DROP EVENT IF EXISTS history_test_event")
            run(f"SET GLOBAL event_scheduler = {before}")
        assert codes.values("user_label", "source", "changes") == [
            (None, "system", {"text": ["Siren", "Horn"]})
        ]

    def test_truncate_is_not_logged(self, codes):
        """A documented limit: no trigger runs, and only privileges can forbid it."""
        run("TRUNCATE TABLE crm_code")
        assert not Code.objects.exists()
        assert codes.entries() == []


@pytest.mark.django_db(transaction=True)
class TestNativeCascades:
    """A documented limit: the server runs no triggers for what its own foreign keys do."""

    @pytest.fixture
    def part(self, log, customer):
        Legacy.objects.create(id=1, customer=customer, text="t")
        LegacyPart.objects.create(id=5, legacy_id=1, text="p")
        log.clear()

    def change_constraint(self, altered, *, action):
        ((name,),) = run(
            "SELECT constraint_name FROM information_schema.referential_constraints"
            " WHERE constraint_schema = DATABASE() AND table_name = 'legacy_part'"
        )
        drop = f"ALTER TABLE legacy_part DROP FOREIGN KEY {name}"
        add = (
            f"ALTER TABLE legacy_part ADD CONSTRAINT {name}"
            " FOREIGN KEY (legacy_id) REFERENCES legacy (id)"
        )
        altered(forwards=drop, backwards=f"{add} ON DELETE CASCADE")
        altered(forwards=f"{add} {action}", backwards=drop)

    def test_delete(self, part, log):
        run("DELETE FROM legacy WHERE id = 1")
        assert not LegacyPart.objects.exists()
        assert log.values("kind", "entity_model", "entity_id") == [("delete", "crm.legacy", "1")]

    def test_change_of_the_key(self, part, log, altered):
        self.change_constraint(altered, action="ON UPDATE CASCADE")
        run("UPDATE legacy SET id = 2")
        assert LegacyPart.objects.get().legacy_id == 2
        assert log.values("kind", "entity_model", "entity_id") == [("update", "crm.legacy", "1")]
        LegacyPart.objects.all().delete()


@pytest.mark.django_db(transaction=True)
class TestContext:
    def test_comes_after_a_write_without(self, codes):
        """The session compiles a trigger once, before any variable of the context is set."""
        connection.close()
        run("UPDATE crm_code SET text = 'Horn' WHERE code = 'a'")
        with history.acting(user=ANN, reason="Zürich 😀"):
            run("UPDATE crm_code SET text = 'Gong' WHERE code = 'a'")
        run("UPDATE crm_code SET text = 'Bell' WHERE code = 'a'")
        assert codes.values("user_label", "context") == [
            (None, None),
            ("ann", {"reason": "Zürich 😀"}),
            (None, None),
        ]

    def test_reason_after_a_refusal(self, codes):
        with registered_as(Code, subject="self", reason_required=["update"]):
            synchronize_triggers(connection)
            try:
                connection.close()
                with pytest.raises(DatabaseError, match="reason is required"):
                    run("UPDATE crm_code SET text = 'Horn' WHERE code = 'a'")
                with history.acting(reason="Spring"):
                    run("UPDATE crm_code SET text = 'Gong' WHERE code = 'a'")
            finally:
                Code.objects.all().delete()
        synchronize_triggers(connection)
        assert codes.values("kind", "context")[0] == ("update", {"reason": "Spring"})


@pytest.mark.django_db(transaction=True)
class TestSQLModes:
    """A trigger keeps the mode in which it was made; the writers' sessions have others."""

    @pytest.fixture(autouse=True)
    def _modes(self, _only_here):
        ((mode,),) = run("SELECT @@sql_mode")
        yield
        run(f"SET SESSION sql_mode = '{mode}'")

    @pytest.mark.parametrize(
        "mode", ["", "ANSI", "TRADITIONAL", "NO_BACKSLASH_ESCAPES", "PAD_CHAR_TO_FULL_LENGTH"]
    )
    def test_text_is_logged_as_it_is(self, log, mode):
        run(f"SET SESSION sql_mode = '{mode}'")
        text = "a\\n \"b\" 'c' || d"
        Code.objects.create(code="a", text="Siren")
        Code.objects.update(text=text)
        Code.objects.all().delete()
        assert log.changes() == [
            {"text": [None, "Siren"]},
            {"text": ["Siren", text]},
            {"text": [text, None]},
        ]

    def test_value_that_the_server_shortens(self, log):
        run("SET SESSION sql_mode = ''")
        run(f"INSERT INTO crm_code VALUES ('a', '{'x' * 50}')")
        assert log.changes() == [{"text": [None, "x" * 40]}]

    def test_triggers_made_in_another_mode(self, log, altered):
        run("SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'")
        altered(
            forwards="ALTER TABLE crm_code ADD COLUMN remark varchar(20)",
            backwards="ALTER TABLE crm_code DROP COLUMN remark",
        )
        run("INSERT INTO crm_code VALUES ('a', 'x', 'y')")
        assert log.changes() == [{"text": [None, "x"], "remark": [None, "y"]}]

    @pytest.mark.parametrize("mode", ["", "ANSI", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"])
    def test_backslash_in_an_action(self, codes, mode):
        """The text is in the trigger, where the mode decides what a backslash means."""
        action = "Back\\slash, 'quoted' and \"double\""
        with registered_as(Code, subject="self", events={"update": action}):
            run(f"SET SESSION sql_mode = '{mode}'")
            synchronize_triggers(connection)
            run("UPDATE crm_code SET text = 'Horn' WHERE code = 'a'")
        synchronize_triggers(connection)
        assert codes.values("action") == [(action,)]

    def test_strict_mode_refuses_the_write(self, codes):
        run("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
        with pytest.raises(DatabaseError, match="Data too long"):
            run(f"UPDATE crm_code SET text = '{'x' * 50}'")
        assert Code.objects.get(code="a").text == "Siren"
        assert codes.entries() == []
