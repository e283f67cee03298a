"""Customers and all that belongs to them.

Registered for the history in each way that there is: by decorator and by inheritance here, by
calls in `history.py`.
"""

from decimal import Decimal

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

from django_customer_history import history, masks
from django_customer_history.models import AuditedModel

CONFIDENTIAL = {"ssn": masks.SSN, "bank_account": masks.ACCOUNT}
"""The fields of a customer that need a permission of their own, and how they are masked."""


@history.register()
class Tag(models.Model):
    """A word that customers are marked with."""

    name = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self):
        return self.name


@history.register(subject="self", label="name", confidential=CONFIDENTIAL)
class Customer(models.Model):
    """A household or business with an alarm system."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        CANCELED = "canceled", "Canceled"

    class Term(models.IntegerChoices):
        ONE_YEAR = 12, "12 months"
        TWO_YEARS = 24, "24 months"
        THREE_YEARS = 36, "36 months"
        FIVE_YEARS = 60, "60 months"

    name = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    address = models.CharField(max_length=120)
    city = models.CharField(max_length=60)
    state = models.CharField(max_length=2)
    postal_code = models.CharField("ZIP code", max_length=10)
    phone = models.CharField(max_length=30, blank=True)
    email = models.EmailField(blank=True)
    contract_term = models.PositiveSmallIntegerField(choices=Term, default=Term.THREE_YEARS)
    monthly_rate = models.DecimalField(
        max_digits=8, decimal_places=2, default=Decimal("39.99"), validators=[MinValueValidator(0)]
    )
    monitoring_company = models.CharField(max_length=60, blank=True)
    ssn = models.CharField("SSN", max_length=11, blank=True)
    bank_account = models.CharField(max_length=34, blank=True)
    is_archived = models.BooleanField("archived", default=False)
    tags = models.ManyToManyField(Tag, blank=True, related_name="customers")
    files = GenericRelation("Attachment")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "pk")

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the address of the page with the details."""
        return reverse("customer", args=[self.pk])


class Note(AuditedModel):
    """Something that was said or seen, written down."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="notes")
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    class History:
        subject = "customer"
        exclude = ("written_at",)

    class Meta:
        ordering = ("-written_at", "-pk")

    def __str__(self):
        return f"Note for {self.customer}"


class Invoice(models.Model):
    """What a customer owes for some lines."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        OVERDUE = "overdue", "Overdue"
        PAID = "paid", "Paid"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="invoices")
    number = models.CharField(max_length=20, unique=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    issued_on = models.DateField("issued")
    due_on = models.DateField("due")

    class Meta:
        ordering = ("-issued_on", "-pk")

    def __str__(self):
        return self.number

    def get_absolute_url(self):
        """Return the address of the page with lines and payments."""
        return reverse("invoice", args=[self.customer_id, self.pk])

    @property
    def total(self):
        """Return the sum of the lines."""
        return sum((line.amount for line in self.lines.all()), Decimal(0))

    @property
    def balance(self):
        """Return what is still to be paid."""
        return self.total - sum((payment.amount for payment in self.payments.all()), Decimal(0))


class InvoiceLine(models.Model):
    """One position of an invoice."""

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    description = models.CharField(max_length=100)
    quantity = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    unit_price = models.DecimalField(
        max_digits=8, decimal_places=2, validators=[MinValueValidator(0)]
    )

    class Meta:
        ordering = ("pk",)

    def __str__(self):
        return self.description

    @property
    def amount(self):
        """Return the price of all units."""
        return self.quantity * self.unit_price


class Payment(models.Model):
    """Money that came in for an invoice."""

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

    class Meta:
        ordering = ("received_on", "pk")

    def __str__(self):
        return f"${self.amount} by {self.get_method_display().lower()}"


class Attachment(models.Model):
    """A file that belongs to a record, in practice to a customer."""

    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    content_object = GenericForeignKey()
    name = models.CharField(max_length=100)
    file = models.FileField(upload_to="attachments/%Y/%m/")

    class Meta:
        ordering = ("name", "pk")
        verbose_name = "file"
        indexes = (
            models.Index(fields=["content_type", "object_id"], name="crm_attachment_record"),
        )

    def __str__(self):
        return self.name
