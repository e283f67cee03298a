"""Models whose history other packages keep too, as in projects that migrate from them."""

import uuid

from auditlog.registry import auditlog
from django.db import models
from simple_history.models import HistoricalRecords

from django_customer_history import (
    history,
    masks,
)
from django_customer_history.contrib.simple_history.snapshots import AuditedSnapshot
from tests.projects.crm.models import BackwardsField, Tag


@history.register(
    subject="self",
    label="name",
    exclude="remarks",
    confidential={"ssn": masks.SSN},
    secret="api_token",
    json_keys="udf",
    events={"status": {"closed": "Account Closed"}},
)
class Client(models.Model):
    """A subject with a value of each kind that an import converts."""

    name = models.CharField(max_length=40)
    status = models.CharField(max_length=10, default="open")
    rate = models.DecimalField(max_digits=8, decimal_places=2, default="39.99")
    ssn = models.CharField(max_length=11, blank=True)
    api_token = models.CharField(max_length=40, null=True)
    portal_password = models.CharField(max_length=128, blank=True)
    remarks = models.TextField(blank=True)
    udf = models.JSONField(null=True)
    since = models.DateTimeField(null=True)
    born = models.DateField(null=True)
    is_vip = models.BooleanField(default=False)
    backwards = BackwardsField(max_length=40, default="")
    tags = models.ManyToManyField(Tag, blank=True, related_name="+")
    history = HistoricalRecords(m2m_fields=[tags])

    def __str__(self):
        return self.name


@history.register(subject="client", label="title")
class Deal(models.Model):
    """A row that belongs to a client and can move to another client."""

    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="deals")
    title = models.CharField(max_length=40)
    history = HistoricalRecords(excluded_fields=["stage"])
    stage = models.CharField(max_length=10, default="new")


@history.register(subject="deal__client")
class DealLine(models.Model):
    """A row that belongs to a client through another row."""

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="lines")
    quantity = models.IntegerField(default=1)
    history = HistoricalRecords()


@history.register(subject="self", label="name")
class Firm(models.Model):
    """A text as key. Its snapshots have another type of key, and user, IP address and source."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=40)
    nick = models.CharField(max_length=40, null=True)
    size = models.IntegerField(null=True)
    logo = models.BinaryField(null=True)
    history = HistoricalRecords(
        bases=[AuditedSnapshot],
        history_id_field=models.UUIDField(default=uuid.uuid4),
        history_user_id_field=models.CharField(max_length=40, null=True),
    )


@history.register(subject="self", label=["name", "city"])
class Branch(Firm):
    """A row in two tables."""

    city = models.CharField(max_length=40)
    head = models.ForeignKey(Client, models.SET_NULL, null=True, related_name="+")
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "branches"


auditlog.register(Firm)
auditlog.register(Branch)
auditlog.register(Client, m2m_fields={"tags"}, mask_fields=["ssn"])
auditlog.register(Deal)


@history.register(
    subject="self",
    label="name",
    exclude="remarks",
    confidential={"ssn": masks.SSN},
    secret="pin",
    snapshots=True,
)
class Member(models.Model):
    """A model with snapshots."""

    name = models.CharField(max_length=40)
    ssn = models.CharField(max_length=11, blank=True)
    pin = models.CharField(max_length=10, default="0000")
    password = models.CharField(max_length=128, default="")
    remarks = models.TextField(blank=True)
    rate = models.DecimalField(max_digits=8, decimal_places=2, default="39.99")
    tags = models.ManyToManyField(Tag, blank=True, related_name="members")

    def __str__(self):
        return self.name
