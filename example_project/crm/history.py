"""Registrations that do not stand at the models themselves; the package finds this module."""

from django.contrib.auth.models import User

from crm.models import Attachment, Invoice, InvoiceLine, Payment
from django_customer_history import history

history.register(User, label="username", exclude=["last_login"])
history.register(Invoice, subject="customer", label="number")
history.register(InvoiceLine, subject="invoice__customer", label="description")
history.register(Payment, subject="invoice__customer")
history.register(
    Attachment, subject="content_object", label="name", exclude=["content_type", "object_id"]
)
