"""Baseline entries: the values of rows that are older than their registration."""

import io
import json
import threading
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from django_customer_history import history
from django_customer_history.capture.baseline import baselines
from django_customer_history.capture.triggers import (
    remove_all,
    synchronize_triggers,
)
from django_customer_history.models import Entry
from tests.projects.crm.models import (
    Account,
    Attachment,
    Code,
    Customer,
    Dealer,
    Employee,
    Note,
    Oddity,
    Person,
    Referral,
    Site,
    Specimen,
    Stock,
    Tag,
    Ticket,
)

pytestmark = pytest.mark.django_db

BASELINE = ("event", "Baseline")


@pytest.fixture
def untracked(customer):
    """Return a block whose writes are not logged, as before the registration."""
    return lambda: history.paused(reason="older than the registration")


def baseline(*models, **options):
    out = io.StringIO()
    call_command("history_baseline", *models, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def baseline_changes():
    entries = Entry.objects.filter(action="Baseline").order_by("id")
    assert {entry.kind for entry in entries} <= {"event"}
    return {(entry.entity_model, entry.entity_id): entry.changes for entry in entries}


class TestKeys:
    def test_keys_of_every_shape(self, untracked):
        key = uuid.UUID("01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f")
        with untracked():
            Account.objects.create(id=key, label="x", ignored="i", kept="k")
            Stock.objects.create(warehouse=1, product='a "quoted" 100%', quantity=2)
            Stock.objects.create(warehouse=1, product="b", quantity=3)
            Stock.objects.create(warehouse=2, product="a", quantity=4)
            Code.objects.create(code="it's 100%", text="t")
            employee = Employee.objects.create(name="Eve", badge="7")
            Person.objects.create(name="nobody")
            odd = Oddity.objects.create(name="o", backwards="abc", number=3)
        baseline("crm.account", "crm.stock", "crm.code", "crm.employee", "crm.oddity", batch_size=2)
        assert baseline_changes() == {
            ("crm.account", str(key)): {"label": [None, "x"], "kept": [None, "k"]},
            ("crm.stock", '["1","a \\"quoted\\" 100%"]'): {"quantity": [None, "2"]},
            ("crm.stock", '["1","b"]'): {"quantity": [None, "3"]},
            ("crm.stock", '["2","a"]'): {"quantity": [None, "4"]},
            ("crm.code", "it's 100%"): {"text": [None, "t"]},
            ("crm.employee", str(employee.pk)): {"name": [None, "Eve"], "badge": [None, "7"]},
            ("crm.oddity", str(odd.pk)): {
                "name": [None, "o"],
                "backwards": [None, "cba"],
                "number": [None, "3"],
                "twice": [None, "6"],
            },
        }
        before = Entry.objects.count()
        baseline("crm.account", "crm.stock", "crm.code", "crm.employee", "crm.oddity")
        assert Entry.objects.count() == before

    def test_keys_of_json_fields(self, untracked, customer):
        with untracked():
            ticket = Ticket.objects.create(customer=customer, udf={"colour": "red", "size": 1})
        Ticket.objects.update(udf={"colour": "blue", "size": 1})
        with untracked():
            others = [
                Ticket.objects.create(customer=customer, udf=udf)
                for udf in ({"colour": "é", "list": ["a b"]}, ["a"], None)
            ]
        baseline("crm.ticket")
        same = {
            "customer": [None, str(customer.pk)],
            "status": [None, "new"],
            "urgent": [None, "false"],
            "note": [None, ""],
        }
        found = baseline_changes()
        assert found["crm.ticket", str(ticket.pk)] == {**same, "udf.size": [None, "1"]}
        assert [found["crm.ticket", str(one.pk)] for one in others] == [
            {**same, "udf.colour": [None, '"é"'], "udf.list": [None, '["a b"]']},
            {**same, "udf": [None, '["a"]']},
            same,
        ]


class TestEntries:
    def test_entry_has_values_of_the_row(self, untracked, user):
        with untracked():
            older = Customer.objects.create(
                name="Old Ltd", ssn="1", api_token="t", portal_password="p", search_text="s"
            )
        with history.acting(user=user):
            printed = baseline("crm.customer")
        entry = Entry.objects.get(entity_model="crm.customer", entity_id=str(older.pk))
        assert entry.changes == {
            "name": [None, "Old Ltd"],
            "status": [None, "active"],
            "rate": [None, "39.99"],
            "ssn": [None, "1"],
            "api_token": [None, None],
            "portal_password": [None, None],
        }
        assert (entry.kind, entry.action) == BASELINE
        assert (entry.subject_model, entry.subject_id) == ("crm.customer", str(older.pk))
        assert (entry.entity_label, entry.user_label, entry.source) == ("Old Ltd", "ann", "command")
        assert entry.context == {"baseline": True, "command": "history_baseline"}
        assert entry.is_baseline
        assert "crm.customer: 1 of 2 rows got a baseline entry" in printed

    def test_logged_creation_is_skipped(self, customer, log):
        baseline("crm.customer")
        assert log.entries() == []

    def test_fields_with_later_entries(self, untracked):
        with untracked():
            older = Customer.objects.create(name="Old Ltd", ssn="1")
        Customer.objects.filter(pk=older.pk).update(rate="44.99", ssn="2")
        Customer.objects.filter(pk=older.pk).update(rate="45.00")
        baseline("crm.customer")
        assert baseline_changes() == {
            ("crm.customer", str(older.pk)): {
                "name": [None, "Old Ltd"],
                "status": [None, "active"],
                "portal_password": [None, None],
            }
        }

    def test_all_fields_have_entries(self, untracked):
        with untracked():
            Code.objects.create(code="k", text="a")
        Code.objects.update(text="b")
        assert "crm.code: 0 of 1 rows got" in baseline("crm.code")
        assert baseline_changes() == {}

    def test_one_entry_for_each_link(self, untracked):
        with untracked():
            older = Customer.objects.create(name="Old Ltd")
            vip, eu = older.tags.create(name="vip"), older.tags.create(name="eu")
        older.tags.create(name="seen")
        older.tags.remove(eu)
        older.tags.add(eu)
        baseline("crm.customer")
        entries = Entry.objects.filter(action="Baseline", changes__has_key="tags")
        assert [
            (one.kind, one.entity_id, one.entity_label, one.subject_id, one.changes)
            for one in entries
        ] == [("event", str(older.pk), "Old Ltd", str(older.pk), {"tags": [None, str(vip.pk)]})]
        baseline("crm.customer")
        assert entries.count() == 1

    def test_links_with_own_through_model(self, untracked, customer):
        with untracked():
            site = Site.objects.create(name="yard")
            site.guards.add(customer)
        baseline("crm.site")
        links = Entry.objects.get(action="Baseline", changes__has_key="guards")
        assert links.changes == {"guards": [None, str(customer.pk)]}
        assert (links.entity_model, links.entity_id) == ("crm.site", str(site.pk))

    def test_entry_for_each_subject(self, untracked, customer):
        with untracked():
            other = Customer.objects.create(name="Other")
            Note.objects.create(customer=customer, text="t")
            Referral.objects.create(seller=customer, buyer=other, note="n")
            attached = ContentType.objects.get_for_model(Customer)
            Attachment.objects.create(
                content_type=attached, object_id=str(customer.pk), name="a.pdf"
            )
        baseline("crm.note", "crm.referral", "crm.attachment")
        written = Entry.objects.filter(action="Baseline").values_list(
            "entity_model", "subject_model", "subject_id"
        )
        assert sorted(written) == sorted(
            [
                ("crm.note", "crm.customer", str(customer.pk)),
                ("crm.referral", "crm.customer", str(customer.pk)),
                ("crm.referral", "crm.customer", str(other.pk)),
                ("crm.attachment", "crm.customer", str(customer.pk)),
            ]
        )
        before = Entry.objects.count()
        baseline("crm.note", "crm.referral", "crm.attachment")
        assert Entry.objects.count() == before

    def test_same_values_as_a_creation(self, untracked):
        values = {
            "big": 2**63 - 1,
            "binary": b"\x00\xff'\"",
            "boolean": False,
            "char": 'it\'s "so" \\ 100% %s\n✓ 🚨',
            "date": date(2026, 2, 28),
            "datetime": datetime(2026, 1, 2, 3, 4, 5, 120, tzinfo=UTC),
            "decimal": Decimal("12.50"),
            "duration": timedelta(days=2, seconds=3, microseconds=4),
            "float": 0.1,
            "ip": "203.0.113.9",
            "json": {"a": ["é", None]},
            "time": clock(3, 4, 5),
            "uuid": uuid.UUID("01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f"),
        }
        logged = Specimen.objects.create(**values)
        with untracked():
            older = Specimen.objects.create(**values)
        baseline("crm.specimen")
        created = Entry.objects.get(entity_model="crm.specimen", entity_id=str(logged.pk)).changes
        first = baseline_changes()["crm.specimen", str(older.pk)]
        assert json.loads(first.pop("json")[1]) == json.loads(created.pop("json")[1])
        assert first == created
        assert len(first) == len(values) - 1

    def test_rows_hidden_by_a_manager(self, untracked):
        with untracked():
            dealer = Dealer(name="gone", is_archived=True)
            dealer.save()
        baseline("crm.dealer")
        assert baseline_changes()["crm.dealer", str(dealer.pk)]["is_archived"] == [None, "true"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestErrors:
    @pytest.mark.django_db(transaction=True)
    def test_missing_triggers(self):
        remove_all(connection)
        try:
            with pytest.raises(CommandError, match="Run migrate first"):
                baseline()
        finally:
            synchronize_triggers(connection)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("crm.nothing",), "does not exist"),
            (("contenttypes.contenttype",), "is not registered"),
        ],
    )
    def test_model_without_history(self, arguments, message):
        with pytest.raises(CommandError, match=message):
            baseline(*arguments)

    def test_wrong_batch_size(self):
        with pytest.raises(CommandError, match="1 to 500"):
            baseline(batch_size=0)


