"""What MariaDB 11.8 and MySQL 8.4 can do and other servers cannot."""

import pytest

from tests.contract.conftest import run, skip_unless
from tests.projects.crm.models import Attachment, Code, Specimen, Ticket


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
