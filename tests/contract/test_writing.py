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


def test_create_lists_every_value_that_is_not_null(db):
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


def test_save_logs_only_what_changed(customer, log):
    customer.rate = "44.99"
    customer.status = "canceled"
    customer.save()
    assert log.only().changes == {"rate": ["39.99", "44.99"], "status": ["active", "canceled"]}


def test_save_without_a_change_logs_nothing(customer, log):
    customer.save()
    customer.save(force_update=True)
    Customer.objects.update(name=F("name"))
    assert log.entries() == []


def test_a_change_of_an_excluded_field_logs_nothing(customer, log):
    customer.search_text = "acme"
    customer.save()
    assert log.entries() == []


def test_delete_lists_the_values_that_are_lost(customer, log):
    customer_id = str(customer.pk)
    customer.delete()
    entry = log.only()
    assert (entry.kind, entry.action, entry.entity_id) == ("delete", "Delete", customer_id)
    assert entry.changes["name"] == ["Acme", None]
    assert entry.changes["rate"] == ["39.99", None]


def test_update_fields_and_a_dirty_attribute_outside_of_them(customer, log):
    customer.name = "Logged"
    customer.rate = "1.00"
    customer.save(update_fields=["name"])
    assert log.changes() == [{"name": ["Acme", "Logged"]}]


def test_a_stale_instance_that_reverts_another_change(customer, log):
    stale = Customer.objects.get(pk=customer.pk)
    Customer.objects.filter(pk=customer.pk).update(rate="50.00")
    stale.name = "Other"
    stale.save()
    assert log.changes() == [
        {"rate": ["39.99", "50.00"]},
        {"rate": ["50.00", "39.99"], "name": ["Acme", "Other"]},
    ]


def test_queryset_update_with_an_expression(customer, log):
    Customer.objects.filter(pk=customer.pk).update(rate=F("rate") + 5)
    assert log.only().changes == {"rate": ["39.99", "44.99"]}


def test_queryset_update_of_many_rows_makes_one_entry_for_each_that_changed(customer, log):
    Customer.objects.bulk_create([Customer(name="B"), Customer(name="Acme")])
    other = Customer.objects.get(name="B")
    log.clear()
    Customer.objects.update(name="Acme")
    assert log.values("entity_id", "changes") == [(str(other.pk), {"name": ["B", "Acme"]})]


def test_bulk_create_and_bulk_update(customer, log):
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


def test_bulk_create_that_updates_conflicts(customer, log):
    same = Customer(pk=customer.pk, name="Upserted", rate="39.99")
    Customer.objects.bulk_create(
        [same],
        update_conflicts=True,
        update_fields=["name"],
        unique_fields=["id"] if connection.features.supports_update_conflicts_with_target else None,
    )
    assert log.values("kind", "changes") == [("update", {"name": ["Acme", "Upserted"]})]


def test_bulk_create_that_ignores_conflicts(customer, log):
    same = Customer(pk=customer.pk, name="Ignored")
    Customer.objects.bulk_create([same, Customer(name="New")], ignore_conflicts=True)
    assert log.values("kind", "entity_label") == [("create", "New")]


def test_get_or_create_and_update_or_create(customer, log):
    Customer.objects.get_or_create(name="Acme")
    Customer.objects.update_or_create(name="Acme", defaults={"rate": "1.00"})
    assert log.changes() == [{"rate": ["39.99", "1.00"]}]


def test_raw_sql_and_executemany(customer, log):
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


def test_raw_delete_past_every_signal(customer, log):
    queryset = Customer.objects.filter(pk=customer.pk)
    queryset._raw_delete(queryset.db)
    assert log.only().kind == "delete"


def test_a_cascade_logs_each_row_that_goes_with_its_customer(customer, log):
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


