"""Names of changes, keys of JSON fields, and pauses."""

import json

import pytest
from django.db import connection

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Note, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(customer, log):
    ticket = Ticket.objects.create(customer=customer)
    log.clear()
    return ticket


class TestEvents:
    def test_names_of_create_and_delete(self, customer, log):
        ticket = Ticket.objects.create(customer=customer, status="new")
        ticket.delete()
        assert log.values("kind", "action") == [
            ("create", "Ticket Created"),
            ("delete", "Ticket Discarded"),
        ]

    def test_value_names_the_update(self, ticket, log):
        ticket.status = "closed"
        ticket.save()
        Ticket.objects.update(status="open")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE crm_ticket SET status = 'closed'")
        Ticket.objects.update(status="waiting")
        assert log.values("kind", "action") == [
            ("update", "Ticket Closed"),
            ("update", "Ticket Reopened"),
            ("update", "Ticket Closed"),
            ("update", "Update"),
        ]

    def test_unchanged_value_is_ignored(self, ticket, log):
        Ticket.objects.update(status="closed")
        Ticket.objects.update(note="still closed")
        assert log.values("action") == [("Ticket Closed",), ("Update",)]

    def test_value_names_the_creation(self, customer, log):
        Ticket.objects.create(customer=customer, status="closed")
        assert log.values("kind", "action") == [("create", "Ticket Closed")]

    def test_any_change_of_a_field(self, ticket, user, log):
        log.clear()
        Ticket.objects.update(assigned_to=user)
        Ticket.objects.update(assigned_to=None)
        Ticket.objects.update(urgent=True)
        Ticket.objects.update(urgent=False)
        assert log.values("action") == [
            ("Ticket Reassigned",),
            ("Ticket Reassigned",),
            ("Ticket Escalated",),
            ("Update",),
        ]

    def test_first_declared_event_wins(self, ticket, user, log):
        log.clear()
        Ticket.objects.update(assigned_to=user, urgent=True, status="closed")
        assert log.only().action == "Ticket Closed"

    def test_action_of_the_context_wins(self, ticket, log):
        with history.action("Imported"):
            Ticket.objects.update(status="closed")
        assert log.values("kind", "action") == [("update", "Imported")]

    def test_changed_password_is_named(self, customer, log):
        Customer.objects.update(portal_password="hash")
        Customer.objects.update(api_token="t")
        assert log.values("action", "changes") == [
            ("Portal password changed", {"portal_password": [None, None]}),
            ("Api token changed", {"api_token": [None, None]}),
        ]


def by_key(changes):
    """Return the changes of the JSON field with parsed values."""
    return {
        name: [None if text is None else json.loads(text) for text in pair]
        for name, pair in changes.items()
        if name.startswith("udf")
    }


class TestJsonKeys:
    def test_keys_are_logged_one_by_one(self, customer, log):
        ticket = Ticket.objects.create(customer=customer, udf={"colour": "red", "size": 1})
        Ticket.objects.filter(pk=ticket.pk).update(udf={"size": 2, "zone": ["a", {"b": None}]})
        ticket.delete()
        created, updated, deleted = log.changes()
        assert by_key(created) == {"udf.colour": [None, "red"], "udf.size": [None, 1]}
        assert by_key(updated) == {
            "udf.colour": ["red", None],
            "udf.size": [1, 2],
            "udf.zone": [None, ["a", {"b": None}]],
        }
        assert by_key(deleted) == {
            "udf.size": [2, None],
            "udf.zone": [["a", {"b": None}], None],
        }

    def test_null_and_missing_key_differ(self, customer, log):
        ticket = Ticket.objects.create(customer=customer, udf={"a": None})
        Ticket.objects.filter(pk=ticket.pk).update(udf={})
        created, updated = log.changes()
        assert created["udf.a"] == [None, "null"]
        assert updated == {"udf.a": ["null", None]}

    def test_empty_object_is_ignored(self, customer, log):
        ticket = Ticket.objects.create(customer=customer, status="open", udf={})
        tickets = Ticket.objects.filter(pk=ticket.pk)
        tickets.update(udf=None, status="waiting")
        tickets.update(udf={}, status="closed")
        ticket.delete()
        created, to_null, from_null, deleted = log.changes()
        assert (created["status"], by_key(created)) == ([None, "open"], {})
        assert to_null == {"status": ["open", "waiting"]}
        assert from_null == {"status": ["waiting", "closed"]}
        assert (deleted["status"], by_key(deleted)) == (["closed", None], {})

    @pytest.mark.parametrize("key", ["it's", 'a "quoted" key', "ü.1", "$[0]", "back\\slash", ""])
    def test_keys_with_any_characters(self, ticket, log, key):
        Ticket.objects.update(udf={key: "v"})
        assert by_key(log.only().changes) == {f"udf.{key}": [None, "v"]}

    def test_order_of_keys_is_ignored(self, ticket, log):
        Ticket.objects.update(udf={"a": 1, "b": [1, 2]})
        log.clear()
        with connection.cursor() as cursor:
            cursor.execute("""UPDATE crm_ticket SET udf = '{"b": [1,2],  "a": 1}'""")
        assert log.entries() == []

    def test_number_and_boolean_differ(self, ticket, log):
        Ticket.objects.update(udf={"a": 1})
        Ticket.objects.update(udf={"a": True})
        assert [by_key(changes) for changes in log.changes()] == [
            {"udf.a": [None, 1]},
            {"udf.a": [1, True]},
        ]

    def test_other_json_is_logged_whole(self, ticket, log):
        Ticket.objects.update(udf=["a"])
        Ticket.objects.update(udf={"k": 1})
        first, second = log.changes()
        assert by_key(first) == {"udf": [None, ["a"]]}
        assert by_key(second) == {"udf": [["a"], {"k": 1}]}


class TestPause:
    def test_pause_and_resume_are_logged(self, customer, log):
        ann = NamedUser(id="1", label="ann")
        with (
            history.acting(user=ann, source="integration"),
            history.paused(reason="nightly sync check"),
        ):
            Customer.objects.update(name="synced")
            note = Note.objects.create(customer=customer, text="t")
            note.delete()
        Customer.objects.update(name="logged")
        logged = log.values("kind", "action", "user_label", "source", "context")
        reason = {"reason": "nightly sync check"}
        assert logged == [
            ("event", "History Paused", "ann", "integration", reason),
            ("event", "History Resumed", "ann", "integration", reason),
            ("update", "Update", None, "system", None),
        ]
        paused, resumed, _ = log.entries()
        assert resumed.changes == {"rows": [None, "3"]}
        assert paused.subject_id is None
        assert paused.entity_id == resumed.entity_id

    def test_exception_ends_the_pause(self, customer, log):
        with pytest.raises(RuntimeError), history.paused(reason="sync"):
            raise RuntimeError
        Customer.objects.update(name="logged")
        assert log.values("action") == [("History Paused",), ("Update",)]

    def test_pause_needs_a_reason(self):
        with pytest.raises(ValueError, match="reason"), history.paused(reason=" "):
            pass
        assert not Entry.objects.filter(action="History Paused").exists()
