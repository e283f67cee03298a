"""Billing: the actions on invoices, each with its name in the history."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext_noop

from crm.models import Enrolment, Invoice
from crm.money import dollars
from django_customer_history import history

DAYS_TO_PAY = 14

SENT_TO = gettext_noop("Sent to")
"""The label of `sent_to` in the event of a reminder, mentioned for the translations."""


@transaction.atomic
def generate_invoice(customer, form, lines):
    """Create an invoice with its lines from a valid form and formset, and return it."""
    with history.action(gettext_noop("Invoice Generated")):
        form.instance.customer = customer
        lines.instance = form.save()
        lines.save()
    return lines.instance


@transaction.atomic
def invoice_work_order(order):
    """Generate an invoice for a completed work order."""
    today = timezone.localdate()
    with history.action(gettext_noop("Invoice Generated")):
        invoice = order.customer.invoices.create(
            issued_on=today, due_on=today + timedelta(days=DAYS_TO_PAY)
        )
        invoice.lines.create(description=order.title, quantity=1, unit_price=order.price)
    order.invoice, order.status = invoice, order.Status.INVOICED
    order.save()


@transaction.atomic
def apply_payment(invoice, form):
    """Save a payment from a valid form, and mark the invoice as paid if nothing is left to pay."""
    with history.action(gettext_noop("Payment Applied")):
        form.instance.invoice = invoice
        payment = form.save()
        _settle(invoice)
    return payment


@transaction.atomic
def edit_invoice(form, lines):
    """Save an invoice with its lines from a valid form and formset."""
    with history.action(gettext_noop("Invoice Edited")):
        form.save()
        lines.save()
        _settle(form.instance)


@transaction.atomic
def edit_payment(form):
    """Save a payment from a valid form, and update the status of its invoice."""
    with history.action(gettext_noop("Payment Edited")):
        form.save()
        _settle(form.instance.invoice)


def _settle(invoice):
    """Mark an invoice as paid if nothing is left to pay, and a paid one as open otherwise."""
    is_paid = invoice.balance <= 0
    if is_paid != (invoice.status == Invoice.Status.PAID):
        invoice.status = Invoice.Status.PAID if is_paid else Invoice.Status.OPEN
        invoice.save()


@transaction.atomic
def send_reminders(invoices):
    """Mark open invoices past their due date as overdue, send reminders, and return how many.

    Each customer is enrolled in the dunning workflow, or moves to its next step.
    """
    late = invoices.filter(status=Invoice.Status.OPEN, due_on__lt=timezone.localdate())
    reminded = list(late.select_related("customer"))
    with history.action(gettext_noop("Invoice Overdue")):
        Invoice.objects.filter(pk__in=[invoice.pk for invoice in reminded]).update(
            status=Invoice.Status.OVERDUE
        )
    for invoice in reminded:
        _remind(invoice)
    return len(reminded)


def _remind(invoice):
    customer = invoice.customer
    # The note is stored: it has the language of the site, not that of the user who runs the job.
    with translation.override(settings.LANGUAGE_CODE):
        balance, due_on = dollars(invoice.balance), date_format(invoice.due_on)
    customer.notes.create(
        text=f"Payment reminder for invoice {invoice.number}: {balance} was due on {due_on}. Call"
        " the customer if it is not paid within 10 days."
    )
    dunning = customer.enrolments.filter(workflow=Enrolment.Workflow.DUNNING).first()
    if dunning is None:
        customer.enrolments.create(workflow=Enrolment.Workflow.DUNNING)
    elif dunning.next_step is not None:
        dunning.step = dunning.next_step
        dunning.save()
    history.record(
        gettext_noop("Reminder Sent"),
        subject=customer,
        entity=invoice,
        changes={"sent_to": (None, customer.email or customer.address)},
    )
