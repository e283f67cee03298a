"""The tenants, which are in the schema `public`."""

from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

from django_customer_history import history


class Company(TenantMixin):
    name = models.CharField(max_length=40)

    auto_create_schema = True


class Domain(DomainMixin):
    pass


history.register(Company, subject="self", label="name")
