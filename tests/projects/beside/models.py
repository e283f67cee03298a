"""A model whose history several packages keep."""

from importlib.util import find_spec

import reversion
from django.db import connection, models

from django_customer_history import history


class Customer(models.Model):
    name = models.CharField(max_length=40)
    rate = models.DecimalField(max_digits=8, decimal_places=2, default="39.99")


HAS_PGHISTORY = connection.vendor == "postgresql" and find_spec("pghistory") is not None
if HAS_PGHISTORY:
    import pghistory

    tracked = (pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
    Customer = pghistory.track(*tracked)(Customer)
reversion.register(Customer)
history.register(Customer, subject="self", label="name")
