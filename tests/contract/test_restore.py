"""Deleted records come back with what their deletion took along; records as at a moment."""

import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.signals import post_save

from django_customer_history import history
from django_customer_history.exceptions import NotFoundError, NotRegisteredError
from django_customer_history.models import Entry
from django_customer_history.point_in_time.undo import UndoOptions, undo_entries
from tests.projects.crm.models import (
    Attachment,
    Contract,
    Customer,
    Dealer,
    Guarding,
    Invoice,
    Note,
    Pass,
    Referral,
    Site,
    Stock,
    Tag,
    Ticket,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def busy(customer):
    """A customer with something of every kind that a deletion takes along."""
    other = Customer.objects.create(name="Other")
    customer.tags.add(Tag.objects.create(name="t"))
    Note.objects.create(customer=customer, text="n")
    Invoice.objects.create(customer=customer, number="1").lines.create(product="p")
    Attachment.objects.create(content_object=customer, name="file")
    Referral.objects.create(seller=customer, buyer=other)
    Ticket.objects.create(customer=customer, udf={"a": 1})
    Site.objects.create(name="s").guards.add(customer)
    return customer


def rows():
    return {
        "customers": set(Customer.objects.values_list("pk", "name", "rate")),
        "tags": set(Customer.tags.through.objects.values_list("customer", "tag")),
        "notes": set(Note.objects.values_list("pk", "customer", "text")),
        "invoices": set(Invoice.objects.values_list("pk", "customer", "lines__product")),
        "files": set(Attachment.objects.values_list("pk", "object_id", "name")),
        "referrals": set(Referral.objects.values_list("pk", "seller", "buyer")),
        "tickets": [(one.pk, one.udf) for one in Ticket.objects.all()],
        "guards": set(Guarding.objects.values_list("site", "customer")),
    }


class TestRestore:
    def test_all_that_belonged(self, busy):
        before, key = rows(), busy.pk
        with history.acting(source="web"):
            busy.delete()
        undone = history.restore(Customer, key, reason="a mistake")
        assert rows() == before
        assert undone.is_complete
        assert {one.action for one in undone.written} == {"Restore"}

    def test_without_a_request(self, busy):
        before, key = rows(), busy.pk
        busy.delete()
        assert history.restore(Customer, key, reason="a mistake").is_complete
        assert rows() == before

    def test_nothing_else_of_the_request(self, busy):
        other = Customer.objects.get(name="Other")
        with history.acting(source="web"):
            Customer.objects.filter(pk=other.pk).update(rate="1.00")
            Note.objects.create(customer=other, text="new")
            Stock.objects.create(warehouse=1, product="p")
            Stock.objects.all().delete()
            busy.delete()
        key = Entry.objects.filter(kind="delete", entity_model="crm.customer").get().entity_id
        history.restore(Customer, int(key), reason="a mistake")
        assert Customer.objects.get(pk=other.pk).rate == Decimal("1.00")
        assert Note.objects.filter(text="new").exists()
        assert not Stock.objects.exists()

    def test_can_be_undone(self, busy):
        key = busy.pk
        with history.acting(source="web"):
            busy.delete()
        gone = rows()
        undone = history.restore(Customer, key, reason="a mistake")
        assert history.undo(undone.written, reason="no, it was right").is_complete
        assert rows() == gone

    def test_set_default(self):
        dealer = Dealer.objects.create(name="d")
        contract = Contract.objects.create(dealer=dealer)
        with history.acting(source="web"):
            key = dealer.pk
            dealer.delete()
        assert history.restore(Dealer, key, reason="r").is_complete
        contract.refresh_from_db()
        assert contract.dealer_id == key

    def test_self_reference(self):
        parent = Site.objects.create(name="p")
        child = Site.objects.create(name="c", parent=parent)
        key = parent.pk
        with history.acting(source="web"):
            parent.delete()
        history.restore(Site, key, reason="r")
        assert Site.objects.get(pk=child.pk).parent_id == key

    def test_children_before_parents(self, customer):
        """A log in which the parent was deleted first, as by a cascade of the database."""
        note = Note.objects.create(customer=customer, text="n")
        with history.acting(source="web"):
            customer.delete()
        entries = list(Entry.objects.order_by("-id")[:2])
        assert [one.entity_model for one in entries] == ["crm.customer", "crm.note"]
        first, second = (one.id for one in entries)
        entries[0].id, entries[1].id = second, first
        undone = undo_entries(entries, UndoOptions(reason="r"), using="default")
        assert undone.is_complete
        assert Note.objects.get().pk == note.pk

    def test_composite_key(self):
        Stock.objects.create(warehouse=1, product="p", quantity=3)
        Stock.objects.all().delete()
        history.restore(Stock, (1, "p"), reason="r")
        assert Stock.objects.get().quantity == 3

    def test_key_in_use(self, customer):
        key = customer.pk
        customer.delete()
        Customer.objects.create(pk=key, name="Another")
        undone = history.restore(Customer, key, reason="r")
        assert [one.reason for one in undone.conflicts] == ["exists"]
        assert Customer.objects.get().name == "Another"

    def test_never_deleted(self, customer):
        with pytest.raises(NotFoundError, match=r"no deletion of crm\.customer"):
            history.restore(Customer, customer.pk, reason="r")

    def test_not_registered(self):
        with pytest.raises(NotRegisteredError):
            history.restore(Guarding, 1, reason="r")

    def test_value_is_asked_for(self, customer):
        key = Pass.objects.create(customer=customer, code="c").pk
        Pass.objects.all().delete()
        undone = history.restore(Pass, key, reason="r")
        assert [(one.reason, one.field) for one in undone.conflicts] == [("value", "code")]
        assert not Pass.objects.exists()
        assert history.restore(Pass, key, reason="r", values={"code": "d"}).is_complete
        assert Pass.objects.get().code == "d"

    def test_unique_value_is_taken(self):
        User.objects.create_user("ann")
        User.objects.update(username="bea")
        (update,) = Entry.objects.order_by("-id")[:1]
        User.objects.create_user("ann")
        undone = history.undo(update, reason="r")
        assert [(one.reason, one.field) for one in undone.conflicts] == [("unique", "username")]
        assert set(User.objects.values_list("username", flat=True)) == {"ann", "bea"}

    def test_missing_file_is_said(self, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path
        (tmp_path / "kept.txt").write_text("x")
        dealer = Dealer.objects.create(name="d")
        key = Contract.objects.create(dealer=dealer, scan="gone.txt", photo="kept.txt").pk
        Contract.objects.all().delete()
        undone = history.restore(Contract, key, reason="r")
        assert [(one.reason, one.field) for one in undone.skipped] == [("file", "scan")]
        assert Contract.objects.get().scan.name == "gone.txt"


class TestRevert:
    def test_to_a_moment(self, customer):
        customer.tags.add(Tag.objects.create(name="before"))
        moment = datetime.now(UTC)
        customer.tags.set([Tag.objects.create(name="after")])
        Customer.objects.filter(pk=customer.pk).update(rate="1.00")
        Customer.objects.filter(pk=customer.pk).update(rate="2.00", name="New")
        assert history.revert(customer, moment, reason="r").is_complete
        customer.refresh_from_db()
        assert (customer.name, customer.rate) == ("Acme", Decimal("39.99"))
        assert customer.tags.get().name == "before"
        assert Entry.objects.order_by("-id")[0].action == "Revert"

    def test_deleted_record(self, customer):
        moment, key = datetime.now(UTC), customer.pk
        Customer.objects.update(rate="1.00")
        customer.delete()
        history.revert(Customer, moment, key=key, reason="r")
        assert Customer.objects.values_list("pk", "rate").get() == (key, Decimal("39.99"))

    def test_before_it_existed(self, customer):
        with pytest.raises(NotFoundError, match="did not exist"):
            history.revert(customer, datetime(2020, 1, 1, tzinfo=UTC), reason="r")

    def test_nothing_changed(self, customer):
        undone = history.revert(customer, datetime.now(UTC), reason="r")
        assert undone == type(undone)()


class TestThroughSave:
    @pytest.fixture
    def saved(self):
        sent = []

        def receive(sender, instance, created, **kwargs):
            if sender._meta.app_label == "crm":
                sent.append((sender.__name__, created))

        post_save.connect(receive)
        yield sent
        post_save.disconnect(receive)

    def test_update(self, customer, saved):
        Customer.objects.update(rate="1.00")
        (update,) = Entry.objects.order_by("-id")[:1]
        undone = history.undo(update, reason="r", through="save")
        assert saved == [("Customer", False)]
        assert Customer.objects.get().rate == Decimal("39.99")
        assert [one.changes for one in undone.written] == [{"rate": ["1.00", "39.99"]}]

    def test_restore(self, busy, saved):
        before, key = rows(), busy.pk
        with history.acting(source="web"):
            busy.delete()
        saved.clear()
        assert history.restore(Customer, key, reason="r", through="save").is_complete
        assert ("Customer", True) in saved
        assert ("Invoice", False) in saved
        assert rows() == before

    def test_rows_send_no_signal(self, busy, saved):
        key = busy.pk
        with history.acting(source="web"):
            busy.delete()
        saved.clear()
        history.restore(Customer, key, reason="r")
        assert saved == []

    def test_create(self, customer):
        Note.objects.create(customer=customer, text="t")
        (created,) = Entry.objects.order_by("-id")[:1]
        history.undo(created, reason="r", through="save")
        assert not Note.objects.exists()

    def test_links(self, customer):
        customer.tags.add(Tag.objects.create(name="t"))
        (added,) = Entry.objects.order_by("-id")[:1]
        undone = history.undo(added, reason="r", through="save")
        assert not customer.tags.exists()
        history.undo(undone.written, reason="r", through="save")
        assert customer.tags.count() == 1

    def test_unknown_way(self, customer):
        with pytest.raises(ValueError, match="through"):
            history.undo(Entry.objects.all(), reason="r", through="magic")


class TestCommands:
    def run(self, *arguments, **options):
        out, err = io.StringIO(), io.StringIO()
        call_command(*arguments, stdout=out, stderr=err, **options)
        return out.getvalue().splitlines(), err.getvalue().splitlines()

    def test_undo_of_a_request(self, customer):
        with history.acting(source="web") as context:
            Customer.objects.update(rate="1.00")
        request = f"--request-id={context.request_id}"
        out, _ = self.run("history_undo", request, "--dry-run")
        key = customer.pk
        assert out == [
            f"update crm.customer {key}: rate", "1 entries would be undone, 0 conflicts",
        ]  # fmt: skip
        assert Customer.objects.get().rate == Decimal("1.00")
        out, _ = self.run("history_undo", request, "--reason=a mistake")
        assert out[-1] == "1 entries undone, 0 conflicts"
        assert Customer.objects.get().rate == Decimal("39.99")
        entry = Entry.objects.order_by("-id")[0]
        assert (entry.source, entry.context["reason"]) == ("command", "a mistake")

    def test_undo_of_an_entry(self, customer):
        Customer.objects.update(rate="1.00")
        (update,) = Entry.objects.order_by("-id")[:1]
        self.run("history_undo", str(update.id), "--reason=r", "--through=save")
        assert Customer.objects.get().rate == Decimal("39.99")

    def test_conflict_is_an_error(self, customer):
        Customer.objects.update(rate="1.00", ssn="111-22-3333")
        (update,) = Entry.objects.order_by("-id")[:1]
        Customer.objects.update(ssn="999-88-7777")
        err = io.StringIO()
        with pytest.raises(CommandError, match="There are conflicts"):
            call_command(
                "history_undo", str(update.id), reason="r", stdout=io.StringIO(), stderr=err
            )
        assert err.getvalue().splitlines() == [
            f"conflict: crm.customer {customer.pk}.ssn: The value was changed again since."
        ]

    def test_restore(self, customer):
        key = customer.pk
        customer.delete()
        with pytest.raises(CommandError, match="reason"):
            self.run("history_restore", f"crm.customer:{key}")
        self.run("history_restore", f"crm.customer:{key}", "--reason=r")
        assert Customer.objects.get().pk == key

    @pytest.mark.parametrize(
        "arguments",
        [
            ("history_undo",),
            ("history_undo", "nonsense"),
            ("history_undo", "01890a5d-ac96-774b-bcce-b302099a8057"),
            ("history_restore", "crm.customer"),
            ("history_restore", "crm.nothing:1"),
            ("history_restore", "crm.customer:x"),
            ("history_restore", "crm.customer:99999"),
            ("history_restore", "crm.customer:1", "--value=x"),
        ],
    )
    def test_errors(self, arguments):
        with pytest.raises(CommandError):
            self.run(*arguments, "--reason=r")


class TestStatements:
    def test_statements_of_one_update(self, customer, django_assert_max_num_queries):
        Customer.objects.update(rate="1.00")
        (update,) = Entry.objects.order_by("-id")[:1]
        with django_assert_max_num_queries(25 if connection.vendor == "mysql" else 20):
            history.undo(update, reason="r")
