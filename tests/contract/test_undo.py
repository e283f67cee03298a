"""Undo of single changes, of every kind and by every path."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from django_customer_history import history
from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import Entry
from django_customer_history.point_in_time.conflicts import undone_by
from tests.projects.crm.models import (
    Attachment,
    Code,
    Credit,
    Customer,
    Employee,
    Invoice,
    InvoiceLine,
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


def newest(count=1):
    return list(Entry.objects.order_by("-id")[:count])


def undo_newest(count=1, **options):
    return history.undo(newest(count), reason="a mistake", **options)


def facts(conflicts):
    return [(one.reason, one.field, one.expected, one.current, one.former) for one in conflicts]


class TestUpdate:
    def test_old_value_is_back(self, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="44.99", name="Acme Ltd")
        undone = undo_newest()
        customer.refresh_from_db()
        assert (customer.rate, customer.name) == (Decimal("39.99"), "Acme")
        assert undone.is_complete
        assert len(undone.done) == 1

    def test_undo_is_an_entry(self, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        (update,) = newest()
        (written,) = history.undo(update, reason="a typing error").written
        assert (written.kind, written.action) == ("update", "Undo")
        assert written.changes == {"rate": ["44.99", "39.99"]}
        assert written.context["reason"] == "a typing error"
        assert undone_by(written) == (update.id,)
        assert newest() == [written]

    def test_undo_can_be_undone(self, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        undo_newest()
        undo_newest()
        assert Customer.objects.get().rate == Decimal("44.99")

    def test_changed_since_is_a_conflict(self, customer):
        customers = Customer.objects.filter(pk=customer.pk)
        customers.update(rate="44.99", name="Acme Ltd")
        (first,) = newest()
        customers.update(rate="50.00")
        undone = history.undo(first, reason="a mistake")
        customer.refresh_from_db()
        assert (customer.rate, customer.name) == (Decimal("50.00"), "Acme")
        assert facts(undone.conflicts) == [("changed", "rate", "44.99", "50.00", "39.99")]
        assert undone.done == (first,)

    def test_force_overwrites(self, customer):
        customers = Customer.objects.filter(pk=customer.pk)
        customers.update(rate="44.99")
        (first,) = newest()
        customers.update(rate="50.00")
        assert history.undo(first, reason="a mistake", force=True).is_complete
        assert Customer.objects.get().rate == Decimal("39.99")

    def test_updates_become_one(self, customer):
        for rate in ("40.00", "41.00", "42.00"):
            Customer.objects.filter(pk=customer.pk).update(rate=rate)
        undone = undo_newest(3)
        (written,) = undone.written
        assert written.changes == {"rate": ["42.00", "39.99"]}
        assert len(undone.done) == 3
        assert len(undone_by(written)) == 3

    def test_already_undone(self, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        (update,) = newest()
        history.undo(update, reason="a mistake")
        undone = history.undo(update, reason="a mistake")
        assert undone.done == ()
        assert [one.reason for one in undone.skipped] == ["unchanged"]
        assert undone.written == ()

    def test_secret_is_skipped(self, customer):
        Customer.objects.filter(pk=customer.pk).update(api_token="t", name="Ltd")
        undone = undo_newest()
        customer.refresh_from_db()
        assert (customer.api_token, customer.name) == ("t", "Acme")
        assert [(one.reason, one.field) for one in undone.skipped] == [("secret", "api_token")]

    def test_deleted_since(self, customer):
        tag = Tag.objects.create(name="t")
        Tag.objects.filter(pk=tag.pk).update(name="u")
        (update,) = newest()
        tag.delete()
        undone = history.undo(update, reason="a mistake")
        assert facts(undone.conflicts) == [("missing", None, None, None, None)]

    def test_reused_key(self):
        Code.objects.create(code="k", text="first")
        Code.objects.update(text="second")
        (update,) = newest()
        Code.objects.all().delete()
        Code.objects.create(code="k", text="second")
        undone = history.undo(update, reason="a mistake")
        assert facts(undone.conflicts) == [("replaced", None, None, None, None)]
        assert Code.objects.get().text == "second"

    def test_auto_now_is_now(self, customer):
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        Customer.objects.filter(pk=customer.pk).update(rate="44.99", updated_at=long_ago)
        undo_newest()
        assert Customer.objects.get().updated_at > datetime.now(UTC) - timedelta(hours=1)

    def test_key_of_json(self, customer):
        ticket = Ticket.objects.create(customer=customer, udf={"a": 1, "b": [2]})
        Ticket.objects.update(udf={"a": 5, "c.d": None})
        (update,) = newest()
        Ticket.objects.update(udf={"a": 5, "c.d": None, "e": "later"})
        assert history.undo(update, reason="a mistake").is_complete
        ticket.refresh_from_db()
        assert ticket.udf == {"a": 1, "b": [2], "e": "later"}

    def test_conflict_of_one_json_key(self, customer):
        ticket = Ticket.objects.create(customer=customer, udf={"a": 1, "b": 1})
        Ticket.objects.update(udf={"a": 2, "b": 2})
        (update,) = newest()
        Ticket.objects.update(udf={"a": 3, "b": 2})
        undone = history.undo(update, reason="a mistake")
        ticket.refresh_from_db()
        assert ticket.udf == {"a": 3, "b": 1}
        assert facts(undone.conflicts) == [("changed", "udf.a", "2", "3", "1")]

    @pytest.mark.parametrize("values", [([1], {"a": 1}), ("x", {}), (None, {"a": None})])
    def test_json_as_a_whole(self, values, customer):
        ticket = Ticket.objects.create(customer=customer, udf=values[0])
        Ticket.objects.update(udf=values[1])
        assert undo_newest().is_complete
        ticket.refresh_from_db()
        assert ticket.udf == values[0]

    def test_inherited_field(self, customer):
        employee = Employee.objects.create(name="Ann", customer=customer, badge="1")
        Employee.objects.update(name="Bea", badge="2")
        assert undo_newest(2).is_complete
        employee.refresh_from_db()
        assert (employee.name, employee.badge) == ("Ann", "1")

    def test_composite_key(self):
        Stock.objects.create(warehouse=1, product="p", quantity=3)
        Stock.objects.filter(warehouse=1).update(quantity=4)
        undo_newest()
        assert Stock.objects.get().quantity == 3

    def test_changed_composite_key(self):
        Stock.objects.create(warehouse=1, product="p", quantity=3)
        Stock.objects.filter(warehouse=1).update(warehouse=2, quantity=4)
        assert undo_newest().is_complete
        assert Stock.objects.values_list("warehouse", "quantity").get() == (1, 3)

    def test_changed_key(self):
        Code.objects.create(code="k", text="t")
        Code.objects.update(code="l", text="u")
        assert undo_newest(2).is_complete
        assert Code.objects.values_list("code", "text").get() == ("k", "t")

    def test_generated_and_custom_fields(self):
        Oddity.objects.create(name="100%", backwards="abc", number=2)
        Oddity.objects.update(backwards="xyz", number=5)
        assert undo_newest().is_complete
        assert Oddity.objects.values_list("backwards", "number", "twice").get() == ("abc", 2, 4)

    def test_subjects_are_one_change(self, customer):
        other = Customer.objects.create(name="Other")
        Referral.objects.create(seller=customer, buyer=other)
        Referral.objects.update(note="hello")
        undone = undo_newest(2)
        assert len(undone.done) == 2
        assert len(undone.written) == 2
        assert undone.skipped == ()
        assert Referral.objects.get().note == ""

    def test_invalid_today(self, customer):
        Customer.objects.filter(pk=customer.pk).update(status="trial")
        Customer.objects.filter(pk=customer.pk).update(status="active")
        undone = undo_newest()
        assert [(one.reason, one.field) for one in undone.conflicts] == [("invalid", "status")]
        assert Customer.objects.get().status == "active"
        undo_newest(force=True)
        assert Customer.objects.get().status == "trial"


class TestCreate:
    def test_row_is_deleted(self, customer):
        Note.objects.create(customer=customer, text="oops")
        assert undo_newest().is_complete
        assert not Note.objects.exists()

    def test_changed_since(self, customer):
        note = Note.objects.create(customer=customer, text="oops")
        (created,) = newest()
        Note.objects.update(text="kept")
        undone = history.undo(created, reason="a mistake")
        assert facts(undone.conflicts) == [("changed", "text", "oops", "kept", None)]
        assert Note.objects.get() == note

    def test_referenced_since(self, customer):
        Invoice.objects.create(customer=customer, number="1").lines.create(product="p")
        created = Entry.objects.get(entity_model="crm.invoice")
        undone = history.undo(created, reason="a mistake")
        (conflict,) = undone.conflicts
        assert (conflict.reason, conflict.detail) == ("referenced", "1 crm.invoiceline")
        assert Invoice.objects.count() == 1

    def test_force_deletes_what_belongs(self, customer):
        Invoice.objects.create(customer=customer, number="1").lines.create(product="p")
        created = Entry.objects.get(entity_model="crm.invoice")
        assert history.undo(created, reason="a mistake", force=True).is_complete
        assert not InvoiceLine.objects.exists()
        assert not Invoice.objects.exists()

    def test_with_parents(self, customer):
        Employee.objects.create(name="Ann", customer=customer, badge="1")
        assert undo_newest().is_complete
        assert not Person.objects.exists()

    def test_tagged_since(self, customer):
        (created,) = Entry.objects.filter(entity_model="crm.customer", kind="create")
        customer.tags.add(Tag.objects.create(name="t"))
        undone = history.undo(created, reason="a mistake")
        assert [one.reason for one in undone.conflicts] == ["referenced"]

    def test_generic_relation(self, customer):
        (created,) = Entry.objects.filter(entity_model="crm.customer", kind="create")
        Attachment.objects.create(content_object=customer, name="file")
        undone = history.undo(created, reason="a mistake")
        assert [one.detail for one in undone.conflicts] == ["1 crm.attachment"]


class TestDelete:
    def test_row_is_back(self, customer):
        note = Note.objects.create(customer=customer, text="important")
        key = note.pk
        note.delete()
        assert undo_newest().is_complete
        assert Note.objects.values_list("pk", "text", "customer").get() == (
            key, "important", customer.pk,
        )  # fmt: skip

    def test_key_is_taken(self):
        Code.objects.create(code="k", text="first")
        Code.objects.all().delete()
        (deleted,) = newest()
        Code.objects.create(code="k", text="other")
        undone = history.undo(deleted, reason="a mistake")
        assert facts(undone.conflicts) == [("exists", None, None, None, None)]

    def test_parent_is_missing(self, customer):
        Note.objects.create(customer=customer, text="important").delete()
        (deleted,) = newest()
        customer.delete()
        undone = history.undo(deleted, reason="a mistake")
        assert [(one.reason, one.field) for one in undone.conflicts] == [("parent", "customer")]

    def test_inherited(self, customer):
        Employee.objects.create(name="Ann", customer=customer, badge="1").delete()
        assert undo_newest().is_complete
        assert Employee.objects.values_list("name", "badge").get() == ("Ann", "1")

    def test_parent_was_kept(self, customer):
        employee = Employee.objects.create(name="Ann", customer=customer, badge="1")
        employee.delete(keep_parents=True)
        assert undo_newest().is_complete
        assert Employee.objects.values_list("name", "badge").get() == ("Ann", "1")

    @pytest.mark.parametrize(
        ("force", "name", "conflicts"),
        [(False, "Anna", [("changed", "name", None, "Anna", "Ann")]), (True, "Ann", [])],
    )
    def test_kept_parent_has_changed(self, force, name, conflicts, customer):
        employee = Employee.objects.create(name="Ann", customer=customer, badge="1")
        employee.delete(keep_parents=True)
        (deleted,) = newest()
        Person.objects.update(name="Anna")
        undone = history.undo(deleted, reason="a mistake", force=force)
        assert facts(undone.conflicts) == conflicts
        assert Employee.objects.values_list("name", "badge").get() == (name, "1")

    def test_json_keys(self, customer):
        udf = {"z": 1, "a": {"b": [True, None, "\u00e9"]}}
        Ticket.objects.create(customer=customer, udf=udf).delete()
        assert undo_newest().is_complete
        assert Ticket.objects.get().udf == udf

    def test_secret_value_is_said(self, customer):
        Credit.objects.create(customer=customer, code="s3cret")
        with history.acting(reason="test"):
            Credit.objects.all().delete()
        undone = undo_newest()
        assert Credit.objects.get().code == ""
        assert [(one.reason, one.field) for one in undone.skipped] == [("unlogged", "code")]

    def test_value_can_be_given(self, customer):
        Credit.objects.create(customer=customer, code="s3cret")
        with history.acting(reason="test"):
            Credit.objects.all().delete()
        undone = undo_newest(values={"crm.credit.code": "new"})
        assert Credit.objects.get().code == "new"
        assert undone.skipped == ()

    def test_next_key_is_free(self, customer):
        notes = [Note.objects.create(customer=customer, text=str(n)) for n in range(3)]
        Note.objects.all().delete()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ALTER SEQUENCE crm_note_id_seq RESTART")
        undo_newest(3)
        assert Note.objects.create(customer=customer, text="new").pk > max(
            note.pk for note in notes
        )


class TestLinks:
    def test_added(self, customer):
        customer.tags.add(Tag.objects.create(name="t"))
        assert undo_newest().is_complete
        assert not customer.tags.exists()

    def test_removed(self, customer):
        tag = Tag.objects.create(name="t")
        customer.tags.add(tag)
        customer.tags.remove(tag)
        assert undo_newest().is_complete
        assert customer.tags.get() == tag

    def test_target_is_gone(self, customer):
        tag = Tag.objects.create(name="t")
        customer.tags.add(tag)
        customer.tags.remove(tag)
        (removed,) = newest()
        tag.delete()
        undone = history.undo(removed, reason="a mistake")
        assert [(one.reason, one.field) for one in undone.conflicts] == [("parent", "tags")]

    def test_symmetrical(self):
        sites = [Site.objects.create(name=name) for name in "ab"]
        sites[0].neighbours.add(sites[1])
        sites[0].neighbours.clear()
        assert undo_newest(2).is_complete
        assert sites[1].neighbours.get() == sites[0]

    def test_through_model(self, customer):
        site = Site.objects.create(name="a")
        site.guards.add(customer, through_defaults={"since": 1999})
        site.guards.clear()
        undone = undo_newest()
        assert site.guards.get() == customer
        assert [one.reason for one in undone.skipped] == ["link"]


class TestRequest:
    def test_all_of_a_request(self, customer):
        with history.acting(source="web") as context:
            invoice = Invoice.objects.create(customer=customer, number="1")
            invoice.lines.create(product="p")
            Customer.objects.update(rate="1.00")
            invoice.lines.update(quantity=5)
        undone = history.undo(context.request_id, reason="a mistake")
        assert undone.is_complete
        assert not Invoice.objects.exists()
        assert Customer.objects.get().rate == Decimal("39.99")

    def test_text_of_a_request(self, customer):
        with history.acting(source="web") as context:
            Customer.objects.update(rate="1.00")
        history.undo(str(context.request_id), reason="a mistake")
        assert Customer.objects.get().rate == Decimal("39.99")

    def test_unknown_request(self):
        with pytest.raises(NotFoundError):
            history.undo("01890a5d-ac96-774b-bcce-b302099a8057", reason="a mistake")

    def test_events_are_skipped(self, customer):
        history.record("Letter Sent", subject=customer)
        undone = undo_newest()
        assert [one.reason for one in undone.skipped] == ["event"]

    @pytest.mark.parametrize("reason", ["", "  ", None])
    def test_reason_is_needed(self, reason, customer):
        with pytest.raises(ValueError, match="reason"):
            history.undo(newest(), reason=reason)

    def test_dry_run_writes_nothing(self, customer):
        Customer.objects.update(rate="1.00")
        before = Entry.objects.count()
        undone = undo_newest(dry_run=True)
        assert [one.changes for one in undone.written] == [{"rate": ["1.00", "39.99"]}]
        assert Entry.objects.count() == before
        assert Customer.objects.get().rate == Decimal("1.00")


class TestValues:
    def test_each_type(self):
        values = {
            "big": -(2**60), "binary": b"\x00\xff", "boolean": False, "char": "it's 100% \\ %s",
            "date": datetime(2024, 2, 29).date(), "decimal": Decimal("-0.10"),
            "datetime": datetime(2024, 2, 29, 1, 2, 3, 456, tzinfo=UTC),
            "duration": timedelta(days=-1, microseconds=5), "float": 0.1,
            "ip": "2001:db8::1", "json": {"a": [1.5, None]}, "text": "",
            "time": datetime(2024, 1, 1, 23, 59, 59, 7).time(),
            "uuid": "0b5f3a5e-9f0e-4d3c-8f59-2c1f4c7e9a11",
        }  # fmt: skip
        specimen = Specimen.objects.create(**values)
        before = Specimen.objects.values().get()
        specimen.delete()
        assert undo_newest().is_complete
        assert Specimen.objects.values().get() == before
        Specimen.objects.update(**dict.fromkeys(values))
        assert undo_newest().is_complete
        assert Specimen.objects.values().get() == before
