"""Companies, their customers, and the records of customers.

They show every way to register a model: customers and tags use the decorator, models based on
`CustomerRecord` inherit the registration, and the others are registered in `crm.history`.
"""

from crm.models.billing import BillingMethod, FundingEvent, Invoice, InvoiceLine, Payment
from crm.models.companies import Company, Employee
from crm.models.customers import (
    Customer,
    CustomerRecord,
    PortalContact,
    PortalLogin,
    PortalRight,
    Tag,
    UserDefinedField,
)
from crm.models.documents import Attachment, Envelope
from crm.models.service import Appointment, Enrolment, Equipment, Note, Ticket, WorkOrder

__all__ = [
    "Appointment",
    "Attachment",
    "BillingMethod",
    "Company",
    "Customer",
    "CustomerRecord",
    "Employee",
    "Enrolment",
    "Envelope",
    "Equipment",
    "FundingEvent",
    "Invoice",
    "InvoiceLine",
    "Note",
    "Payment",
    "PortalContact",
    "PortalLogin",
    "PortalRight",
    "Tag",
    "Ticket",
    "UserDefinedField",
    "WorkOrder",
]
