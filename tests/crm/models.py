"""The models of the tests: a small CRM, with each shape that capture has to get right."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models

from django_customer_history import history, masks
from django_customer_history.models import AuditedModel


@history.register()
class Tag(models.Model):
    name = models.CharField(max_length=40)

    def __str__(self):
        return self.name


@history.register(
    subject="self",
    label="name",
    exclude="search_text",
    confidential={"ssn": masks.SSN},
    secret="api_token",
)
class Customer(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active", "Active customer"
        CANCELED = "canceled", "Canceled"

    name = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    rate = models.DecimalField(max_digits=8, decimal_places=2, default="39.99")
    ssn = models.CharField(max_length=11, blank=True)
    api_token = models.CharField(max_length=40, null=True)
    portal_password = models.CharField(max_length=128, blank=True)
    search_text = models.TextField(blank=True)
    tags = models.ManyToManyField(Tag, blank=True)
    files = GenericRelation("Attachment")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.name


class Note(AuditedModel):
    class History:
        subject = "customer"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="notes")
    text = models.TextField()


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.SET_NULL, null=True, related_name="invoices")
    number = models.CharField(max_length=20)


class InvoiceLine(models.Model):
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    product = models.CharField(max_length=40)
    quantity = models.IntegerField(default=1)


@history.register(subject="content_object")
class Attachment(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=40)
    content_object = GenericForeignKey()
    name = models.CharField(max_length=100)


@history.register(subject=("seller", "buyer"))
class Referral(models.Model):
    """A row with two subjects."""

    seller = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    buyer = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="+")
    note = models.CharField(max_length=40, blank=True)


@history.register(subject="self", only=["label", "kept"])
class Account(models.Model):
    """A subject model with a key that is no number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    label = models.CharField(max_length=40)
    ignored = models.CharField(max_length=40, blank=True)
    kept = models.CharField(max_length=40, blank=True, db_column="Kept Column")


@history.register(subject="account")
class Specimen(models.Model):
    """One field of each built-in type, all nullable."""

    account = models.ForeignKey(Account, models.CASCADE, null=True)
    big = models.BigIntegerField(null=True)
    binary = models.BinaryField(null=True)
    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=200, null=True)
    date = models.DateField(null=True)
    datetime = models.DateTimeField(null=True)
    decimal = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    duration = models.DurationField(null=True)
    email = models.EmailField(null=True)
    float = models.FloatField(null=True)
    ip = models.GenericIPAddressField(null=True)
    json = models.JSONField(null=True)
    small = models.SmallIntegerField(null=True)
    text = models.TextField(null=True)
    time = models.TimeField(null=True)
    url = models.URLField(null=True)
    uuid = models.UUIDField(null=True)
