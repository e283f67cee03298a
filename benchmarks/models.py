"""A customer of 22 columns, once with a history and once without."""

from benchmarks.customer import CustomerColumns
from django_customer_history import history


class PlainCustomer(CustomerColumns):
    pass


@history.register(subject="self", label="name")
class AuditedCustomer(CustomerColumns):
    pass
