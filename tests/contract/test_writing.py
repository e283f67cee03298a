"""Every way of writing is logged, with the true old values, on every database."""

from itertools import pairwise

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F

from tests.conftest import Log
from tests.projects.crm.models import Account, Customer, Invoice, InvoiceLine, Note, Tag

pytestmark = pytest.mark.django_db


class TestQuerysets:
    def test_update_with_an_expression(self, customer, log):
        Customer.objects.filter(pk=customer.pk).update(rate=F("rate") + 5)
        assert log.only().changes == {"rate": ["39.99", "44.99"]}

    def test_update_logs_each_changed_row(self, customer, log):
        Customer.objects.bulk_create([Customer(name="B"), Customer(name="Acme")])
        other = Customer.objects.get(name="B")
        log.clear()
        Customer.objects.update(name="Acme")
        assert log.values("entity_id", "changes") == [(str(other.pk), {"name": ["B", "Acme"]})]

    def test_bulk_create_and_bulk_update(self, customer, log):
        Customer.objects.bulk_create([Customer(name=f"N{number}") for number in range(3)])
        rows = Customer.objects.filter(name__startswith="N").order_by("pk")
        assert sorted(log.values("kind", "entity_label")) == [
            ("create", "N0"),
            ("create", "N1"),
            ("create", "N2"),
        ]
        log.clear()
        first, second, third = rows
        first.name, second.rate = "M0", "7.00"
        Customer.objects.bulk_update([first, second, third], ["name", "rate"])
        assert sorted(map(str, log.changes())) == [
            "{'name': ['N0', 'M0']}",
            "{'rate': ['39.99', '7.00']}",
        ]

    def test_bulk_create_updates_conflicts(self, customer, log):
        same = Customer(pk=customer.pk, name="Upserted", rate="39.99")
        Customer.objects.bulk_create(
            [same],
            update_conflicts=True,
            update_fields=["name"],
            unique_fields=["id"]
            if connection.features.supports_update_conflicts_with_target
            else None,
        )
        assert log.values("kind", "changes") == [("update", {"name": ["Acme", "Upserted"]})]

    def test_bulk_create_ignores_conflicts(self, customer, log):
        same = Customer(pk=customer.pk, name="Ignored")
        Customer.objects.bulk_create([same, Customer(name="New")], ignore_conflicts=True)
        assert log.values("kind", "entity_label") == [("create", "New")]

    def test_raw_delete_without_signals(self, customer, log):
        queryset = Customer.objects.filter(pk=customer.pk)
        queryset._raw_delete(queryset.db)
        assert log.only().kind == "delete"


class TestRelations:
    def test_cascade_logs_each_row(self, customer, log):
        invoice = Invoice.objects.create(customer=customer, number="1")
        InvoiceLine.objects.create(invoice=invoice, product="Keypad")
        Note.objects.create(customer=customer, text="Call back")
        customer.tags.add(Tag.objects.create(name="vip"))
        customer_id = str(customer.pk)
        log.clear()
        customer.delete()
        assert sorted(log.values("kind", "entity_model", "subject_id")) == [
            ("delete", "crm.customer", customer_id),
            ("delete", "crm.note", customer_id),
            ("remove", "crm.customer", customer_id),
            ("update", "crm.invoice", customer_id),  # SET_NULL
        ]
        log.clear()
        invoice.refresh_from_db()
        invoice.delete()
        assert sorted(log.values("kind", "entity_model", "subject_id")) == [
            ("delete", "crm.invoice", None),
            ("delete", "crm.invoiceline", None),
        ]

    def test_links_of_a_record(self, customer, log):
        red, blue = Tag.objects.create(name="red"), Tag.objects.create(name="blue")
        log.clear()
        customer.tags.add(red, blue)
        customer.tags.add(red)
        customer.tags.remove(blue)
        customer.tags.set([blue])
        blue.customer_set.clear()
        logged = log.values("kind", "action", "entity_model", "entity_id", "subject_id", "changes")
        of_customer = ("crm.customer", str(customer.pk), str(customer.pk))
        added = [("add", "Add", *of_customer, {"tags": [None, str(tag.pk)]}) for tag in (red, blue)]
        removed = [
            ("remove", "Remove", *of_customer, {"tags": [str(tag.pk), None]}) for tag in (blue, red)
        ]
        assert sorted(map(str, logged[:2])) == sorted(map(str, added))
        assert logged[2:] == [removed[0], removed[1], added[1], removed[0]]

    def test_link_changed_by_sql(self, customer, log):
        red, blue = Tag.objects.create(name="red"), Tag.objects.create(name="blue")
        customer.tags.add(red)
        log.clear()
        Customer.tags.through.objects.update(tag=blue)
        assert log.values("kind", "changes") == [
            ("remove", {"tags": [str(red.pk), None]}),
            ("add", {"tags": [None, str(blue.pk)]}),
        ]


class TestSQL:
    def test_raw_sql_and_executemany(self, customer, log):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE crm_customer SET name = 'Raw' WHERE id = %s", [customer.pk])
            cursor.execute(f"update crm_customer set name = '100%' where id = {customer.pk}")
            cursor.executemany(
                "UPDATE crm_customer SET rate = %s WHERE id = %s",
                [("1.00", customer.pk), ("2.00", customer.pk)],
            )
        assert log.changes() == [
            {"name": ["Acme", "Raw"]},
            {"name": ["Raw", "100%"]},
            {"rate": ["39.99", "1.00"]},
            {"rate": ["1.00", "2.00"]},
        ]

    def test_loaddata_is_logged(self, customer, log, tmp_path):
        fixture = tmp_path / "customers.json"
        fixture.write_text(
            '[{"model": "crm.tag", "pk": 7, "fields": {"name": "from a file"}}]', encoding="utf-8"
        )
        call_command("loaddata", fixture, verbosity=0)
        assert log.values("kind", "entity_id", "changes") == [
            ("create", "7", {"name": [None, "from a file"]})
        ]


