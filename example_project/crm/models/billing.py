"""Invoices, payments and billing methods of customers, and the funding of contracts."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

from crm.models.customers import Customer, CustomerRecord
from crm.money import dollars
from crm.numbers import next_number
from django_customer_history import masks


class Invoice(models.Model):
    """An invoice to a customer, with its lines."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        OVERDUE = "overdue", "Overdue"
        PAID = "paid", "Paid"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="invoices")
    number = models.CharField(max_length=20, unique=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    issued_on = models.DateField("issued")
    due_on = models.DateField("due")

    company_path = "customer__company_id"

    class Meta:
        ordering = ("-issued_on", "-pk")

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

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    description = models.CharField(max_length=100)
    quantity = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    unit_price = models.DecimalField(
        max_digits=8, decimal_places=2, validators=[MinValueValidator(0)]
    )

    company_path = "invoice__customer__company_id"

    class Meta:
        ordering = ("pk",)

    def __str__(self):
        return self.description

    @property
    def amount(self):
        """Return the price of all units."""
        return self.quantity * self.unit_price


class Payment(models.Model):
    """A payment for an invoice."""

    class Method(models.TextChoices):
        CARD = "card", "Card"
        ACH = "ach", "Bank transfer (ACH)"
        CHECK = "check", "Check"

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="payments")
    amount = models.DecimalField(
        max_digits=8, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    method = models.CharField(max_length=10, choices=Method, default=Method.CARD)
    received_on = models.DateField("received", default=timezone.localdate)

    company_path = "invoice__customer__company_id"

    class Meta:
        ordering = ("received_on", "pk")

    def __str__(self):
        return f"${self.amount} by {self.get_method_display().lower()}"


class BillingMethod(CustomerRecord):
    """A card or a bank account that invoices are charged to."""

    class Type(models.TextChoices):
        CARD = "card", "Card"
        ACH = "ach", "Bank account (ACH)"

    name = models.CharField(max_length=60, help_text="For example: household card.")
    type = models.CharField(max_length=10, choices=Type, default=Type.CARD)
    account = models.CharField(
        "number", max_length=34, help_text="Do not enter a real number in this demo."
    )
    is_default = models.BooleanField("default", default=False)

    kind = "billing-methods"
    confidential = {"account": masks.ACCOUNT}

    class History(CustomerRecord.History):
        label = "name"
        confidential = {"account": masks.ACCOUNT}
        events = {
            "create": "Billing Method Added",
            "is_default": {True: "Billing Method Made Default"},
            "update": "Billing Method Edited",
            "delete": "Billing Method Removed",
        }

    class Meta:
        ordering = ("name", "pk")

    def __str__(self):
        return self.name


class FundingEvent(CustomerRecord):
    """A contract that was submitted to a funder."""

    class Status(models.TextChoices):
        SUBMITTED = "submitted", "Submitted"
        FUNDED = "funded", "Funded"
        REJECTED = "rejected", "Rejected"

    funder = models.CharField(max_length=60)
    amount = models.DecimalField(max_digits=8, decimal_places=2, validators=[MinValueValidator(0)])
    status = models.CharField(max_length=10, choices=Status, default=Status.SUBMITTED)
    reason = models.CharField(max_length=100, blank=True)

    kind = "funding"

    class History(CustomerRecord.History):
        label = "funder"
        display = {"amount": dollars}
        events = {
            "create": "Funding Submitted",
            "status": {"funded": "Funding Received", "rejected": "Funding Rejected"},
            "update": "Funding Edited",
        }

    class Meta:
        ordering = ("-pk",)
        verbose_name = "funding"
        verbose_name_plural = "funding"

    def __str__(self):
        return self.funder
