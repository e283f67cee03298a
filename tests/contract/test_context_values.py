"""User, source, IP address, request and reason: every entry has those of its own context."""

import threading
import uuid

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.utils import DatabaseError

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import (
    InvalidContextError,
    NotRegisteredError,
)
from django_customer_history.models import Entry
from tests.projects.crm.models import Account, Customer, Invoice, InvoiceLine, Note, Tag

pytestmark = pytest.mark.django_db

ANN = NamedUser(id="1", label="ann")
BOB = NamedUser(id="2", label='bob\'s "%s" \\ 🚨')


def rename(name):
    Customer.objects.update(name=name)


@pytest.fixture
def driver_cursor():
    """Return a cursor of the driver of MariaDB and MySQL."""
    if connection.vendor != "mysql":
        pytest.skip("other databases keep no context in the session")
    with connection.connection.cursor() as cursor:
        yield cursor


class TestDriverCursor:
    def test_writes_without_django(self, log, driver_cursor):
        with history.acting(user=ANN):
            rename("1")
            driver_cursor.execute("UPDATE crm_customer SET name = '2'")
        driver_cursor.execute("UPDATE crm_customer SET name = '3'")
        with history.acting(user=BOB):
            driver_cursor.executemany("UPDATE crm_customer SET name = %s", [("4",), ("5",)])
        labels = ["ann", "ann", None, BOB.label, BOB.label]
        assert log.values("user_label") == [(label,) for label in labels]

    def test_session_variable_is_replaced(self, log, driver_cursor):
        with history.acting(user=ANN, source="web"):
            rename("1")
            driver_cursor.execute("SET @customer_history_source = 'integration'")
            driver_cursor.execute("UPDATE crm_customer SET name = '2'")
            rename("3")
        assert log.values("user_label", "source") == [
            ("ann", "web"),
            ("ann", "integration"),
            ("ann", "web"),
        ]


class TestEvents:
    def test_action_names_all_writes(self, customer, log):
        with history.action("Invoice Generated"):
            invoice = Invoice.objects.create(customer=customer, number="1")
            InvoiceLine.objects.create(invoice=invoice, product="Siren")
        invoice.number = "2"
        invoice.save()
        assert log.values("kind", "action") == [
            ("create", "Invoice Generated"),
            ("create", "Invoice Generated"),
            ("update", "Update"),
        ]

    def test_event_has_the_context(self, user, customer, log):
        note = Note.objects.create(customer=customer, text="t")
        log.clear()
        with history.acting(
            user=user, source="integration", ip_address="203.0.113.9", reason="hook"
        ):
            history.record(
                "Envelope Signed",
                subject=customer,
                entity=note,
                changes={"signer": (None, "Ann"), "pages": (1, 2)},
            )
        entry = log.only()
        assert (entry.kind, entry.action) == ("event", "Envelope Signed")
        assert (entry.subject_id, entry.entity_model) == (str(customer.pk), "crm.note")
        assert entry.changes == {"signer": [None, "Ann"], "pages": ["1", "2"]}
        assert (entry.user_label, entry.source, entry.ip_address) == (
            "ann",
            "integration",
            "203.0.113.9",
        )
        assert entry.context == {"reason": "hook"}

    def test_secret_value_of_an_event(self, customer, log):
        history.record("Token sent", subject=customer, changes={"api_token": (None, "tok-1")})
        assert log.only().changes == {"api_token": [None, None]}


