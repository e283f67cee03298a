"""Invoices of a customer, and their payments."""

from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext

from crm.billing import apply_payment, edit_invoice, edit_payment, generate_invoice
from crm.forms import InvoiceForm, InvoiceLines, LinesOfInvoice, PaymentForm
from crm.models import Invoice, Payment
from crm.records import RECORD_TYPES
from crm.views.pages import CustomerPage


class InvoicesPage(CustomerPage):
    """A page of the invoices of a customer."""

    tab = "Billing"

    def dispatch(self, request, *args, **kwargs):
        """Check that the user may view invoices."""
        self.require("view", Invoice)
        return super().dispatch(request, *args, **kwargs)

    def shared_context(self):
        """Return the context of all templates."""
        return {
            **super().shared_context(),
            "tab_types": [one for one in RECORD_TYPES if one.tab == self.tab],
            "may_add": self.may("add", Invoice),
        }

    def invoice(self, pk):
        """Return an invoice of the customer."""
        return get_object_or_404(self.customer.invoices, pk=pk)


class InvoiceList(InvoicesPage):
    """The invoices of a customer."""

    def get(self, request):
        """Show the invoices."""
        invoices = self.customer.invoices.prefetch_related("lines", "payments")
        return self.page("crm/invoices.html", invoices=invoices)


class InvoiceCreate(InvoicesPage):
    """The form for a new invoice with its lines."""

    def get(self, request):
        """Show the form."""
        return self._generated(None)

    def post(self, request):
        """Generate the invoice, or show the errors."""
        return self._generated(request.POST)

    def _generated(self, data):
        self.require("add", Invoice)
        form, lines = InvoiceForm(data), InvoiceLines(data)
        if form.is_bound and form.is_valid() and lines.is_valid():
            invoice = generate_invoice(self.customer, form, lines)
            self.say(gettext("Invoice %(number)s generated.") % {"number": invoice})
            return redirect(invoice)
        return self.page("crm/invoice_form.html", form=form, lines=lines)


class InvoiceEdit(InvoicesPage):
    """The form of an invoice with its lines."""

    def get(self, request, invoice_pk):
        """Show the form."""
        return self._edited(self.invoice(invoice_pk), None)

    def post(self, request, invoice_pk):
        """Save the invoice, or show the errors."""
        return self._edited(self.invoice(invoice_pk), request.POST)

    def _edited(self, invoice, data):
        self.require("change", Invoice)
        form = InvoiceForm(data, instance=invoice)
        lines = LinesOfInvoice(data, instance=invoice)
        if form.is_bound and form.is_valid() and lines.is_valid():
            edit_invoice(form, lines)
            self.say(gettext("Changes saved."))
            return redirect(invoice)
        return self.page("crm/invoice_form.html", form=form, lines=lines, invoice=invoice)


class PaymentEdit(InvoicesPage):
    """The form of a payment."""

    def get(self, request, invoice_pk, payment_pk):
        """Show the form."""
        return self._edited(invoice_pk, payment_pk, None)

    def post(self, request, invoice_pk, payment_pk):
        """Save the payment, or show the errors."""
        return self._edited(invoice_pk, payment_pk, request.POST)

    def _edited(self, invoice_pk, payment_pk, data):
        self.require("change", Payment)
        invoice = self.invoice(invoice_pk)
        form = PaymentForm(data, instance=get_object_or_404(invoice.payments, pk=payment_pk))
        if form.is_bound and form.is_valid():
            edit_payment(form)
            self.say(gettext("Changes saved."))
            return redirect(invoice)
        title = gettext("Edit payment")
        return self.page("crm/record_form.html", form=form, record=invoice, title=title)


class InvoiceDetails(InvoicesPage):
    """An invoice with its lines and payments."""

    def get(self, request, invoice_pk):
        """Show the invoice."""
        invoice = self.invoice(invoice_pk)
        return self._shown(invoice, PaymentForm(initial={"amount": invoice.balance}))

    def post(self, request, invoice_pk):
        """Apply a payment."""
        self.require("add", Payment)
        invoice, form = self.invoice(invoice_pk), PaymentForm(request.POST)
        if not form.is_valid():
            return self._shown(invoice, form)
        apply_payment(invoice, form)
        self.say(gettext("Payment applied."))
        return redirect(invoice)

    def _shown(self, invoice, form):
        return self.page(
            "crm/invoice.html",
            invoice=invoice,
            form=form,
            may_pay=self.may("add", Payment),
            may_change=self.may("change", Invoice),
            may_change_payments=self.may("change", Payment),
        )
