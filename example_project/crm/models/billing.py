"""Invoices, payments and billing methods of customers, and the funding of contracts."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from crm.models.customers import Customer, CustomerRecord
from crm.money import dollars
from crm.numbers import next_number
from django_customer_history import masks


class Invoice(models.Model):
    """An invoice to a customer, with its lines."""

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("status of an invoice", "Open")
        OVERDUE = "overdue", pgettext_lazy("status of an invoice", "Overdue")
        PAID = "paid", pgettext_lazy("status of an invoice", "Paid")

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="invoices", verbose_name=_("customer")
    )
    number = models.CharField(_("number"), max_length=20, unique=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    issued_on = models.DateField(_("issued"))
    due_on = models.DateField(_("due"))

    company_path = "customer__company_id"

    class Meta:
        ordering = ("-issued_on", "-pk")
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")

    def __str__(self):
        return self.number

    def save(self, *args, **kwargs):
        """Save the invoice. A new one gets the next number."""
        self.number = self.number or next_number(Invoice, "INV")
        super().save(*args, **kwargs)

    def get_absolute_url(self):
        """Return the URL of the page with lines and payments."""
        return reverse("invoice", args=[self.customer.company_id, self.customer_id, self.pk])

    @property
    def total(self):
        """Return the sum of the lines."""
        return sum((line.amount for line in self.lines.all()), Decimal(0))

    @property
    def balance(self):
        """Return the amount that is left to pay."""
        return self.total - sum((payment.amount for payment in self.payments.all()), Decimal(0))


class InvoiceLine(models.Model):
    """A line of an invoice."""

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="lines", verbose_name=_("invoice")
    )
    description = models.CharField(_("description"), max_length=100)
    quantity = models.PositiveSmallIntegerField(
        _("quantity"), default=1, validators=[MinValueValidator(1)]
    )
    unit_price = models.DecimalField(
        _("unit price"), max_digits=8, decimal_places=2, validators=[MinValueValidator(0)]
    )

    company_path = "invoice__customer__company_id"

    class Meta:
        ordering = ("pk",)
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")

    def __str__(self):
        return self.description

    @property
    def amount(self):
        """Return the price of all units."""
        return self.quantity * self.unit_price


class Payment(models.Model):
    """A payment for an invoice."""

    class Method(models.TextChoices):
        CARD = "card", _("Card")
        ACH = "ach", _("Bank transfer (ACH)")
        CHECK = "check", _("Check")

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="payments", verbose_name=_("invoice")
    )
    amount = models.DecimalField(
        _("amount"), max_digits=8, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    method = models.CharField(_("method"), max_length=10, choices=Method, default=Method.CARD)
    received_on = models.DateField(_("received"), default=timezone.localdate)

    company_path = "invoice__customer__company_id"

    class Meta:
        ordering = ("received_on", "pk")
        verbose_name = _("payment")
        verbose_name_plural = _("payments")

    def __str__(self):
        return gettext("%(amount)s by %(method)s") % {
            "amount": dollars(self.amount),
            "method": self.get_method_display(),
        }


class BillingMethod(CustomerRecord):
    """A card or a bank account that invoices are charged to."""

    class Type(models.TextChoices):
        CARD = "card", _("Card")
        ACH = "ach", _("Bank account (ACH)")

    name = models.CharField(_("name"), max_length=60, help_text=_("For example: household card."))
    type = models.CharField(_("type"), max_length=10, choices=Type, default=Type.CARD)
    account = models.CharField(
        _("number"), max_length=34, help_text=_("Do not enter a real number in this demo.")
    )
    is_default = models.BooleanField(_("default"), default=False)

    kind = "billing-methods"
    confidential = {"account": masks.ACCOUNT}

    class History(CustomerRecord.History):
        label = "name"
        confidential = {"account": masks.ACCOUNT}
        events = {
            "create": gettext_noop("Billing Method Added"),
            "is_default": {True: gettext_noop("Billing Method Made Default")},
            "update": gettext_noop("Billing Method Edited"),
            "delete": gettext_noop("Billing Method Removed"),
        }

    class Meta:
        ordering = ("name", "pk")
        verbose_name = _("billing method")
        verbose_name_plural = _("billing methods")

    def __str__(self):
        return self.name


class FundingEvent(CustomerRecord):
    """A contract that was submitted to a funder."""

    class Status(models.TextChoices):
        SUBMITTED = "submitted", pgettext_lazy("status of a funding", "Submitted")
        FUNDED = "funded", pgettext_lazy("status of a funding", "Funded")
        REJECTED = "rejected", pgettext_lazy("status of a funding", "Rejected")

    funder = models.CharField(_("funder"), max_length=60)
    amount = models.DecimalField(
        _("amount"), max_digits=8, decimal_places=2, validators=[MinValueValidator(0)]
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.SUBMITTED)
    reason = models.CharField(_("reason"), max_length=100, blank=True)

    kind = "funding"

    class History(CustomerRecord.History):
        label = "funder"
        display = {"amount": dollars}
        events = {
            "create": gettext_noop("Funding Submitted"),
            "status": {
                "funded": gettext_noop("Funding Received"),
                "rejected": gettext_noop("Funding Rejected"),
            },
            "update": gettext_noop("Funding Edited"),
        }

    class Meta:
        ordering = ("-pk",)
        verbose_name = _("funding")
        verbose_name_plural = _("funding")

    def __str__(self):
        return self.funder