class TestWrongEvents:
    """`record` checks its arguments at the call and writes nothing if one is wrong."""

    @pytest.fixture(autouse=True)
    def nothing_is_written(self, log):
        yield
        assert log.entries() == []

    @pytest.mark.parametrize("action", ["", " ", "x" * 101, None, 5])
    def test_action_is_not_valid(self, customer, action):
        with pytest.raises(InvalidContextError) as error:
            history.record(action, subject=customer)
        assert str(error.value) == (
            f"Action {action!r} is not valid. Give text of 1 to 100 characters, such as"
            ' "Invoice Generated".'
        )

    def test_record_is_missing(self):
        with pytest.raises(ValueError, match="needs a subject, an entity, or both"):
            history.record("Nothing")

    def test_model_that_is_not_registered(self):
        with pytest.raises(NotRegisteredError) as error:
            history.record("Unknown", entity=ContentType.objects.first())
        assert str(error.value) == (
            "contenttypes.ContentType is not registered. Register it with history.register()."
        )

    def test_subject_is_not_saved(self):
        with pytest.raises(InvalidContextError) as error:
            history.record("Called", subject=Customer(name="New"))
        assert str(error.value) == (
            "subject=<Customer: New> is not saved, so it has no key. Save it first."
        )

    def test_entity_is_not_saved(self, customer):
        with pytest.raises(InvalidContextError, match=r"entity=<Note: .*> is not saved"):
            history.record("Called", subject=customer, entity=Note(customer=customer))

    def test_generated_key_is_not_saved(self, customer):
        with pytest.raises(InvalidContextError, match=r"entity=<Account: .*> is not saved"):
            history.record("Connected", subject=customer, entity=Account())

    def test_entity_is_not_a_record(self, customer):
        with pytest.raises(InvalidContextError) as error:
            history.record("Called", subject=customer, entity="crm.note:1")
        assert str(error.value) == (
            "entity='crm.note:1' is not a record. Give an instance of a model."
        )

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"score": 7}, "changes['score'] is 7, which is not a pair."),
            ({"score": (1, 2, 3)}, "changes['score'] is (1, 2, 3), which is not a pair."),
            ({"score": "ab"}, "changes['score'] is 'ab', which is not a pair."),
            ({5: (1, 2)}, "changes[5] is (1, 2), which is not a pair."),
            (["score"], "changes=['score'] is not a dict."),
        ],
    )
    def test_changes_are_not_pairs(self, customer, changes, message):
        with pytest.raises(InvalidContextError) as error:
            history.record("Scored", subject=customer, changes=changes)
        assert str(error.value) == (
            f'{message} Give names with pairs of old and new value, such as {{"score": (None, 7)}}.'
        )

    @pytest.mark.parametrize("reason", ["", " ", None, 5])
    def test_pause_without_a_reason(self, reason):
        with (
            pytest.raises(ValueError, match="needs a reason as text") as error,
            history.paused(reason=reason),
        ):
            pass
        assert str(error.value) == (
            f"history.paused() needs a reason as text, not {reason!r}. Say why nothing is logged."
        )


class TestContext:
    def test_without_a_context(self, customer, log):
        rename("x")
        entry = log.only()
        assert (entry.user_id, entry.user_label, entry.source) == (None, None, "system")
        assert (entry.ip_address, entry.request_id, entry.context) == (None, None, None)

    def test_all_values_of_the_context(self, user, log):
        with history.acting(
            user=user,
            source="workflow",
            ip_address="2001:db8::7",
            reason="dunning run",
            extra={"job": "nightly"},
        ):
            rename("x")
        entry = log.only()
        assert (entry.user_id, entry.user_label) == (str(user.pk), "ann")
        assert (entry.source, entry.ip_address) == ("workflow", "2001:db8::7")
        assert entry.context == {"reason": "dunning run", "job": "nightly"}
        assert isinstance(entry.request_id, uuid.UUID)

    def test_every_way_of_writing(self, customer, log):
        with history.acting(user=ANN, source="import"):
            Customer.objects.bulk_create([Customer(name="B"), Customer(name="C")])
            customer.tags.add(Tag.objects.create(name="t"))
            with connection.cursor() as cursor:
                cursor.execute("/* a comment */ UPDATE crm_customer SET rate = 1")
                cursor.executemany("UPDATE crm_customer SET rate = %s", [(2,), (3,)])
            customer.delete()
        written = set(log.values("user_label", "source"))
        assert written == {("ann", "import")}

    def test_entry_that_cannot_be_written(self, customer, log):
        if connection.vendor == "sqlite":
            # As in a program that does not know the functions of this package.
            connection.connection.create_function("customer_history_key", 0, None)
            user = ANN
        else:
            user = NamedUser(id="1" * 300, label="an id that is longer than its column")
        with history.acting(user=user), pytest.raises(DatabaseError), transaction.atomic():
            rename("refused")
        if connection.vendor == "sqlite":
            connection.execute_wrappers[0].connected()
        assert Customer.objects.get().name == "Acme"
        assert log.entries() == []


