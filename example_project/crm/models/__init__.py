"""Companies, their customers, and all that belongs to them.

Registered for the history in each way that there is: customers and tags by decorator, what
descends from `CustomerRecord` by inheritance, the rest by calls in `crm.history`.
"""

from crm.models.billing import BillingMethod, FundingEvent, Invoice, InvoiceLine, Payment
from crm.models.companies import Company, Employee
from crm.models.customers import Customer, CustomerRecord, PortalLogin, Tag, UserDefinedField
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
    "PortalLogin",
    "Tag",
    "Ticket",
    "UserDefinedField",
    "WorkOrder",
]
