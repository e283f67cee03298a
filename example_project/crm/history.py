"""Registrations that are not in `models.py`. The package imports this module."""

from django.contrib.auth.models import User
from django.utils.translation import gettext_noop

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
    events={"create": gettext_noop("Invoice Generated"), "update": gettext_noop("Invoice Edited")},
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
    events={"create": gettext_noop("Payment Applied"), "update": gettext_noop("Payment Edited")},
    display={"amount": dollars},
)
history.register(
    Attachment,
    subject="content_object",
    label="name",
    exclude=["content_type", "object_id"],
    events={
        "create": gettext_noop("File Uploaded"),
        "update": gettext_noop("File Edited"),
        "delete": gettext_noop("File Deleted"),
    },
)
