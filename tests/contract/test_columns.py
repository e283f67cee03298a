"""PostgreSQL: trigger functions that name columns notice when the columns change."""

import pytest
from django.db import DatabaseError, connection, transaction

from tests.projects.crm.models import Code, Ticket

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL names columns"),
]


def run(*statements):
    """Run SQL without the schema editor, so that no trigger is updated."""
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


@pytest.fixture
def code(customer):
    """A row of a table whose triggers have run in this session before."""
    Code.objects.create(code="a", text="Siren")
    Code.objects.update(text="Bell")
    Code.objects.create(code="b", text="Other").delete()


class TestChangedColumns:
    @pytest.mark.parametrize(
        ("change", "write", "expected"),
        [
            (
                "ALTER TABLE crm_code ADD COLUMN colour text",
                "UPDATE crm_code SET colour = 'red'",
                {"colour": [None, "red"]},
            ),
            (
                "ALTER TABLE crm_code RENAME COLUMN text TO subject",
                "UPDATE crm_code SET subject = 'Horn'",
                {"subject": ["Bell", "Horn"]},
            ),
            (
                "ALTER TABLE crm_code ALTER COLUMN text TYPE jsonb USING to_jsonb(text)",
                "UPDATE crm_code SET text = '[1]'",
                {"text": ["Bell", "[1]"]},
            ),
            (
                "ALTER TABLE crm_code RENAME TO crm_case",
                "UPDATE crm_case SET text = 'Horn'",
                {"text": ["Bell", "Horn"]},
            ),
        ],
    )
    def test_update_after_schema_change(self, code, log, change, write, expected):
        log.clear()
        run(change, write)
        assert log.values("kind", "entity_id", "changes") == [("update", "a", expected)]

    def test_rows_after_column_rename(self, code, log):
        run("ALTER TABLE crm_code RENAME text TO subject")
        log.clear()
        run(
            "INSERT INTO crm_code SELECT * FROM (SELECT (json_populate_record(one,"
            """ '{"code": "c", "subject": "Copy"}')).* FROM crm_code AS one) AS copied""",
            "DELETE FROM crm_code WHERE code = 'c'",
        )
        logged = [(entry.kind, entry.changes["subject"]) for entry in log.entries()]
        assert logged == [("create", [None, "Copy"]), ("delete", ["Copy", None])]

    def test_json_keys_after_schema_change(self, customer, log):
        ticket = Ticket.objects.create(customer=customer, udf={"colour": "red", "it's": 1})
        Ticket.objects.update(udf={"colour": "blue", "it's": 1})
        run("SET CONSTRAINTS ALL IMMEDIATE", "ALTER TABLE crm_ticket ADD COLUMN remark text")
        Ticket.objects.update(udf=["a"])
        Ticket.objects.update(udf={"colour": None})
        ticket.delete()
        created, *changes, deleted = log.changes()
        assert created["udf.colour"] == [None, '"red"']
        assert created["udf.it's"] == [None, "1"]
        assert changes == [
            {"udf.colour": ['"red"', '"blue"']},
            {"udf": ["""{"it's": 1, "colour": "blue"}""", '["a"]']},
            {"udf": ['["a"]', '{"colour": null}']},
        ]
        assert deleted["udf.colour"] == ["null", None]

    def test_schema_change_rolled_back(self, code, log):
        log.clear()
        with pytest.raises(DatabaseError), transaction.atomic():
            run(
                "ALTER TABLE crm_code RENAME text TO subject",
                "UPDATE crm_code SET subject = 'Horn'",
            )
            run("SELECT no_such_function()")
        Code.objects.update(text="Gong")
        assert log.changes() == [{"text": ["Bell", "Gong"]}]


class TestPrivileges:
    def test_write_only_role_is_logged(self, code, log):
        log.clear()
        run(
            "CREATE ROLE blind_writer",
            "GRANT INSERT ON customer_history_entry TO blind_writer",
            "GRANT UPDATE ON crm_code TO blind_writer",
            "SET LOCAL ROLE blind_writer",
            "UPDATE crm_code SET text = 'Horn'",
            "RESET ROLE",
            "REVOKE ALL ON customer_history_entry, crm_code FROM blind_writer",
            "DROP ROLE blind_writer",
        )
        assert log.changes() == [{"text": ["Bell", "Horn"]}]
