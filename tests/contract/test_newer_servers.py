"""Features that only some servers have: each is tested where the server has it."""

import os
import subprocess
import sys

import pytest
from django.db import IntegrityError, connection, migrations, transaction
from django.db.migrations.state import ProjectState

from tests.projects.crm.models import (
    Account,
    Attachment,
    Code,
    Legacy,
    LegacyPart,
    Specimen,
    Ticket,
)


def run(*statements):
    """Run SQL without the schema editor, so that no trigger is updated. Return the last rows."""
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def migrate(*statements):
    """Run SQL as a migration does, so that the triggers are updated."""
    state = ProjectState()
    with connection.schema_editor() as editor:
        for sql in statements:
            migrations.RunSQL(sql).database_forwards("crm", editor, state, state)


def skip_unless(*, mariadb, version):
    """Skip the test unless the server is MariaDB or MySQL of at least a version."""
    name = "MariaDB" if mariadb else "MySQL"
    minimum = ".".join(map(str, version))
    if connection.vendor != "mysql" or connection.mysql_is_mariadb is not mariadb:
        pytest.skip(f"a feature of {name} {minimum}")
    if connection.mysql_version < version:
        found = ".".join(map(str, connection.mysql_version))
        pytest.skip(f"a feature of {name} {minimum}, and the server is {found}")