def test_many_to_many_links_are_added_and_removed_on_the_record(customer, log):
    red, blue = Tag.objects.create(name="red"), Tag.objects.create(name="blue")
    log.clear()
    customer.tags.add(red, blue)
    customer.tags.add(red)
    customer.tags.remove(blue)
    customer.tags.set([blue])
    blue.customer_set.clear()
    told = log.values("kind", "action", "entity_model", "entity_id", "subject_id", "changes")
    of_customer = ("crm.customer", str(customer.pk), str(customer.pk))
    added = [("add", "Add", *of_customer, {"tags": [None, str(tag.pk)]}) for tag in (red, blue)]
    removed = [
        ("remove", "Remove", *of_customer, {"tags": [str(tag.pk), None]}) for tag in (blue, red)
    ]
    assert sorted(map(str, told[:2])) == sorted(map(str, added))
    assert told[2:] == [removed[0], removed[1], added[1], removed[0]]


def test_a_link_that_is_redirected_by_sql_is_removed_and_added(customer, log):
    red, blue = Tag.objects.create(name="red"), Tag.objects.create(name="blue")
    customer.tags.add(red)
    log.clear()
    Customer.tags.through.objects.update(tag=blue)
    assert log.values("kind", "changes") == [
        ("remove", {"tags": [str(red.pk), None]}),
        ("add", {"tags": [None, str(blue.pk)]}),
    ]


def test_the_asynchronous_orm(customer, log):
    @async_to_sync
    async def write():
        customer.name = "Async"
        await customer.asave()

    write()
    assert log.changes() == [{"name": ["Acme", "Async"]}]


def test_loaddata_is_logged(customer, log, tmp_path):
    fixture = tmp_path / "customers.json"
    fixture.write_text(
        '[{"model": "crm.tag", "pk": 7, "fields": {"name": "from a file"}}]', encoding="utf-8"
    )
    call_command("loaddata", fixture, verbosity=0)
    assert log.values("kind", "entity_id", "changes") == [
        ("create", "7", {"name": [None, "from a file"]})
    ]


def test_only_the_listed_fields_are_logged_and_other_columns_are_not(db, customer, log):
    account = Account.objects.create(label="L", ignored="never", kept="k")
    account.ignored = "still not"
    account.save()
    entry = log.only()
    assert entry.entity_id == str(account.pk)
    assert entry.changes == {"label": [None, "L"], "kept": [None, "k"]}


def test_a_rolled_back_transaction_and_a_rolled_back_savepoint_leave_no_entry(customer, log):
    with transaction.atomic():
        Customer.objects.update(name="kept")
        with pytest.raises(RuntimeError), transaction.atomic():
            Customer.objects.update(name="rolled back")
            raise RuntimeError
        Customer.objects.update(rate="9.00")
    assert log.changes() == [{"name": ["Acme", "kept"]}, {"rate": ["39.99", "9.00"]}]


def test_a_failing_write_leaves_no_entry(customer, log):
    with pytest.raises(IntegrityError), transaction.atomic():
        Customer.objects.create(pk=customer.pk, name="Twice")
    assert log.entries() == []


def test_entries_of_one_row_stand_in_the_order_of_its_changes(customer, log):
    for number in range(50):
        Customer.objects.filter(pk=customer.pk).update(name=f"N{number}")
    names = ["Acme", *(f"N{number}" for number in range(50))]
    assert [entry["name"] for entry in log.changes()] == [list(pair) for pair in pairwise(names)]


def test_the_created_key_is_right_although_a_trigger_inserts_too(customer, log):
    created = [Customer.objects.create(name="A"), Tag.objects.create(name="B")]
    assert [type(row).objects.get(pk=row.pk).name for row in created] == ["A", "B"]


def test_a_change_only_of_case_or_of_blanks_is_a_change(customer, log):
    for name in ("ACME", "ACME ", "Äcme"):
        Customer.objects.filter(pk=customer.pk).update(name=name)
    assert log.changes() == [
        {"name": ["Acme", "ACME"]},
        {"name": ["ACME", "ACME "]},
        {"name": ["ACME ", "Äcme"]},
    ]


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_fails_in_autocommit_leaves_no_entry_and_a_working_connection(
    customer, log
):
    with pytest.raises(IntegrityError):
        Customer.objects.create(pk=customer.pk, name="Twice")
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("UPDATE crm_customer SET no_such_column = 1")
    Customer.objects.update(name="after")
    assert log.changes() == [{"name": ["Acme", "after"]}]
