"""Registrations in a module of their own, which the package finds by itself."""

from django.contrib.auth.models import User

from django_customer_history import history
from tests.projects.crm.models import Invoice, InvoiceLine

history.register(User, label="username", exclude="last_login")
history.register(Invoice, subject="customer", label="number")
history.register(InvoiceLine, subject="invoice__customer", label="product")
