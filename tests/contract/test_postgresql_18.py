"""What PostgreSQL 18 can do and older servers cannot."""

import pytest
from django.db import IntegrityError, connection, transaction

from tests.contract.conftest import migrate, run
from tests.projects.crm.models import Account, Code, Specimen


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
