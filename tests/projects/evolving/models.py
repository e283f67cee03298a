"""Models as they are after a history of migrations that changed their tables in every way."""

from django.db import models

from django_customer_history import history
from tests.projects.crm.models import Customer


@history.register(subject="customer", label="title", secret="pin_code")
class Ticket(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    title = models.CharField(max_length=200, db_index=True)
    priority = models.IntegerField(default=0)
    urgent = models.BooleanField(default=False)
    remark = models.TextField(null=True)
    pin_code = models.CharField(max_length=10, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "title"], name="evolving_one_title")
        ]


@history.register(subject="ticket__customer")
class Reply(models.Model):
    """A row whose triggers read the table of another one."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="+")
    text = models.TextField()


@history.register(subject="customer", label="text")
class Visit(models.Model):
    """A model that once was called otherwise, and had another table."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    text = models.CharField(max_length=50)
    note = models.CharField(max_length=50, default="")


@history.register(subject="visit__customer")
class VisitItem(models.Model):
    """A row whose way to the subject leads through the table that is renamed."""

    visit = models.ForeignKey(Visit, models.CASCADE, related_name="+")
