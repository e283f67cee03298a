"""Notes, tickets, appointments, work orders, equipment and workflows of customers."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from crm.models.billing import Invoice
from crm.models.customers import CustomerRecord
from crm.money import dollars
from crm.numbers import next_number


class Note(CustomerRecord):
    """A note."""

    text = models.TextField(_("text"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, verbose_name=_("author")
    )
    written_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)

    kind = "notes"

    class History(CustomerRecord.History):
        exclude = ("written_at",)
        events = {
            "create": gettext_noop("Note Added"),
            "update": gettext_noop("Note Edited"),
            "delete": gettext_noop("Note Deleted"),
        }

    class Meta:
        ordering = ("-written_at", "-pk")
        verbose_name = _("note")
        verbose_name_plural = _("notes")

    def __str__(self):
        return gettext("Note for %(customer)s") % {"customer": self.customer}


class Ticket(CustomerRecord):
    """A problem to solve, assigned to a user."""

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("status of a ticket", "Open")
        CLOSED = "closed", pgettext_lazy("status of a ticket", "Closed")

    class Priority(models.TextChoices):
        LOW = "low", pgettext_lazy("priority", "Low")
        NORMAL = "normal", pgettext_lazy("priority", "Normal")
        URGENT = "urgent", pgettext_lazy("priority", "Urgent")

    title = models.CharField(_("title"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    priority = models.CharField(
        _("priority"), max_length=10, choices=Priority, default=Priority.NORMAL
    )
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="tickets",
        verbose_name=_("assigned to"),
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)

    kind = "tickets"

    class History(CustomerRecord.History):
        label = "title"
        events = {
            "create": gettext_noop("Ticket Created"),
            "status": {
                "closed": gettext_noop("Ticket Closed"),
                "open": gettext_noop("Ticket Reopened"),
            },
            "assigned_to": gettext_noop("Ticket Reassigned"),
            "update": gettext_noop("Ticket Edited"),
            "delete": gettext_noop("Ticket Deleted"),
        }

    class Meta:
        ordering = ("-pk",)
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")

    def __str__(self):
        return self.title


class Appointment(CustomerRecord):
    """A visit to a customer."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", pgettext_lazy("status of an appointment", "Scheduled")
        COMPLETED = "completed", pgettext_lazy("status of an appointment", "Completed")
        CANCELED = "canceled", pgettext_lazy("status of an appointment", "Canceled")

    title = models.CharField(_("title"), max_length=100)
    starts_at = models.DateTimeField(_("starts"))
    technician = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("technician"),
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.SCHEDULED)

    kind = "appointments"

    class History(CustomerRecord.History):
        label = "title"
        events = {
            "create": gettext_noop("Appointment Created"),
            "status": {
                "completed": gettext_noop("Appointment Completed"),
                "canceled": gettext_noop("Appointment Canceled"),
            },
            "starts_at": gettext_noop("Appointment Rescheduled"),
            "update": gettext_noop("Appointment Edited"),
        }

    class Meta:
        ordering = ("-starts_at", "-pk")
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")

    def __str__(self):
        return self.title


