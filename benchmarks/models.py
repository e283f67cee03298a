"""A customer of 22 columns, once with its history kept and once without."""

from django.db import models

from django_customer_history import history


class Customer(models.Model):
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
    contract_start = models.DateField(null=True, default="2026-01-01")
    contract_end = models.DateField(null=True, default="2028-12-31")
    contract_months = models.IntegerField(default=36)
    rate = models.DecimalField(max_digits=8, decimal_places=2, default="39.99")
    balance = models.DecimalField(max_digits=10, decimal_places=2, default="0.00")
    monitoring = models.CharField(max_length=40, default="Central Station")
    account_number = models.CharField(max_length=40, default="CS-100200")
    is_business = models.BooleanField(default=False)
    credit_score = models.IntegerField(null=True, default=700)
    remark = models.TextField(default="Keys are with the neighbour.")
    installed_at = models.DateTimeField(null=True, default="2026-01-02T03:04:05Z")

    class Meta:
        abstract = True


class PlainCustomer(Customer):
    pass


@history.register(subject="self", label="name")
class AuditedCustomer(Customer):
    pass
