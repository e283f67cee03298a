"""The 22 columns of the customer that every benchmark writes."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import models


class CustomerColumns(models.Model):
    name = models.CharField(max_length=100)
    street = models.CharField(max_length=100, default="12 Main Street")
    city = models.CharField(max_length=60, default="Springfield")
    state = models.CharField(max_length=20, default="IL")
    zip_code = models.CharField(max_length=10, default="62701")
    country = models.CharField(max_length=2, default="US")
    phone = models.CharField(max_length=20, default="+1 217 555 0101")
    mobile = models.CharField(max_length=20, default="+1 217 555 0102")
    email = models.EmailField(default="info@example.com")
    website = models.URLField(default="https://example.com/")
    status = models.CharField(max_length=20, default="active")
    contract_start = models.DateField(null=True, default=date(2026, 1, 1))
    contract_end = models.DateField(null=True, default=date(2028, 12, 31))
    contract_months = models.IntegerField(default=36)
    rate = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal("39.99"))
    balance = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal("0.00"))
    monitoring = models.CharField(max_length=40, default="Central Station")
    account_number = models.CharField(max_length=40, default="CS-100200")
    is_business = models.BooleanField(default=False)
    credit_score = models.IntegerField(null=True, default=700)
    remark = models.TextField(default="Keys are with the neighbour.")
    installed_at = models.DateTimeField(
        null=True, default=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    )

    class Meta:
        abstract = True
