"""Invoices of a customer, and their payments."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from crm.billing import apply_payment, generate_invoice
from crm.forms import InvoiceForm, InvoiceLines, PaymentForm
from crm.models import Customer, Invoice


def invoices(request, pk):
    """List the invoices of a customer."""
    customer = get_object_or_404(Customer, pk=pk)
    found = customer.invoices.prefetch_related("lines", "payments")
    context = {"customer": customer, "tab": "invoices", "invoices": found}
    return render(request, "crm/invoices.html", context)


def new_invoice(request, pk):
    """Generate an invoice with its lines."""
    customer = get_object_or_404(Customer, pk=pk)
    form = InvoiceForm(request.POST or None)
    lines = InvoiceLines(request.POST or None)
    if request.method == "POST" and form.is_valid() and lines.is_valid():
        invoice = generate_invoice(customer, form, lines)
        messages.success(request, f"Invoice {invoice} generated.")
        return redirect(invoice)
    context = {"customer": customer, "tab": "invoices", "form": form, "lines": lines}
    return render(request, "crm/invoice_form.html", context)


def invoice(request, pk, invoice_pk):
    """Show an invoice with its lines and payments."""
    found = get_object_or_404(Invoice, pk=invoice_pk, customer=pk)
    return _invoice_page(request, found, PaymentForm(initial={"amount": found.balance}))


@require_POST
def add_payment(request, pk, invoice_pk):
    """Apply a payment to an invoice."""
    found = get_object_or_404(Invoice, pk=invoice_pk, customer=pk)
    form = PaymentForm(request.POST)
    if not form.is_valid():
        return _invoice_page(request, found, form)
    apply_payment(found, form)
    messages.success(request, "Payment applied.")
    return redirect(found)


def _invoice_page(request, found, form):
    context = {"customer": found.customer, "tab": "invoices", "invoice": found, "form": form}
    return render(request, "crm/invoice.html", context)
