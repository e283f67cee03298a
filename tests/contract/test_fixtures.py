"""A project that moves with dumpdata and loaddata, and tests that restore serialized rows."""

import json
import zipfile

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import TransactionTestCase

from django_customer_history import history
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)


def log_rows():
    return list(Entry.objects.order_by("id").values())


@pytest.fixture
def dumped(tmp_path):
    """Return a fixture with a customer, links, and the log."""
    with history.acting(source="import", ip_address="2001:db8::1", reason="spring"):
        customer = Customer.objects.create(name="Äcme", rate="39.99")
        customer.tags.create(name="VIP")
        Customer.objects.update(rate="44.99")
    path = tmp_path / "all.json"
    models = ["crm.customer", "crm.tag", "customer_history.entry"]
    call_command("dumpdata", *models, output=str(path), verbosity=0)
    return path


class TestLoadedFixtures:
    def test_loaded_over_the_same_log(self, dumped):
        before = log_rows()
        call_command("loaddata", str(dumped), verbosity=0)
        added = [one for one in log_rows() if one not in before]
        assert [one["action"] for one in added] == ["History Paused", "History Resumed"]
        assert [one for one in log_rows() if one in before] == before

    def test_loaded_into_an_empty_database(self, dumped):
        before = log_rows()
        call_command("flush", interactive=False, verbosity=0)
        call_command("loaddata", str(dumped), verbosity=0)
        events = ["History Paused", "History Resumed"]
        assert [one for one in log_rows() if one["action"] not in events] == before
        Customer.objects.update(rate="45.00")
        assert Entry.objects.latest("id").changes == {"rate": ["44.99", "45.00"]}

    def test_fixture_in_a_zip_file(self, dumped):
        before = log_rows()
        path = dumped.with_name("all.json.zip")
        with zipfile.ZipFile(path, "w") as packed:
            packed.write(dumped, dumped.name)
        call_command("flush", interactive=False, verbosity=0)
        call_command("loaddata", str(path), verbosity=0)
        events = ["History Paused", "History Resumed"]
        assert [one for one in log_rows() if one["action"] not in events] == before

    def test_log_in_the_second_fixture(self, dumped, tmp_path):
        objects = json.loads(dumped.read_text(encoding="utf-8"))
        paths = []
        for name, is_log in (("rows", False), ("log", True)):
            part = [one for one in objects if (one["model"] == "customer_history.entry") == is_log]
            paths.append(tmp_path / f"{name}.json")
            paths[-1].write_text(json.dumps(part), encoding="utf-8")
        call_command("flush", interactive=False, verbosity=0)
        call_command("loaddata", *map(str, paths), verbosity=0)
        assert not Entry.objects.filter(source="command", kind="create").exists()

    def test_rows_without_the_log(self, dumped):
        call_command("flush", interactive=False, verbosity=0)
        call_command("loaddata", str(dumped), exclude=["customer_history"], verbosity=0)
        entry = Entry.objects.get(entity_model="crm.customer", kind="create")
        assert (entry.source, entry.context["command"]) == ("command", "loaddata")


class TestUnchangedEntries:
    def test_update_without_a_change(self, dumped):
        before = log_rows()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE customer_history_entry SET action = action")
        assert log_rows() == before

    @pytest.mark.parametrize(
        "change",
        [
            "action = 'x'",
            "changes = '{}'",
            "entity_label = 'äcme'",
            "user_label = ''",
            "context = NULL",
            "request_id = NULL",
            "ip_address = NULL",
        ],
    )
    def test_update_with_a_change(self, change):
        with history.acting(
            ip_address="203.0.113.9",
            request_id="01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f",
            reason="spring",
        ):
            Customer.objects.create(name="Äcme")
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE customer_history_entry SET {change}")


class TestSerializedRollback(TransactionTestCase):
    """A test case whose rows are restored from a text before each test."""

    def test_rows_and_log_are_restored(self):
        with history.acting(reason="spring"):
            Customer.objects.create(name="Acme").tags.create(name="VIP")
        before = log_rows()
        contents = connection.creation.serialize_db_to_string()
        for _ in range(2):  # Over the same rows, and into empty tables.
            connection.creation.deserialize_db_from_string(contents)
            assert log_rows() == before
            assert Customer.objects.get().tags.count() == 1
            call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
        assert not compare_triggers(connection)

    def test_rows_without_the_log_are_logged(self):
        Customer.objects.create(name="Acme")
        objects = json.loads(connection.creation.serialize_db_to_string())
        rows = [one for one in objects if one["model"] != "customer_history.entry"]
        call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
        connection.creation.deserialize_db_from_string(json.dumps(rows))
        entry = Entry.objects.get(entity_model="crm.customer", kind="create")
        assert entry.changes["name"] == [None, "Acme"]
