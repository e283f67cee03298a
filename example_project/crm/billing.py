"""Billing: what happens to invoices, each under the name that people call it."""

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format

from crm.models import Invoice
from django_customer_history import history

FIRST_NUMBER = 1001


@transaction.atomic
def generate_invoice(customer, form, lines):
    """Save an invoice with its lines from a valid form and formset; return the invoice."""
    with history.action("Invoice Generated"):
        invoice = form.save(commit=False)
        invoice.customer = customer
        invoice.number = _next_number()
        invoice.save()
        lines.instance = invoice
        lines.save()
    return invoice


@transaction.atomic
def apply_payment(invoice, form):
    """Save a payment from a valid form; an invoice with nothing left to pay is paid."""
    with history.action("Payment Applied"):
        payment = form.save(commit=False)
        payment.invoice = invoice
        payment.save()
        if invoice.balance <= 0:
            invoice.status = Invoice.Status.PAID
            invoice.save()
    return payment


@transaction.atomic
def send_reminders():
    """Mark open invoices past their due date as overdue, with a note each; return how many."""
    late = Invoice.objects.filter(status=Invoice.Status.OPEN, due_on__lt=timezone.localdate())
    invoices = list(late.select_related("customer"))
    with history.action("Invoice Overdue"):
        late.update(status=Invoice.Status.OVERDUE)
    for invoice in invoices:
        _remind(invoice)
    return len(invoices)


def _remind(invoice):
    customer = invoice.customer
    customer.notes.create(
        text=f"Payment reminder for invoice {invoice.number}: {invoice.balance} USD was due on"
        f" {date_format(invoice.due_on)}. To be called if nothing comes in within 10 days."
    )
    history.record(
        "Workflow Advanced",
        subject=customer,
        changes={"workflow": (None, "Dunning"), "step": ("Invoice due", "First reminder")},
    )


def _next_number():
    newest = Invoice.objects.order_by("-pk").values_list("number", flat=True).first()
    number = FIRST_NUMBER if newest is None else int(newest.removeprefix("INV-")) + 1
    return f"INV-{number}"
