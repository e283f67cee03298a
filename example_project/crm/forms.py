"""The forms of the pages."""

from datetime import timedelta

from django import forms
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.billing import DAYS_TO_PAY
from crm.confidential import hidden
from crm.models import (
    Attachment,
    Customer,
    Employee,
    Invoice,
    InvoiceLine,
    Payment,
    PortalLogin,
    PortalRight,
    Tag,
)

LARGEST_FILE = 5 * 1024 * 1024

UDF = "udf_"


class DateInput(forms.DateInput):
    """A date, with the browser's date picker."""

    input_type = "date"

    def __init__(self):
        super().__init__(format="%Y-%m-%d")


class MomentInput(forms.DateTimeInput):
    """A date and a time, with the browser's picker."""

    input_type = "datetime-local"

    def __init__(self):
        super().__init__(format="%Y-%m-%dT%H:%M")


def _widget(field):
    widgets = {"DateField": DateInput, "DateTimeField": MomentInput}
    if field.get_internal_type() == "TextField":
        return forms.Textarea({"rows": 4})
    widget = widgets.get(field.get_internal_type())
    return None if widget is None else widget()


class RecordForm(forms.ModelForm):
    """A record of a company, without the fields that the user may not see.

    A new record has all fields: entering a value needs no permission to see values.
    """

    def __init__(self, *args, user, company, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            for name in hidden(user, type(self.instance)):
                self.fields.pop(name, None)
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField) and field.queryset.model is User:
                field.queryset = User.objects.filter(employee__company=company)
            elif isinstance(field, forms.ModelChoiceField) and field.queryset.model is PortalRight:
                field.queryset = company.portal_rights.all()


def form_for(model, fields, *, base=RecordForm):
    """Return the form class for some fields of a model, with the browser's pickers for dates."""
    return forms.modelform_factory(model, form=base, fields=fields, formfield_callback=_formfield)


def _formfield(field, **options):
    widget = _widget(field)
    return field.formfield(**options, **({} if widget is None else {"widget": widget}))


class CustomerForm(RecordForm):
    """A customer, with the custom fields of the company."""

    class Meta:
        model = Customer
        fields = (
            "name",
            "status",
            "address",
            "city",
            "state",
            "postal_code",
            "phone",
            "email",
            "sold_on",
            "sales_representative",
            "lead_source",
            "sale_price",
            "contract_term",
            "monthly_rate",
            "monitoring_company",
            "monitoring_account",
            "ssn",
            "bank_account",
            "card_number",
        )
        help_texts = {"monthly_rate": _("In US dollars."), "ssn": _("Like 900-12-3456.")}
        formfield_callback = _formfield

    def __init__(self, *args, user, company, **kwargs):
        super().__init__(*args, user=user, company=company, **kwargs)
        kept_from_user = hidden(user, Customer) if self.instance.pk is not None else {}
        for defined in company.user_defined_fields.all():
            if f"udf.{defined.key}" not in kept_from_user and "udf" not in kept_from_user:
                self.fields[UDF + defined.key] = forms.CharField(
                    label=defined.name,
                    max_length=100,
                    required=False,
                    initial=self.instance.udf.get(defined.key, ""),
                )

    def save(self, *, commit=True):
        """Save the customer. A custom field without a value is not stored."""
        values = dict(self.instance.udf)
        for name, value in self.cleaned_data.items():
            if name.startswith(UDF):
                values[name.removeprefix(UDF)] = value
        self.instance.udf = {key: value for key, value in values.items() if value}
        return super().save(commit=commit)


class AttachmentForm(RecordForm):
    """A file to upload. Its own name is the default name."""

    class Meta:
        model = Attachment
        fields = ("file", "description")

    def clean_file(self):
        """Reject a file that is too large, or whose name is too long."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(_("Files of up to 5 MB can be uploaded."))
        if len(file.name) > Attachment._meta.get_field("name").max_length:
            raise forms.ValidationError(_("The name of the file is too long."))
        self.instance.name = file.name
        return file


class PasswordForm(RecordForm):
    """A new password for the customer portal. Only its hash is stored."""

    password = forms.CharField(label=_("Password"), widget=forms.PasswordInput, max_length=60)

    class Meta:
        model = PortalLogin
        fields = ("password",)

    def clean_password(self):
        """Return the hash."""
        return make_password(self.cleaned_data["password"])


class PortalLoginForm(PasswordForm):
    """A new log-in for the customer portal."""

    class Meta(PasswordForm.Meta):
        fields = ("username", "password")


class InvoiceForm(forms.ModelForm):
    """The dates of an invoice."""

    class Meta:
        model = Invoice
        fields = ("issued_on", "due_on")
        widgets = {"issued_on": DateInput(), "due_on": DateInput()}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        self.initial.setdefault("issued_on", today)
        self.initial.setdefault("due_on", today + timedelta(days=DAYS_TO_PAY))

    def clean(self):
        """Reject a due date before the date of the invoice."""
        cleaned = super().clean()
        issued_on, due_on = cleaned.get("issued_on"), cleaned.get("due_on")
        if issued_on and due_on and due_on < issued_on:
            self.add_error("due_on", _("An invoice cannot be due before it is issued."))
        return cleaned


def _lines(**options):
    return forms.inlineformset_factory(
        Invoice,
        InvoiceLine,
        fields=("description", "quantity", "unit_price"),
        min_num=1,
        validate_min=True,
        can_delete=False,
        **options,
    )


InvoiceLines = _lines(extra=3)
LinesOfInvoice = _lines(extra=1)
"""The lines of an invoice, and an empty one."""


class PaymentForm(forms.ModelForm):
    """A payment for an invoice."""

    class Meta:
        model = Payment
        fields = ("amount", "method", "received_on")
        widgets = {"received_on": DateInput()}


class ProfileForm(forms.ModelForm):
    """The profile of a user."""

    class Meta:
        model = Employee
        fields = ("time_zone",)
        widgets = {"time_zone": forms.TextInput({"list": "time-zones", "autocomplete": "off"})}


class TagForm(forms.Form):
    """The name of a tag. A new tag is created."""

    name = forms.CharField(label=_("Tag"), max_length=Tag._meta.get_field("name").max_length)


class CustomerFilterForm(forms.Form):
    """The filters of the list of customers."""

    q = forms.CharField(label=_("Search by name"), required=False, widget=forms.TextInput)
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("All customers")), *Customer.Status.choices, ("archived", _("Archived"))],
    )

    def filtered(self, customers):
        """Return the customers that match; archived ones only if the filter asks for them."""
        if not self.is_valid():
            return customers.none()
        text, status = self.cleaned_data["q"], self.cleaned_data["status"]
        customers = customers.filter(is_archived=status == "archived")
        if status in Customer.Status.values:
            customers = customers.filter(status=status)
        if text:
            customers = customers.filter(name__icontains=text)
        return customers