class TestBlocks:
    def test_values_of_nested_blocks(self, customer, log):
        with history.acting(user=ANN, source="web", ip_address="203.0.113.9"):
            rename("1")
            with pytest.raises(RuntimeError), history.acting(user=BOB, reason="inner"):
                rename("2")
                raise RuntimeError
            rename("3")
            with history.acting(user=None):
                rename("4")
        rename("5")
        written = log.values("user_label", "source", "ip_address", "context")
        assert written == [
            ("ann", "web", "203.0.113.9", None),
            (BOB.label, "web", "203.0.113.9", {"reason": "inner"}),
            ("ann", "web", "203.0.113.9", None),
            (None, "web", "203.0.113.9", None),
            (None, "system", None, None),
        ]
        requests = [entry.request_id for entry in log.entries()]
        assert len(set(requests[:4])) == 1
        assert requests[4] is None

    def test_decorated_function(self, customer, log):
        @history.acting(user=ANN)
        def work():
            rename("decorated")

        work()
        assert log.values("user_label") == [("ann",)]

    def test_blocks_in_one_transaction(self, customer, log):
        with transaction.atomic():
            with history.acting(user=ANN):
                rename("1")
            rename("2")
            with history.acting(user=BOB):
                rename("3")
            with connection.cursor() as cursor:
                cursor.execute("UPDATE crm_customer SET name = '4'")
        assert log.values("user_label") == [("ann",), (None,), (BOB.label,), (None,)]

    def test_rolled_back_savepoint(self, customer, log):
        with history.acting(user=ANN), transaction.atomic():
            with pytest.raises(RuntimeError), transaction.atomic():
                rename("rolled back")
                raise RuntimeError
            rename("kept")
        assert log.values("user_label", "changes") == [("ann", {"name": ["Acme", "kept"]})]

    @pytest.mark.django_db(transaction=True)
    def test_writes_outside_of_transactions(self, customer, log):
        with history.acting(user=ANN):
            rename("1")
            Customer.objects.bulk_create([Customer(name="B")])
            with connection.cursor() as cursor:
                cursor.executemany("UPDATE crm_customer SET rate = %s", [(2,)])
        rename("2")
        written = {
            (entry.action, entry.changes.get("name", [0, 0])[1], entry.user_label)
            for entry in log.entries()
        }
        assert written == {
            ("Update", "1", "ann"),
            ("Create", "B", "ann"),
            ("Update", 0, "ann"),
            ("Update", "2", None),
        }

    @pytest.mark.django_db(transaction=True)
    def test_threads_keep_their_own_context(self):
        if connection.vendor == "sqlite":
            return _check_blocks_in_turn()
        customers = [Customer.objects.create(name=f"c{number}") for number in range(8)]

        def work(number):
            with history.acting(user=NamedUser(id=str(number), label=f"u{number}")):
                for count in range(20):
                    Customer.objects.filter(pk=customers[number].pk).update(name=f"{count}")
            connection.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, changed in enumerate(customers):
            entries = Entry.objects.of_entity(Customer, changed.pk).filter(kind="update")
            assert set(entries.values_list("user_label", flat=True)) == {f"u{number}"}
            assert entries.count() == 20
        return None


def _check_blocks_in_turn():
    """An SQLite database in memory lives in one connection: there is no second writer."""
    with history.acting(user=ANN):
        Tag.objects.create(name="a")
    Tag.objects.create(name="b")
    assert list(Entry.objects.order_by("id").values_list("user_label", flat=True)) == ["ann", None]
