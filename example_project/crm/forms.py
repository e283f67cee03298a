"""The forms of the pages."""

from datetime import timedelta
from typing import ClassVar

from django import forms
from django.utils import timezone

from crm.confidential import hidden_fields
from crm.models import Attachment, Customer, Invoice, InvoiceLine, Note, Payment, Tag

LARGEST_FILE = 5 * 1024 * 1024
DAYS_TO_PAY = 14


class DateInput(forms.DateInput):
    """A date as browsers ask for it."""

    input_type = "date"

    def __init__(self):
        super().__init__(format="%Y-%m-%d")


class CustomerForm(forms.ModelForm):
    """A customer, without the fields that the user may not see."""

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
            "contract_term",
            "monthly_rate",
            "monitoring_company",
            "ssn",
            "bank_account",
        )
        help_texts: ClassVar = {"monthly_rate": "In US dollars.", "ssn": "Like 900-12-3456."}

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        for field in hidden_fields(user):
            del self.fields[field]


class NoteForm(forms.ModelForm):
    """The text of a note."""

    class Meta:
        model = Note
        fields = ("text",)
        widgets: ClassVar = {"text": forms.Textarea({"rows": 4})}


class InvoiceForm(forms.ModelForm):
    """The dates of an invoice."""

    class Meta:
        model = Invoice
        fields = ("issued_on", "due_on")
        widgets: ClassVar = {"issued_on": DateInput(), "due_on": DateInput()}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        self.initial.setdefault("issued_on", today)
        self.initial.setdefault("due_on", today + timedelta(days=DAYS_TO_PAY))

    def clean(self):
        """Refuse a due date before the invoice itself."""
        cleaned = super().clean()
        issued_on, due_on = cleaned.get("issued_on"), cleaned.get("due_on")
        if issued_on and due_on and due_on < issued_on:
            self.add_error("due_on", "An invoice cannot be due before it is issued.")
        return cleaned


InvoiceLines = forms.inlineformset_factory(
    Invoice,
    InvoiceLine,
    fields=("description", "quantity", "unit_price"),
    min_num=1,
    validate_min=True,
    extra=3,
    can_delete=False,
)


class PaymentForm(forms.ModelForm):
    """A payment for an invoice."""

    class Meta:
        model = Payment
        fields = ("amount", "method", "received_on")
        widgets: ClassVar = {"received_on": DateInput()}


class AttachmentForm(forms.ModelForm):
    """A file to be uploaded."""

    class Meta:
        model = Attachment
        fields = ("file",)

    def clean_file(self):
        """Refuse a file that is too large, or whose name is too long to be kept."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise forms.ValidationError("Files of up to 5 MB can be uploaded.")
        if len(file.name) > Attachment._meta.get_field("name").max_length:
            raise forms.ValidationError("The name of the file is too long.")
        return file


class TagForm(forms.Form):
    """The name of a tag, which is made if there is none yet."""

    name = forms.CharField(label="Tag", max_length=Tag._meta.get_field("name").max_length)


class CustomerFilterForm(forms.Form):
    """What to show in the list of customers."""

    q = forms.CharField(label="Search", required=False, widget=forms.TextInput)
    status = forms.ChoiceField(
        required=False,
        choices=[("", "All customers"), *Customer.Status.choices, ("archived", "Archived")],
    )

    def customers(self):
        """Return the customers that fit; archived ones only where they are asked for."""
        if not self.is_valid():
            return Customer.objects.none()
        text, status = self.cleaned_data["q"], self.cleaned_data["status"]
        customers = Customer.objects.filter(is_archived=status == "archived")
        if status in Customer.Status.values:
            customers = customers.filter(status=status)
        if text:
            customers = customers.filter(name__icontains=text)
        return customers
