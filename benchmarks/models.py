"""A customer of 22 columns, once with its history kept and once without."""

from benchmarks.customer import CustomerColumns
from django_customer_history import history


class PlainCustomer(CustomerColumns):
    pass


@history.register(subject="self", label="name")
class AuditedCustomer(CustomerColumns):
    pass
