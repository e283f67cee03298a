"""The stored form of changes: pairs for an update, values alone for all that has one side."""

import json

import pytest
from django.utils import timezone

from django_customer_history import history
from django_customer_history.models import Entry
from django_customer_history.values.json_field import UNREADABLE
from tests.factories import log_raw
from tests.projects.crm.models import Customer, Tag, Ticket

pytestmark = pytest.mark.django_db


def stored_and_read(**wanted):
    """Return what the column stores and what `Entry.changes` has, for each new entry."""
    entries = Entry.objects.filter(**wanted).order_by("id")
    stored = entries.values_list("changes", flat=True)
    return list(zip(stored, [dict(one.changes) for one in entries], strict=True))


class TestWrittenByTriggers:
    def test_creation_update_deletion(self, customer):
        tag = Tag.objects.create(name="VIP")
        Tag.objects.update(name="Gold")
        tag.delete()
        assert stored_and_read(entity_model="crm.tag") == [
            ({"name": "VIP"}, {"name": [None, "VIP"]}),
            ({"name": ["VIP", "Gold"]}, {"name": ["VIP", "Gold"]}),
            ({"name": "Gold"}, {"name": ["Gold", None]}),
        ]

    def test_links(self, customer):
        tag = Tag.objects.create(name="VIP")
        customer.tags.add(tag)
        customer.tags.remove(tag)
        key = str(tag.pk)
        assert stored_and_read(kind__in=["add", "remove"]) == [
            ({"tags": key}, {"tags": [None, key]}),
            ({"tags": key}, {"tags": [key, None]}),
        ]

    def test_secret_field(self, customer):
        Customer.objects.filter(pk=customer.pk).update(api_token="a")
        customer.delete()
        (updated, read), (deleted, read_too) = stored_and_read(
            entity_model="crm.customer", changes__has_key="api_token"
        )
        assert updated == read == {"api_token": [None, None]}
        assert (deleted["api_token"], read_too["api_token"]) == (None, [None, None])

    def test_keys_of_a_json_field(self, customer):
        ticket = Ticket.objects.create(customer=customer, udf={"a": None, "é": [1]})
        ticket.delete()
        created, deleted = (
            {name: one for name, one in stored.items() if name.startswith("udf")}
            for stored, _ in stored_and_read(entity_model="crm.ticket")
        )
        assert created == deleted == {"udf.a": "null", "udf.é": "[1]"}

    def test_whole_json_field(self, customer):
        ticket = Ticket.objects.create(customer=customer, udf=[1, "a"])
        ticket.delete()
        (created, read), (deleted, read_too) = stored_and_read(entity_model="crm.ticket")
        assert json.loads(created["udf"]) == json.loads(deleted["udf"]) == [1, "a"]
        assert read["udf"] == [None, created["udf"]]
        assert read_too["udf"] == [deleted["udf"], None]


def made(kind, changes):
    return Entry(
        timestamp=timezone.now(),
        kind=kind,
        action="Any",
        entity_model="crm.tag",
        entity_id="1",
        changes=changes,
        source="web",
    )


class TestWrittenInPython:
    @pytest.mark.parametrize(
        ("kind", "changes", "stored"),
        [
            ("create", {"a": [None, "1"], "b": [None, None]}, {"a": "1", "b": None}),
            ("create", {"a": ["0", "1"]}, {"a": ["0", "1"]}),
            ("delete", {"a": ["1", None], "b": [None, None]}, {"a": "1", "b": None}),
            ("delete", {"a": ["0", "1"]}, {"a": ["0", "1"]}),
            ("add", {"a": [None, "1"]}, {"a": "1"}),
            ("remove", {"a": ["1", None]}, {"a": "1"}),
            (
                "update",
                {"a": [None, "1"], "b": [None, None]},
                {"a": [None, "1"], "b": [None, None]},
            ),
            ("event", {"a": [None, "1"], "b": ["0", "1"]}, {"a": "1", "b": ["0", "1"]}),
            ("event", {"a": ["0", None]}, {"a": ["0", None]}),
            ("view", {"a": [None, None]}, {"a": None}),
        ],
    )
    @pytest.mark.parametrize("in_bulk", [False, True], ids=["save", "bulk"])
    def test_form_of_each_kind(self, kind, changes, stored, in_bulk):
        entry = made(kind, changes)
        Entry.objects.bulk_create([entry]) if in_bulk else entry.save()
        assert stored_and_read(action="Any") == [(stored, changes)]
        assert entry.changes == changes

    def test_event(self, customer):
        history.record("Mailed", entity=customer, changes={"to": (None, "a@b.c"), "n": (1, 2)})
        assert [stored for stored, _ in stored_and_read(action="Mailed")] == [
            {"to": "a@b.c", "n": ["1", "2"]}
        ]

    def test_deferred_column(self, customer):
        entry = Entry.objects.filter(kind="create").defer("changes", "kind").latest("id")
        assert entry.changes["name"] == [None, "Acme"]


class TestOddValues:
    """SQL that writes into the log itself may write anything."""

    @pytest.mark.parametrize(
        ("kind", "stored", "read"),
        [
            ("create", '{"a": 1, "b": ["x"]}', {"a": [None, "1"], "b": [None, '["x"]']}),
            ("delete", '{"a": 1, "b": ["x"]}', {"a": ["1", None], "b": ['["x"]', None]}),
            ("update", '{"a": "x", "b": null}', {"a": [None, "x"], "b": [None, None]}),
            ("update", "[1]", {UNREADABLE: [None, None]}),
        ],
    )
    def test_form_that_no_trigger_writes(self, kind, stored, read):
        entry = made(kind, {})
        entry.save()
        log_raw(entry, stored)
        assert Entry.objects.latest("id").changes == read
