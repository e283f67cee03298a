"""A change is shown once on the tab of each record that it belongs to."""

import pytest
from django.core.management import call_command

from django_customer_history import history
from django_customer_history.models import Entry
from tests.projects.crm.models import (
    Account,
    Attachment,
    Customer,
    Invoice,
    InvoiceLine,
    Note,
    Referral,
    Specimen,
    Tag,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(customer):
    return Customer.objects.create(name="Other")


class TestMoves:
    def test_row_moves_to_other_subject(self, customer, other, log):
        note = Note.objects.create(customer=customer, text="t")
        invoice = Invoice.objects.create(customer=customer, number="1")
        line = InvoiceLine.objects.create(
            invoice=Invoice.objects.create(customer=other, number="2"), product="p"
        )
        log.clear()
        note.customer = other
        note.save()
        line.invoice = invoice
        line.save()
        assert log.values("entity_model", "subject_id") == [
            ("crm.note", str(other.pk)),
            ("crm.note", str(customer.pk)),
            ("crm.invoiceline", str(customer.pk)),
            ("crm.invoiceline", str(other.pk)),
        ]
        assert len({entry.id for entry in log.entries()}) == 4

    def test_row_gets_or_loses_a_subject(self, customer, log):
        invoice = Invoice.objects.create(number="1")
        log.clear()
        Invoice.objects.filter(pk=invoice.pk).update(customer=customer)
        Invoice.objects.filter(pk=invoice.pk).update(customer=None)
        assert log.values("subject_id", "changes") == [
            (str(customer.pk), {"customer": [None, str(customer.pk)]}),
            (str(customer.pk), {"customer": [str(customer.pk), None]}),
        ]

    def test_move_within_one_subject(self, customer, log):
        first, second = (Invoice.objects.create(customer=customer, number=n) for n in "12")
        line = InvoiceLine.objects.create(invoice=first, product="p")
        log.clear()
        line.invoice = second
        line.save()
        assert log.values("subject_id") == [(str(customer.pk),)]


class TestPaths:
    def test_paths_of_foreign_keys(self, customer, log):
        Note.objects.create(customer=customer, text="t")
        invoice = Invoice.objects.create(customer=customer, number="7")
        line = InvoiceLine.objects.create(invoice=invoice, product="Siren")
        line.quantity = 3
        line.save()
        assert log.values("entity_model", "subject_model", "subject_id") == [
            ("crm.note", "crm.customer", str(customer.pk)),
            ("crm.invoice", "crm.customer", str(customer.pk)),
            ("crm.invoiceline", "crm.customer", str(customer.pk)),
            ("crm.invoiceline", "crm.customer", str(customer.pk)),
        ]

    def test_model_without_subject(self, log):
        Tag.objects.create(name="vip")
        assert log.values("subject_model", "subject_id") == [(None, None)]

    def test_path_that_ends_at_null(self, log):
        invoice = Invoice.objects.create(number="none")
        InvoiceLine.objects.create(invoice=invoice, product="Siren")
        assert log.values("subject_model", "subject_id") == [(None, None), (None, None)]

    def test_several_subjects_once_each(self, customer, other, log):
        referral = Referral.objects.create(seller=customer, buyer=other)
        alone = Referral.objects.create(seller=customer, buyer=customer)
        unsold = Referral.objects.create(seller=customer)
        assert log.values("entity_id", "subject_id") == [
            (str(referral.pk), str(customer.pk)),
            (str(referral.pk), str(other.pk)),
            (str(alone.pk), str(customer.pk)),
            (str(unsold.pk), str(customer.pk)),
        ]
        log.clear()
        Referral.objects.filter(pk=referral.pk).update(seller=other, buyer=customer)
        assert sorted(log.values("subject_id")) == sorted([(str(customer.pk),), (str(other.pk),)])

    def test_generic_foreign_key(self, customer, other, log):
        attachment = Attachment.objects.create(content_object=customer, name="plan.pdf")
        attachment.content_object = other
        attachment.save()
        Attachment.objects.create(content_object=Tag.objects.create(name="t"), name="none.pdf")
        logged = log.values("entity_model", "kind", "subject_model", "subject_id")
        assert logged == [
            ("crm.attachment", "create", "crm.customer", str(customer.pk)),
            ("crm.attachment", "update", "crm.customer", str(other.pk)),
            ("crm.attachment", "update", "crm.customer", str(customer.pk)),
            ("crm.tag", "create", None, None),
            ("crm.attachment", "create", None, None),
        ]

    def test_subject_with_uuid_key(self, log):
        account = Account.objects.create(label="A")
        Specimen.objects.create(account=account, char="c")
        assert log.values("subject_model", "subject_id") == [
            ("crm.account", str(account.pk)),
            ("crm.account", str(account.pk)),
        ]


class TestEntriesOfRecord:
    def test_newest_first_after_deletion(self, customer):
        Customer.objects.filter(pk=customer.pk).update(name="Renamed")
        assert [entry.action for entry in history.entries_for(customer)] == ["Update", "Create"]
        key = customer.pk
        customer.delete()
        assert [entry.action for entry in history.entries_for(Customer, key)] == [
            "Delete",
            "Update",
            "Create",
        ]


class TestSeveralSubjects:
    """Entries of one change refer to the first of them, so that the change counts once."""

    def test_row_and_move(self, customer, other, log):
        row = Referral.objects.create(seller=customer, buyer=other)
        Referral.objects.update(buyer=None)
        row.delete()
        created, copy, removed, removed_copy, deleted = log.entries()
        assert (created.primary_id, copy.primary_id) == (None, created.id)
        assert (removed.primary_id, removed_copy.primary_id) == (None, removed.id)
        assert deleted.primary_id is None
        assert [one.kind for one in Entry.objects.filter(id__gte=created.id).primary()] == [
            "create",
            "update",
            "delete",
        ]

    def test_many_rows_of_one_statement(self, customer, other, log):
        Referral.objects.bulk_create(
            Referral(seller=customer, buyer=other, note=str(number)) for number in range(20)
        )
        entries = {one.id: one for one in log.entries()}
        copies = [one for one in entries.values() if one.primary_id is not None]
        assert len(entries) == 40
        assert len(copies) == 20
        for one in copies:
            primary = entries[one.primary_id]
            assert (primary.primary_id, primary.entity_id) == (None, one.entity_id)
            assert primary.changes == one.changes
            assert (primary.subject_id, one.subject_id) == (str(customer.pk), str(other.pk))

    def test_one_subject_twice(self, customer, log):
        Referral.objects.create(seller=customer, buyer=customer)
        assert log.values("primary_id") == [(None,)]

    def test_baseline(self, customer, other, log):
        with history.paused(reason="older than the log"):
            Referral.objects.create(seller=customer, buyer=other)
        log.clear()
        call_command("history_baseline", "crm.Referral", verbosity=0)
        primary, copy = log.entries()
        assert (primary.primary_id, copy.primary_id) == (None, primary.id)