@pytest.mark.django_db
class TestPostgreSQL18:
    @pytest.fixture(autouse=True)
    def _newer(self, db):
        if connection.vendor != "postgresql":
            pytest.skip("a feature of PostgreSQL 18")
        if connection.pg_version < 180000:
            pytest.skip(f"a feature of PostgreSQL 18, and the server is {connection.pg_version}")

    @pytest.mark.parametrize("change_table", [run, migrate], ids=["raw SQL", "migration"])
    def test_virtual_column_is_not_logged(self, log, change_table):
        """The server computes a virtual column when it is read, so a trigger has no value."""
        Code.objects.create(code="a", text="Siren")
        Code.objects.update(text="Bell")
        run("SET CONSTRAINTS ALL IMMEDIATE")
        log.clear()
        change_table(
            "ALTER TABLE crm_code ADD COLUMN shout text GENERATED ALWAYS AS (upper(text)) VIRTUAL"
        )
        Code.objects.create(code="b", text="Horn")
        Code.objects.filter(code="a").update(text="Gong")
        Code.objects.filter(code="b").delete()
        assert run("SELECT shout FROM crm_code") == [("GONG",)]
        assert log.values("kind", "entity_id", "changes") == [
            ("create", "b", {"text": [None, "Horn"]}),
            ("update", "a", {"text": ["Bell", "Gong"]}),
            ("delete", "b", {"text": ["Horn", None]}),
        ]

    @pytest.mark.parametrize("change_table", [run, migrate], ids=["raw SQL", "migration"])
    def test_not_null_not_valid(self, log, change_table):
        """Rows that are older than the constraint still have no value."""
        old, other = (Specimen.objects.create(small=number) for number in (1, 2))
        run("SET CONSTRAINTS ALL IMMEDIATE")
        log.clear()
        change_table("ALTER TABLE crm_specimen ADD CONSTRAINT has_text NOT NULL text NOT VALID")
        Specimen.objects.filter(pk=old.pk).update(text="Siren")
        Specimen.objects.filter(pk=other.pk).delete()
        Specimen.objects.create(text="Bell")
        assert log.values("kind", "changes") == [
            ("update", {"text": [None, "Siren"]}),
            ("delete", {"small": ["2", None]}),
            ("create", {"text": [None, "Bell"]}),
        ]

    def test_not_null_validated_later(self, log):
        migrate("ALTER TABLE crm_specimen ADD CONSTRAINT has_text NOT NULL text NOT VALID")
        run("ALTER TABLE crm_specimen VALIDATE CONSTRAINT has_text")
        Specimen.objects.create(text="Bell").delete()
        assert log.values("kind", "changes") == [
            ("create", {"text": [None, "Bell"]}),
            ("delete", {"text": ["Bell", None]}),
        ]

    def test_key_with_default_uuidv7(self, log):
        migrate("ALTER TABLE crm_account ALTER COLUMN id SET DEFAULT uuidv7()")
        rows = run(
            'INSERT INTO crm_account (label, ignored, "Kept Column")'
            " VALUES ('a', '', ''), ('b', '', 'k') RETURNING id"
        )
        Account.objects.filter(pk=rows[0][0]).update(label="c")
        first, second = (str(key) for (key,) in rows)
        assert log.values("kind", "entity_id", "subject_id", "changes") == [
            ("create", first, first, {"label": [None, "a"], "kept": [None, ""]}),
            ("create", second, second, {"label": [None, "b"], "kept": [None, "k"]}),
            ("update", first, first, {"label": ["a", "c"]}),
        ]

    def test_temporal_primary_key(self, log):
        """Two rows with the same key at different times are one entity of the log."""
        run("CREATE EXTENSION IF NOT EXISTS btree_gist")
        migrate(
            "ALTER TABLE crm_code ADD COLUMN valid daterange NOT NULL DEFAULT '[2026-01-01,)'",
            "ALTER TABLE crm_code DROP CONSTRAINT crm_code_pkey",
            "ALTER TABLE crm_code ADD PRIMARY KEY (code, valid WITHOUT OVERLAPS)",
        )
        first, second = "[2026-01-01,2026-06-01)", "[2026-06-01,)"
        run(
            f"INSERT INTO crm_code VALUES ('a', 'Siren', '{first}'), ('a', 'Bell', '{second}')",
            f"UPDATE crm_code SET text = 'Horn' WHERE valid = '{second}'",
            f"DELETE FROM crm_code WHERE valid = '{first}'",
        )
        with pytest.raises(IntegrityError), transaction.atomic():
            run("INSERT INTO crm_code VALUES ('a', 'Gong', '[2026-07-01,2026-08-01)')")
        assert log.values("kind", "entity_id", "changes") == [
            (
                "create",
                "a",
                {"text": [None, "Siren"], "valid": [None, first]},
            ),
            (
                "create",
                "a",
                {"text": [None, "Bell"], "valid": [None, second]},
            ),
            ("update", "a", {"text": ["Bell", "Horn"]}),
            (
                "delete",
                "a",
                {"text": ["Siren", None], "valid": [first, None]},
            ),
        ]

    def test_returning_old_and_new(self, log):
        values = "RETURNING old.text, new.text"
        assert run(f"INSERT INTO crm_code VALUES ('a', 'Siren') {values}") == [(None, "Siren")]
        upsert = "INSERT INTO crm_code VALUES ('a', 'Bell') ON CONFLICT (code) DO UPDATE"
        assert run(f"{upsert} SET text = EXCLUDED.text {values}") == [("Siren", "Bell")]
        assert run(f"UPDATE crm_code SET text = 'Horn' {values}") == [("Bell", "Horn")]
        assert run(f"DELETE FROM crm_code {values}") == [("Horn", None)]
        assert log.values("kind", "changes") == [
            ("create", {"text": [None, "Siren"]}),
            ("update", {"text": ["Siren", "Bell"]}),
            ("update", {"text": ["Bell", "Horn"]}),
            ("delete", {"text": ["Horn", None]}),
        ]

    def test_merge_statement(self, log):
        run("INSERT INTO crm_code VALUES ('a', 'Siren'), ('b', 'Bell')")
        log.clear()
        rows = run(
            "MERGE INTO crm_code USING (VALUES ('a', 'Horn'), ('c', 'Gong')) AS source (code, text)"
            " ON crm_code.code = source.code"
            " WHEN MATCHED THEN UPDATE SET text = source.text"
            " WHEN NOT MATCHED THEN INSERT VALUES (source.code, source.text)"
            " WHEN NOT MATCHED BY SOURCE THEN DELETE"
            " RETURNING merge_action(), old.text, new.text"
        )
        assert sorted(row[0] for row in rows) == ["DELETE", "INSERT", "UPDATE"]
        assert sorted(log.values("kind", "entity_id", "changes")) == [
            ("create", "c", {"text": [None, "Gong"]}),
            ("delete", "b", {"text": ["Bell", None]}),
            ("update", "a", {"text": ["Siren", "Horn"]}),
        ]


@pytest.fixture
def altered():
    """Change tables as a migration does, and undo each change after the test."""
    undo = []

    def change(*, forwards, backwards):
        undo.append(backwards)
        migrate(forwards)

    yield change
    for sql in reversed(undo):
        migrate(sql)