class TestSave:
    def test_create_lists_all_values(self, db):
        log = Log()
        created = Customer.objects.create(name="New", rate="12.50")
        entry = log.only()
        assert (entry.kind, entry.action) == ("create", "Create")
        assert (entry.entity_model, entry.entity_id) == ("crm.customer", str(created.pk))
        assert (entry.subject_model, entry.subject_id) == ("crm.customer", str(created.pk))
        assert entry.entity_label == "New"
        assert entry.changes == {
            "name": [None, "New"],
            "status": [None, "active"],
            "rate": [None, "12.50"],
            "ssn": [None, ""],
            "portal_password": [None, None],
        }

    def test_save_logs_changed_fields(self, customer, log):
        customer.rate = "44.99"
        customer.status = "canceled"
        customer.save()
        assert log.only().changes == {"rate": ["39.99", "44.99"], "status": ["active", "canceled"]}

    def test_unchanged_save_logs_nothing(self, customer, log):
        customer.save()
        customer.save(force_update=True)
        Customer.objects.update(name=F("name"))
        assert log.entries() == []

    def test_excluded_field_is_not_logged(self, customer, log):
        customer.search_text = "acme"
        customer.save()
        assert log.entries() == []

    def test_delete_lists_old_values(self, customer, log):
        customer_id = str(customer.pk)
        customer.delete()
        entry = log.only()
        assert (entry.kind, entry.action, entry.entity_id) == ("delete", "Delete", customer_id)
        assert entry.changes["name"] == ["Acme", None]
        assert entry.changes["rate"] == ["39.99", None]

    def test_update_fields_limits_the_entry(self, customer, log):
        customer.name = "Logged"
        customer.rate = "1.00"
        customer.save(update_fields=["name"])
        assert log.changes() == [{"name": ["Acme", "Logged"]}]

    def test_stale_instance_reverts_change(self, customer, log):
        stale = Customer.objects.get(pk=customer.pk)
        Customer.objects.filter(pk=customer.pk).update(rate="50.00")
        stale.name = "Other"
        stale.save()
        assert log.changes() == [
            {"rate": ["39.99", "50.00"]},
            {"rate": ["50.00", "39.99"], "name": ["Acme", "Other"]},
        ]

    def test_update_or_create(self, customer, log):
        Customer.objects.get_or_create(name="Acme")
        Customer.objects.update_or_create(name="Acme", defaults={"rate": "1.00"})
        assert log.changes() == [{"rate": ["39.99", "1.00"]}]

    def test_asynchronous_save(self, customer, log):
        @async_to_sync
        async def write():
            customer.name = "Async"
            await customer.asave()

        write()
        assert log.changes() == [{"name": ["Acme", "Async"]}]

    def test_only_listed_fields_are_logged(self, db, customer, log):
        account = Account.objects.create(label="L", ignored="never", kept="k")
        account.ignored = "still not"
        account.save()
        entry = log.only()
        assert entry.entity_id == str(account.pk)
        assert entry.changes == {"label": [None, "L"], "kept": [None, "k"]}


class TestEntries:
    def test_entries_in_order_of_changes(self, customer, log):
        for number in range(50):
            Customer.objects.filter(pk=customer.pk).update(name=f"N{number}")
        names = ["Acme", *(f"N{number}" for number in range(50))]
        assert [entry["name"] for entry in log.changes()] == [
            list(pair) for pair in pairwise(names)
        ]

    def test_key_of_a_created_row(self, customer, log):
        created = [Customer.objects.create(name="A"), Tag.objects.create(name="B")]
        assert [type(row).objects.get(pk=row.pk).name for row in created] == ["A", "B"]

    def test_case_and_blanks_are_changes(self, customer, log):
        for name in ("ACME", "ACME ", "Äcme"):
            Customer.objects.filter(pk=customer.pk).update(name=name)
        assert log.changes() == [
            {"name": ["Acme", "ACME"]},
            {"name": ["ACME", "ACME "]},
            {"name": ["ACME ", "Äcme"]},
        ]


class TestTransactions:
    def test_rollback_leaves_no_entry(self, customer, log):
        with transaction.atomic():
            Customer.objects.update(name="kept")
            with pytest.raises(RuntimeError), transaction.atomic():
                Customer.objects.update(name="rolled back")
                raise RuntimeError
            Customer.objects.update(rate="9.00")
        assert log.changes() == [{"name": ["Acme", "kept"]}, {"rate": ["39.99", "9.00"]}]

    def test_failed_write_leaves_no_entry(self, customer, log):
        with pytest.raises(IntegrityError), transaction.atomic():
            Customer.objects.create(pk=customer.pk, name="Twice")
        assert log.entries() == []

    @pytest.mark.django_db(transaction=True)
    def test_failed_write_in_autocommit(self, customer, log):
        with pytest.raises(IntegrityError):
            Customer.objects.create(pk=customer.pk, name="Twice")
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("UPDATE crm_customer SET no_such_column = 1")
        Customer.objects.update(name="after")
        assert log.changes() == [{"name": ["Acme", "after"]}]
