"""Registrations that are not in `models.py`. The package imports this module."""

from django.contrib.auth.models import User

from crm.models import Attachment, Company, Employee, Invoice, InvoiceLine, Payment
from crm.money import dollars
from django_customer_history import history

history.register(User, label="username", exclude=["last_login"])
history.register(Company, label="name")
history.register(Employee)
history.register(
    Invoice,
    subject="customer",
    label="number",
    events={"create": "Invoice Generated", "update": "Invoice Edited"},
)
history.register(
    InvoiceLine,
    subject="invoice__customer",
    label="description",
    display={"unit_price": dollars},
)
history.register(
    Payment,
    subject="invoice__customer",
    label="amount",
    events={"create": "Payment Applied", "update": "Payment Edited"},
    display={"amount": dollars},
)
history.register(
    Attachment,
    subject="content_object",
    label="name",
    exclude=["content_type", "object_id"],
    events={"create": "File Uploaded", "update": "File Edited", "delete": "File Deleted"},
)
