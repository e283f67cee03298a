"""Notes, tickets, appointments, work orders, equipment and workflows of customers."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from crm.models.billing import Invoice
from crm.models.customers import CustomerRecord
from crm.money import dollars
from crm.numbers import next_number


class Note(CustomerRecord):
    """A note."""

    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    kind = "notes"

    class History(CustomerRecord.History):
        exclude = ("written_at",)
        events = {"create": "Note Added", "update": "Note Edited", "delete": "Note Deleted"}

    class Meta:
        ordering = ("-written_at", "-pk")

    def __str__(self):
        return f"Note for {self.customer}"


class Ticket(CustomerRecord):
    """A problem to solve, assigned to a user."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    class Priority(models.TextChoices):
        LOW = "low", "Low"
        NORMAL = "normal", "Normal"
        URGENT = "urgent", "Urgent"

    title = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    priority = models.CharField(max_length=10, choices=Priority, default=Priority.NORMAL)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="tickets"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)

    kind = "tickets"

    class History(CustomerRecord.History):
        label = "title"
        events = {
            "create": "Ticket Created",
            "status": {"closed": "Ticket Closed", "open": "Ticket Reopened"},
            "assigned_to": "Ticket Reassigned",
            "update": "Ticket Edited",
            "delete": "Ticket Deleted",
        }

    class Meta:
        ordering = ("-pk",)

    def __str__(self):
        return self.title


class Appointment(CustomerRecord):
    """A visit to a customer."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", "Scheduled"
        COMPLETED = "completed", "Completed"
        CANCELED = "canceled", "Canceled"

    title = models.CharField(max_length=100)
    starts_at = models.DateTimeField("starts")
    technician = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.SCHEDULED)

    kind = "appointments"

    class History(CustomerRecord.History):
        label = "title"
        events = {
            "create": "Appointment Created",
            "status": {
                "completed": "Appointment Completed",
                "canceled": "Appointment Canceled",
            },
            "starts_at": "Appointment Rescheduled",
            "update": "Appointment Edited",
        }

    class Meta:
        ordering = ("-starts_at", "-pk")

    def __str__(self):
        return self.title


class WorkOrder(CustomerRecord):
    """Work for a customer that is invoiced at the end."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        COMPLETED = "completed", "Completed"
        INVOICED = "invoiced", "Invoiced"

    number = models.CharField(max_length=20, unique=True, editable=False)
    title = models.CharField(max_length=100)
    hours = models.DecimalField(
        max_digits=5, decimal_places=2, default=Decimal("1.00"), validators=[MinValueValidator(0)]
    )
    price = models.DecimalField(max_digits=8, decimal_places=2, validators=[MinValueValidator(0)])
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    invoice = models.ForeignKey(
        Invoice, models.SET_NULL, null=True, editable=False, related_name="work_orders"
    )

    kind = "work-orders"

    class History(CustomerRecord.History):
        label = "number"
        display = {"price": dollars}
        events = {
            "create": "Work Order Created",
            "status": {"completed": "Work Order Completed", "invoiced": "Work Order Invoiced"},
            "update": "Work Order Edited",
        }

    class Meta:
        ordering = ("-pk",)

    def __str__(self):
        return self.number

    def save(self, *args, **kwargs):
        """Save the work order. A new one gets the next number."""
        self.number = self.number or next_number(WorkOrder, "WO")
        super().save(*args, **kwargs)


class Equipment(CustomerRecord):
    """A device of the alarm system, and where it is."""

    class Kind(models.TextChoices):
        PANEL = "panel", "Panel"
        CONTACT = "contact", "Contact"
        MOTION = "motion", "Motion sensor"
        SMOKE = "smoke", "Smoke detector"
        CAMERA = "camera", "Camera"

    name = models.CharField("place", max_length=60)
    device = models.CharField(max_length=10, choices=Kind, default=Kind.CONTACT)
    product = models.CharField(max_length=60)
    serial_number = models.CharField(max_length=40)

    kind = "equipment"

    class History(CustomerRecord.History):
        label = "name"
        events = {
            "create": "Equipment Added",
            "serial_number": "Equipment Replaced",
            "update": "Equipment Edited",
            "delete": "Equipment Removed",
        }

    class Meta:
        ordering = ("name", "pk")
        verbose_name_plural = "equipment"

    def __str__(self):
        return self.name


class Enrolment(CustomerRecord):
    """A customer's enrollment in a workflow, with the current step."""

    class Workflow(models.TextChoices):
        ONBOARDING = "Onboarding"
        DUNNING = "Dunning"
        RENEWAL = "Renewal"

    STEPS = {
        Workflow.ONBOARDING: ("Welcome call", "Installation", "Test signal", "Done"),
        Workflow.DUNNING: ("First reminder", "Second reminder", "Phone call", "Done"),
        Workflow.RENEWAL: ("Offer sent", "Follow-up", "Done"),
    }

    workflow = models.CharField(max_length=20, choices=Workflow, default=Workflow.ONBOARDING)
    step = models.CharField(max_length=40, editable=False)

    kind = "workflows"

    class History(CustomerRecord.History):
        label = "workflow"
        events = {
            "create": "Workflow Enrolled",
            "step": "Workflow Advanced",
            "delete": "Workflow Left",
        }

    class Meta:
        ordering = ("-pk",)
        verbose_name = "workflow"

    def __str__(self):
        return self.workflow

    @property
    def next_step(self):
        """Return the name of the next step, or None after the last one."""
        steps = self.STEPS[self.workflow]
        place = steps.index(self.step) + 1
        return steps[place] if place < len(steps) else None

    def save(self, *args, **kwargs):
        """Save the enrollment. A new one starts with the first step."""
        self.step = self.step or self.STEPS[self.workflow][0]
        super().save(*args, **kwargs)