@pytest.mark.django_db(transaction=True)
class TestMariaDB118:
    @pytest.fixture(autouse=True)
    def _newer(self, transactional_db):
        skip_unless(mariadb=True, version=(11, 8))

    def test_tables_of_older_collation(self, log, altered, customer):
        """Tables of an older server keep their collation, and new ones have the new default."""
        for table in ("crm_code", "crm_attachment", "django_content_type"):
            convert = f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_"
            altered(forwards=f"{convert}uca1400_ai_ci", backwards=f"{convert}unicode_ci")
        ((default,),) = run("SELECT @@collation_connection")
        assert default == "utf8mb4_uca1400_ai_ci"
        log.clear()
        Code.objects.create(code="a", text="Siren 😀")
        Code.objects.update(text="siren 😀")
        Attachment.objects.create(content_object=customer, name="Plan").delete()
        attachment = {"name": [None, "Plan"], "object_id": [None, str(customer.pk)]}
        entries = log.entries()
        assert [(entry.kind, entry.subject_id) for entry in entries] == [
            ("create", "a"),
            ("update", "a"),
            ("create", str(customer.pk)),
            ("delete", str(customer.pk)),
        ]
        assert entries[1].changes == {"text": ["Siren 😀", "siren 😀"]}
        assert entries[2].changes.items() >= attachment.items()

    def test_vector_is_logged_as_bytes(self, log, altered):
        altered(
            forwards="ALTER TABLE crm_code ADD COLUMN embedding VECTOR(2)",
            backwards="ALTER TABLE crm_code DROP COLUMN embedding",
        )
        run(
            "INSERT INTO crm_code VALUES ('a', 'Siren', VEC_FromText('[1,2]'))",
            "UPDATE crm_code SET embedding = VEC_FromText('[1,2.5]')",
            "UPDATE crm_code SET embedding = VEC_FromText('[1,2.5]')",
            "DELETE FROM crm_code",
        )
        created, changed, deleted = log.changes()
        # As binary columns are logged: the bytes of the two numbers, in hexadecimal.
        first, second = "0000803f00000040", "0000803f00002040"
        assert created == {
            "text": [None, "Siren"],
            "embedding": [None, first],
        }
        assert changed == {"embedding": [first, second]}
        assert deleted["embedding"] == [second, None]

    def test_system_versioned_table(self, log, altered):
        altered(
            forwards="ALTER TABLE crm_code ADD SYSTEM VERSIONING",
            backwards="ALTER TABLE crm_code DROP SYSTEM VERSIONING",
        )
        Code.objects.bulk_create([Code(code=key, text="Siren") for key in "ab"])
        Code.objects.filter(code="a").update(text="Bell")
        Code.objects.bulk_update(
            [Code(code="a", text="Horn"), Code(code="b", text="Gong")], ["text"]
        )
        Code.objects.all().delete()
        assert run("SELECT COUNT(*) FROM crm_code FOR SYSTEM_TIME ALL") != [(0,)]
        run("DELETE HISTORY FROM crm_code")
        created = {"text": [None, "Siren"]}
        assert log.values("kind", "entity_id", "changes") == [
            ("create", "a", created),
            ("create", "b", created),
            ("update", "a", {"text": ["Siren", "Bell"]}),
            ("update", "a", {"text": ["Bell", "Horn"]}),
            ("update", "b", {"text": ["Siren", "Gong"]}),
            ("delete", "a", {"text": ["Horn", None]}),
            ("delete", "b", {"text": ["Gong", None]}),
        ]


