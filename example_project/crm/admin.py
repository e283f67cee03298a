"""The CRM's models in the admin."""

from django.contrib import admin

from crm.confidential import hidden_fields
from crm.models import Attachment, Customer, Invoice, InvoiceLine, Note, Payment, Tag


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    """Customers, without the fields that the user may not see."""

    list_display = ("name", "status", "city", "monthly_rate", "is_archived")
    list_filter = ("status", "is_archived")
    search_fields = ("name",)
    filter_horizontal = ("tags",)

    def get_exclude(self, request, obj=None):
        """Return the fields to leave out of the form."""
        return hidden_fields(request.user)


class InvoiceLineInline(admin.TabularInline):
    """The lines of an invoice."""

    model = InvoiceLine
    extra = 1


class PaymentInline(admin.TabularInline):
    """The payments for an invoice."""

    model = Payment
    extra = 0


@admin.register(Invoice)
class InvoiceAdmin(admin.ModelAdmin):
    """Invoices with lines and payments."""

    list_display = ("number", "customer", "status", "issued_on", "due_on")
    list_filter = ("status",)
    inlines = (InvoiceLineInline, PaymentInline)


admin.site.register([Attachment, Note, Tag])