class TestRun:
    def test_second_run_writes_nothing(self, untracked):
        with untracked():
            Customer.objects.create(name="Old Ltd").tags.create(name="vip")
        baseline()
        before = Entry.objects.count()
        printed = baseline()
        assert Entry.objects.count() == before
        assert " 0 of 2 rows got" in printed

    def test_dry_run_writes_nothing(self, untracked):
        with untracked():
            older = Customer.objects.create(name="Old Ltd")
            touched = Customer.objects.create(name="Touched Ltd")
        Customer.objects.filter(pk=touched.pk).update(rate=1)
        before = Entry.objects.count()
        assert "crm.customer: 2 of 3 rows would get a baseline entry" in baseline(
            "crm.customer", dry_run=True
        )
        assert Entry.objects.count() == before
        baseline("crm.customer")
        assert {key for _, key in baseline_changes()} == {str(older.pk), str(touched.pk)}

    def test_terminal_shows_progress(self, untracked):
        with untracked():
            Tag.objects.bulk_create([Tag(name=str(number)) for number in range(3)])
        screen = Terminal()
        call_command("history_baseline", "crm.tag", batch_size=2, stdout=screen, stderr=screen)
        shown = screen.getvalue()
        assert f"\rcrm.tag [{'#' * 20}{'.' * 10}] 2/3 2 entries" in shown
        assert f"\rcrm.tag [{'#' * 30}] 3/3 3 entries\n" in shown
        assert shown.endswith("crm.tag: 3 of 3 rows got a baseline entry\n")

    def test_interrupted_run_continues(self, untracked):
        with untracked():
            Tag.objects.bulk_create([Tag(name=str(number)) for number in range(7)])
        (found,) = baselines("default", models_wanted=[Tag])
        unfinished = found.run(size=3)
        assert next(unfinished).entries == 3
        unfinished.close()
        assert Entry.objects.filter(action="Baseline").count() == 3
        assert "crm.tag: 4 of 7 rows got a baseline entry" in baseline("crm.tag", batch_size=3)
        assert len(baseline_changes()) == 7

    @pytest.mark.django_db(transaction=True)
    def test_concurrent_change_is_kept(self, untracked):
        if connection.vendor == "sqlite":
            pytest.skip("an SQLite database in memory lives in one connection: there is one writer")
        with untracked():
            older = Customer.objects.create(name="Old Ltd", rate="1.00")
        wrote, is_waiting = threading.Event(), threading.Event()

        def change():
            with transaction.atomic():
                Customer.objects.filter(pk=older.pk).update(rate="2.00")
                wrote.set()
                is_waiting.wait(5)
                time.sleep(0.3)  # By now the command waits for the lock.
            connection.close()

        thread = threading.Thread(target=change)
        thread.start()
        wrote.wait(5)
        is_waiting.set()
        baseline("crm.customer")
        thread.join()
        entries = Entry.objects.of_entity(Customer, older.pk).order_by("id")
        assert [(one.action, one.changes.get("rate")) for one in entries] == [
            ("Update", ["1.00", "2.00"]),
            ("Baseline", None),
        ]
