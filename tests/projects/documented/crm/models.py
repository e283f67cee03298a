"""The models that the documents take for granted."""

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords


class Tag(models.Model):
    name = models.CharField(max_length=40)


class Customer(models.Model):
    name = models.CharField(max_length=100)
    company = models.ForeignKey("directory.Company", models.PROTECT, null=True)
    shared_with = models.ForeignKey(
        "directory.Company", models.SET_NULL, null=True, related_name="+"
    )
    status = models.CharField(max_length=20, default="active")
    rate = models.DecimalField(max_digits=8, decimal_places=2, default="39.99")
    ssn = models.CharField(max_length=11, blank=True)
    bank_account = models.CharField(max_length=40, blank=True)
    api_token = models.CharField(max_length=40, blank=True)
    search_vector = models.TextField(blank=True)
    visits = models.IntegerField(default=0)
    udf = models.JSONField(default=dict)

    def renew(self, *, rate: str) -> None:
        raise NotImplementedError


class UserDefinedField(models.Model):
    key = models.CharField(max_length=30)
    name = models.CharField(max_length=60)


class Note(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="notes")
    text = models.TextField()


class Ticket(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    status = models.CharField(max_length=20)
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    udf = models.JSONField(default=dict)
    history = HistoricalRecords()


class Contract(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    renewed = models.BooleanField(default=False)


class Claim(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    amount = models.DecimalField(max_digits=8, decimal_places=2)


class Credit(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    limit = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag)
