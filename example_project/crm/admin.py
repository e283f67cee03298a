"""The CRM's models in the admin. Users see the records of their company."""

from django.contrib import admin
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from crm.companies import company_key_of, within_reach
from crm.confidential import hidden
from crm.models import (
    Appointment,
    Attachment,
    BillingMethod,
    Company,
    Customer,
    Employee,
    Enrolment,
    Envelope,
    Equipment,
    FundingEvent,
    Invoice,
    InvoiceLine,
    Note,
    Payment,
    PortalContact,
    PortalLogin,
    PortalRight,
    Tag,
    Ticket,
    UserDefinedField,
    WorkOrder,
)
from django_customer_history.admin import HistoryAdminMixin

admin.site.site_header = admin.site.site_title = _("Alarm CRM administration")


class CompanyAdmin(HistoryAdminMixin, admin.ModelAdmin):
    """Records of the user's company, without the fields that the user may not see."""

    def get_queryset(self, request):
        """Return the records of the user's company."""
        return within_reach(request.user, super().get_queryset(request))

    def get_exclude(self, request, obj=None):
        """Return the fields that the form leaves out. A hidden key hides its whole field."""
        kept_from_user = hidden(request.user, self.model) if obj is not None else {}
        return [*{name.partition(".")[0] for name in kept_from_user}, *(self.exclude or ())]

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        """Offer only records of the user's company."""
        return super().formfield_for_foreignkey(
            db_field, request, **self._limited(db_field, request, kwargs)
        )

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        """Offer only records of the user's company."""
        return super().formfield_for_manytomany(
            db_field, request, **self._limited(db_field, request, kwargs)
        )

    def _limited(self, db_field, request, kwargs):
        model = db_field.related_model
        if model is User and not request.user.is_superuser:
            offered = User.objects.filter(employee__company=company_key_of(request.user))
        elif model is Company and not request.user.is_superuser:
            offered = Company.objects.filter(pk=company_key_of(request.user))
        else:
            offered = within_reach(request.user, model._default_manager.all())
        return {"queryset": offered, **kwargs}


@admin.register(Customer)
class CustomerAdmin(CompanyAdmin):
    """Customers."""

    list_display = ("name", "company", "status", "city", "monthly_rate", "is_archived")
    list_filter = ("status", "is_archived")
    search_fields = ("name",)
    filter_horizontal = ("tags",)


class InvoiceLineInline(admin.TabularInline):
    """The lines of an invoice."""

    model = InvoiceLine
    extra = 1


class PaymentInline(admin.TabularInline):
    """The payments for an invoice."""

    model = Payment
    extra = 0


@admin.register(Invoice)
class InvoiceAdmin(CompanyAdmin):
    """Invoices with lines and payments."""

    list_display = ("number", "customer", "status", "issued_on", "due_on")
    list_filter = ("status",)
    inlines = (InvoiceLineInline, PaymentInline)


@admin.register(PortalLogin)
class PortalLoginAdmin(CompanyAdmin):
    """Portal log-ins of customers. Passwords are set on the pages of the CRM."""

    list_display = ("username", "customer")
    exclude = ("password",)


@admin.register(Appointment, Enrolment, Envelope, FundingEvent, Note, Ticket, WorkOrder)
class RecordAdmin(CompanyAdmin):
    """Records of a customer."""

    list_display = ("__str__", "customer")


@admin.register(BillingMethod, Equipment, PortalContact)
class NamedRecordAdmin(RecordAdmin):
    """Records of a customer that have a name."""

    search_fields = ("name",)


@admin.register(PortalRight, Tag, UserDefinedField)
class WordAdmin(CompanyAdmin):
    """Tags, custom fields and portal rights of a company."""

    list_display = ("name", "company")


admin.site.register(Attachment, CompanyAdmin)
admin.site.register(Employee, CompanyAdmin)


@admin.register(Company)
class CompaniesAdmin(admin.ModelAdmin):
    """The companies, for administrators of the CRM."""

    list_display = ("name", "slug")
