"""The log is append-only, in Python and in the database."""

from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import LiveServerTestCase, TestCase, TransactionTestCase

from django_customer_history.backends import features_of
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.exceptions import AppendOnlyError
from django_customer_history.models import Entry
from django_customer_history.testing import capture_entries
from tests.projects.crm.models import Customer


@pytest.mark.django_db
class TestPython:
    def test_entry_cannot_be_changed(self, customer):
        entry = Entry.objects.latest("id")
        with pytest.raises(AppendOnlyError):
            entry.save()
        with pytest.raises(AppendOnlyError):
            entry.delete()

    @pytest.mark.parametrize(
        "change",
        [
            lambda entries: entries.update(action="x"),
            lambda entries: entries.delete(),
            lambda entries: entries._raw_delete("default"),
            lambda entries: entries.bulk_update(list(entries), ["action"]),
            lambda entries: entries.bulk_create(
                list(entries), update_conflicts=True, update_fields=["action"]
            ),
        ],
    )
    def test_queryset_refuses_changes(self, customer, change):
        with pytest.raises(AppendOnlyError, match="append-only"):
            change(Entry.objects.all())
        assert Entry.objects.latest("id").action != "x"


class TestDatabase:
    @pytest.mark.django_db
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE customer_history_entry SET action = 'x'",
            "DELETE FROM customer_history_entry",
        ],
    )
    def test_changes_are_refused(self, customer, statement):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        assert Entry.objects.exclude(action="x").exists()

    @pytest.mark.django_db
    def test_replacement_is_refused(self, customer):
        if connection.vendor == "postgresql":
            upsert = (
                "INSERT INTO customer_history_entry SELECT * FROM customer_history_entry"
                " ON CONFLICT (id) DO UPDATE SET action = 'x'"
            )
        else:
            upsert = "REPLACE INTO customer_history_entry SELECT * FROM customer_history_entry"
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(upsert)

    @pytest.mark.django_db
    def test_truncate_is_refused(self, customer):
        """MariaDB and MySQL run no trigger on TRUNCATE: there only privileges help."""
        if features_of(connection).has_truncate_triggers:
            with (
                pytest.raises(IntegrityError, match="TRUNCATE refused"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute("TRUNCATE customer_history_entry")
        assert Entry.objects.exists()


class TestTransactionTestCase(TransactionTestCase):
    """The test cases of a project can empty the database."""

    def test_writes_are_flushed(self):
        assert not Entry.objects.filter(entity_model="crm.customer").exists()
        Customer.objects.create(name="Acme")
        assert Entry.objects.filter(entity_model="crm.customer").count() == 1

    def test_next_test_starts_empty(self):
        assert not Entry.objects.filter(entity_model="crm.customer").exists()
        Customer.objects.create(name="Acme")

    def test_flush_keeps_the_triggers(self):
        Customer.objects.create(name="Acme")
        call_command("flush", interactive=False, verbosity=0)
        assert not Entry.objects.exists()
        assert not compare_triggers(connection)
        Customer.objects.create(name="Acme")
        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.execute("DELETE FROM customer_history_entry")


class TestTestCase(TestCase):
    """Each test of a project is rolled back, with its entries."""

    @classmethod
    def setUpTestData(cls):
        cls.customer = Customer.objects.create(name="Acme")

    def test_entries_made_in_a_block(self):
        with capture_entries() as made:
            self.customer.name = "Renamed"
            self.customer.save()
            other = Customer.objects.create(name="Other")
            key = other.pk
            other.delete()
        assert made.actions == ["Update", "Create", "Delete"]
        assert made.changes[0] == {"name": ["Acme", "Renamed"]}
        assert made.about(self.customer) == made.entries[:1]
        assert [entry.entity_id for entry in made.entries[1:]] == [str(key), str(key)]

    def test_next_test_starts_empty(self):
        with capture_entries() as made:
            pass
        assert made.entries == []
        assert Customer.objects.get().name == "Acme"


class TestLiveServerTestCase(LiveServerTestCase):
    """A server in another thread, as browser tests use it."""

    def test_request_is_logged(self):
        customer = Customer.objects.create(name="Acme")
        with capture_entries() as made:
            data = urlencode({"name": "Over the wire"}).encode()
            with urlopen(f"{self.live_server_url}/customers/{customer.pk}/", data) as response:
                assert response.status == 200
        (entry,) = made.entries
        assert entry.changes == {"name": ["Acme", "Over the wire"]}
        assert (entry.source, entry.ip_address) == ("web", "127.0.0.1")