class WorkOrder(CustomerRecord):
    """Work for a customer that is invoiced at the end."""

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("status of a work order", "Open")
        COMPLETED = "completed", pgettext_lazy("status of a work order", "Completed")
        INVOICED = "invoiced", pgettext_lazy("status of a work order", "Invoiced")

    number = models.CharField(_("number"), max_length=20, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=100)
    hours = models.DecimalField(
        _("hours"),
        max_digits=5,
        decimal_places=2,
        default=Decimal("1.00"),
        validators=[MinValueValidator(0)],
    )
    price = models.DecimalField(
        _("price"), max_digits=8, decimal_places=2, validators=[MinValueValidator(0)]
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    invoice = models.ForeignKey(
        Invoice,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="work_orders",
        verbose_name=_("invoice"),
    )

    kind = "work-orders"

    class History(CustomerRecord.History):
        label = "number"
        display = {"price": dollars}
        events = {
            "create": gettext_noop("Work Order Created"),
            "status": {
                "completed": gettext_noop("Work Order Completed"),
                "invoiced": gettext_noop("Work Order Invoiced"),
            },
            "update": gettext_noop("Work Order Edited"),
        }

    class Meta:
        ordering = ("-pk",)
        verbose_name = _("work order")
        verbose_name_plural = _("work orders")

    def __str__(self):
        return self.number

    def save(self, *args, **kwargs):
        """Save the work order. A new one gets the next number."""
        self.number = self.number or next_number(WorkOrder, "WO")
        super().save(*args, **kwargs)


class Equipment(CustomerRecord):
    """A device of the alarm system, and where it is."""

    class Kind(models.TextChoices):
        PANEL = "panel", pgettext_lazy("device", "Panel")
        CONTACT = "contact", pgettext_lazy("device", "Contact")
        MOTION = "motion", pgettext_lazy("device", "Motion sensor")
        SMOKE = "smoke", pgettext_lazy("device", "Smoke detector")
        CAMERA = "camera", pgettext_lazy("device", "Camera")

    name = models.CharField(_("place"), max_length=60)
    device = models.CharField(_("device"), max_length=10, choices=Kind, default=Kind.CONTACT)
    product = models.CharField(_("product"), max_length=60)
    serial_number = models.CharField(_("serial number"), max_length=40)

    kind = "equipment"

    class History(CustomerRecord.History):
        label = "name"
        events = {
            "create": gettext_noop("Equipment Added"),
            "serial_number": gettext_noop("Equipment Replaced"),
            "update": gettext_noop("Equipment Edited"),
            "delete": gettext_noop("Equipment Removed"),
        }

    class Meta:
        ordering = ("name", "pk")
        verbose_name = pgettext_lazy("one device", "equipment")
        verbose_name_plural = pgettext_lazy("several devices", "equipment")

    def __str__(self):
        return self.name


class Enrolment(CustomerRecord):
    """A customer's enrollment in a workflow, with the current step."""

    class Workflow(models.TextChoices):
        ONBOARDING = "Onboarding", pgettext_lazy("workflow", "Onboarding")
        DUNNING = "Dunning", pgettext_lazy("workflow", "Dunning")
        RENEWAL = "Renewal", pgettext_lazy("workflow", "Renewal")

    class Step(models.TextChoices):
        WELCOME = "Welcome call", pgettext_lazy("step", "Welcome call")
        INSTALLATION = "Installation", pgettext_lazy("step", "Installation")
        TEST = "Test signal", pgettext_lazy("step", "Test signal")
        FIRST_REMINDER = "First reminder", pgettext_lazy("step", "First reminder")
        SECOND_REMINDER = "Second reminder", pgettext_lazy("step", "Second reminder")
        CALL = "Phone call", pgettext_lazy("step", "Phone call")
        OFFER = "Offer sent", pgettext_lazy("step", "Offer sent")
        FOLLOW_UP = "Follow-up", pgettext_lazy("step", "Follow-up")
        DONE = "Done", pgettext_lazy("step", "Done")

    STEPS = {
        Workflow.ONBOARDING: (Step.WELCOME, Step.INSTALLATION, Step.TEST, Step.DONE),
        Workflow.DUNNING: (Step.FIRST_REMINDER, Step.SECOND_REMINDER, Step.CALL, Step.DONE),
        Workflow.RENEWAL: (Step.OFFER, Step.FOLLOW_UP, Step.DONE),
    }

    workflow = models.CharField(
        _("workflow"), max_length=20, choices=Workflow, default=Workflow.ONBOARDING
    )
    step = models.CharField(_("step"), max_length=40, choices=Step, editable=False)

    kind = "workflows"

    class History(CustomerRecord.History):
        label = "workflow"
        events = {
            "create": gettext_noop("Workflow Enrolled"),
            "step": gettext_noop("Workflow Advanced"),
            "delete": gettext_noop("Workflow Left"),
        }

    class Meta:
        ordering = ("-pk",)
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")

    def __str__(self):
        return self.get_workflow_display()

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