@pytest.mark.django_db(transaction=True)
class TestMySQL84:
    @pytest.fixture(autouse=True)
    def _newer(self, transactional_db):
        skip_unless(mariadb=False, version=(8, 4))

    def test_native_cascade_is_not_logged(self, log, customer):
        """The server runs no triggers for rows that its own foreign keys remove."""
        Legacy.objects.create(id=1, customer=customer, text="t")
        LegacyPart.objects.create(id=5, legacy_id=1, text="p")
        log.clear()
        run("DELETE FROM legacy WHERE id = 1")
        assert not LegacyPart.objects.exists()
        assert log.values("kind", "entity_model", "entity_id") == [("delete", "crm.legacy", "1")]

    def test_vector_is_logged_as_bytes(self, log, altered):
        skip_unless(mariadb=False, version=(9, 0))
        altered(
            forwards="ALTER TABLE crm_code ADD COLUMN embedding VECTOR(2)",
            backwards="ALTER TABLE crm_code DROP COLUMN embedding",
        )
        run(
            "INSERT INTO crm_code VALUES ('a', 'Siren', TO_VECTOR('[1,2]'))",
            "UPDATE crm_code SET embedding = TO_VECTOR('[1,2.5]')",
            "UPDATE crm_code SET embedding = TO_VECTOR('[1,2.5]')",
            "DELETE FROM crm_code",
        )
        first, second = "0000803f00000040", "0000803f00002040"
        created, changed, deleted = log.changes()
        assert created["embedding"] == [None, first]
        assert changed == {"embedding": [first, second]}
        assert deleted["embedding"] == [second, None]

    def test_order_of_json_keys(self, log):
        """The server orders the keys, shorter ones first; another order is not a change."""
        specimen = Specimen.objects.create(json={"bb": 1, "c": [2, {"z": 1, "a": 2}], "a": None})
        same = {"a": None, "c": [2, {"a": 2, "z": 1}], "bb": 1}
        Specimen.objects.filter(pk=specimen.pk).update(json=same)
        Specimen.objects.filter(pk=specimen.pk).update(json={"bb": 1, "a": 0})
        first = '{"a": null, "c": [2, {"a": 2, "z": 1}], "bb": 1}'
        assert log.changes() == [
            {"json": [None, first]},
            {"json": [first, '{"a": 0, "bb": 1}']},
        ]

    def test_many_keys_of_json(self, log, customer):
        """GROUP_CONCAT gives 1,024 bytes by default; no key may be lost to that."""
        before = {f"{number:03}{'k' * 47}": number for number in range(200)}
        after = {key: value + 1 for key, value in before.items()}
        ticket = Ticket.objects.create(customer=customer, udf=before)
        Ticket.objects.filter(pk=ticket.pk).update(udf=after)
        ticket.delete()
        created, changed, deleted = log.changes()
        names = {key: f"udf.{key}" for key in before}
        assert {created[names[key]][1] for key in before} == set(map(str, before.values()))
        assert changed == {names[key]: [str(before[key]), str(after[key])] for key in before}
        assert {deleted[names[key]][0] for key in before} == set(map(str, after.values()))


@pytest.mark.django_db(transaction=True)
class TestSQLModes:
    """A trigger keeps the mode in which it was made; the writers' sessions have others."""

    @pytest.fixture(autouse=True)
    def _modes(self, transactional_db):
        if connection.vendor != "mysql":
            pytest.skip("only MariaDB and MySQL have sql_mode")
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


ROLE = "history_test_writer"


def migrate_as_role():
    """Run `migrate` in another process, as the role."""
    settings = connection.settings_dict
    url = f"mysql://{ROLE}:pw@{settings['HOST'] or '127.0.0.1'}:{settings['PORT'] or 3306}/{ROLE}"
    return subprocess.run(
        [sys.executable, "-m", "django", "migrate", "-v0"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
class TestRoleWithoutTrigger:
    @pytest.fixture(autouse=True)
    def _role(self, transactional_db):
        skip_unless(mariadb=False, version=(8, 4))
        rights = (
            "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES,"
            " CREATE TEMPORARY TABLES, LOCK TABLES"
        )
        run(
            f"CREATE DATABASE {ROLE} CHARACTER SET utf8mb4",
            f"CREATE USER {ROLE}@'%' IDENTIFIED BY 'pw'",
            f"GRANT {rights} ON {ROLE}.* TO {ROLE}@'%'",
        )
        yield
        run(f"DROP DATABASE {ROLE}", f"DROP USER {ROLE}@'%'")

    def test_error_names_the_grant(self):
        done = migrate_as_role()
        assert done.returncode == 1
        assert "GRANT TRIGGER" in done.stderr

    def test_creates_nothing_and_can_be_repeated(self):
        assert migrate_as_role().returncode == 1
        assert not run(f"SHOW TABLES FROM {ROLE} LIKE 'customer%'")
        run(f"GRANT TRIGGER ON {ROLE}.* TO {ROLE}@'%'")
        done = migrate_as_role()
        assert done.returncode == 0, done.stderr
