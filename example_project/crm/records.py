"""The kinds of records that a customer has, as a table.

The views in `crm.views.records` use this table to show a list with a form to add a record, the
details with the buttons of a record, and forms to edit and delete it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from crm.billing import invoice_work_order
from crm.forms import AttachmentForm, PasswordForm, PortalLoginForm, form_for
from crm.models import (
    Appointment,
    Attachment,
    BillingMethod,
    Enrolment,
    Envelope,
    Equipment,
    FundingEvent,
    Note,
    PortalContact,
    PortalLogin,
    Ticket,
    WorkOrder,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A button that changes a record, such as "Close ticket"."""

    path: str
    button: str
    is_possible: Callable[[Any], bool] = lambda record: True
    sets: Mapping[str, Any] = field(default_factory=dict)
    """The fields to set, with their values."""
    fields: tuple[str, ...] = ()
    """The fields that the user fills in first."""
    form: Any = None
    """The form to fill in, if it is not a model form of `asks`."""
    run: Callable[[Any], object] | None = None
    """A function that also saves the record."""

    @property
    def asks(self) -> bool:
        """Whether the user has to fill in a form first."""
        return bool(self.fields or self.form)

    def form_class(self, model):
        """Return the form to fill in."""
        return self.form or form_for(model, self.fields)

    def take(self, record):
        """Change and save the record."""
        for name, value in self.sets.items():
            setattr(record, name, value)
        if self.run is None:
            record.save()
        else:
            self.run(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """A kind of record: how it is shown and edited."""

    model: type[models.Model]
    related: str
    """The title of the list."""
    title: str
    tab: str
    columns: tuple[str, ...]
    adds: str
    """The text of the button that adds a record."""
    add_form: Any
    edit_form: Any = None
    steps: tuple[Step, ...] = ()
    deletes: str | None = None
    """The text of the button that deletes a record; None if records are not deleted."""
    author: str | None = None
    """The field that stores the user who adds a record."""
    list_template: str = "crm/records.html"

    @property
    def kind(self):
        """The name in URLs."""
        return self.model.kind

    @property
    def name(self):
        """The name of one record."""
        return self.model._meta.verbose_name

    def steps_of(self, record):
        """Return the buttons that a record has in its current state."""
        return [step for step in self.steps if step.is_possible(record)]


def has_status(*values):
    """Return the condition that a record has one of some statuses."""
    return lambda record: record.status in values


@transaction.atomic
def make_default(method):
    """Make a billing method the customer's default, instead of the current default."""
    others = method.customer.billingmethods.filter(is_default=True).exclude(pk=method.pk)
    others.update(is_default=False)
    method.is_default = True
    method.save()


def advance(enrolment):
    """Move a customer to the next step of a workflow."""
    enrolment.step = enrolment.next_step
    enrolment.save()


_TICKET = form_for(Ticket, ("title", "description", "priority", "assigned_to"))
_APPOINTMENT = form_for(Appointment, ("title", "starts_at", "technician"))
_WORK_ORDER = form_for(WorkOrder, ("title", "hours", "price"))
_EQUIPMENT = form_for(Equipment, ("name", "device", "product", "serial_number"))
_BILLING_METHOD = form_for(BillingMethod, ("name", "type", "account"))
_FUNDING = form_for(FundingEvent, ("funder", "amount"))
_PORTAL_CONTACT = form_for(PortalContact, ("name", "email", "rights"))
_ENVELOPE = form_for(Envelope, ("title", "signer"))

RECORD_TYPES = (
    RecordType(
        model=Note,
        related="notes",
        title=_("Notes"),
        tab="Notes",
        columns=("text", "author", "written_at"),
        adds=_("Add note"),
        add_form=form_for(Note, ("text",)),
        edit_form=form_for(Note, ("text",)),
        deletes=_("Delete note"),
        author="author",
        list_template="crm/notes.html",
    ),
    RecordType(
        model=Ticket,
        related="tickets",
        title=_("Tickets"),
        tab="Service",
        columns=("title", "priority", "assigned_to", "status"),
        adds=_("Create ticket"),
        add_form=_TICKET,
        edit_form=form_for(Ticket, ("title", "description", "priority")),
        steps=(
            Step(
                path="reassign",
                button=_("Reassign ticket"),
                is_possible=has_status("open"),
                fields=("assigned_to",),
            ),
            Step(
                path="close",
                button=_("Close ticket"),
                is_possible=has_status("open"),
                sets={"status": "closed"},
            ),
            Step(
                path="reopen",
                button=_("Reopen ticket"),
                is_possible=has_status("closed"),
                sets={"status": "open"},
            ),
        ),
        deletes=_("Delete ticket"),
    ),
    RecordType(
        model=Appointment,
        related="appointments",
        title=_("Appointments"),
        tab="Service",
        columns=("title", "starts_at", "technician", "status"),
        adds=_("Create appointment"),
        add_form=_APPOINTMENT,
        edit_form=form_for(Appointment, ("title", "technician")),
        steps=(
            Step(
                path="reschedule",
                button=_("Reschedule"),
                is_possible=has_status("scheduled"),
                fields=("starts_at",),
            ),
            Step(
                path="complete",
                button=_("Complete appointment"),
                is_possible=has_status("scheduled"),
                sets={"status": "completed"},
            ),
            Step(
                path="cancel",
                button=_("Cancel appointment"),
                is_possible=has_status("scheduled"),
                sets={"status": "canceled"},
            ),
        ),
    ),
    RecordType(
        model=WorkOrder,
        related="workorders",
        title=_("Work orders"),
        tab="Service",
        columns=("number", "title", "hours", "price", "status"),
        adds=_("Create work order"),
        add_form=_WORK_ORDER,
        edit_form=_WORK_ORDER,
        steps=(
            Step(
                path="complete",
                button=_("Complete work order"),
                is_possible=has_status("open"),
                sets={"status": "completed"},
            ),
            Step(
                path="invoice",
                button=_("Invoice work order"),
                is_possible=has_status("completed"),
                run=invoice_work_order,
            ),
        ),
    ),
    RecordType(
        model=Equipment,
        related="equipments",
        title=_("Equipment"),
        tab="Service",
        columns=("name", "device", "product", "serial_number"),
        adds=_("Add equipment"),
        add_form=_EQUIPMENT,
        edit_form=form_for(Equipment, ("name", "device")),
        steps=(
            Step(
                path="replace",
                button=_("Replace equipment"),
                fields=("product", "serial_number"),
            ),
        ),
        deletes=_("Remove equipment"),
    ),
    RecordType(
        model=Enrolment,
        related="enrolments",
        title=_("Workflows"),
        tab="Service",
        columns=("workflow", "step"),
        adds=_("Enroll"),
        add_form=form_for(Enrolment, ("workflow",)),
        steps=(
            Step(
                path="advance",
                button=_("Advance"),
                is_possible=lambda enrolment: enrolment.next_step is not None,
                run=advance,
            ),
        ),
        deletes=_("Leave workflow"),
    ),
    RecordType(
        model=BillingMethod,
        related="billingmethods",
        title=_("Billing methods"),
        tab="Billing",
        columns=("name", "type", "account", "is_default"),
        adds=_("Add billing method"),
        add_form=_BILLING_METHOD,
        edit_form=_BILLING_METHOD,
        steps=(
            Step(
                path="make-default",
                button=_("Make default"),
                is_possible=lambda method: not method.is_default,
                run=make_default,
            ),
        ),
        deletes=_("Remove billing method"),
    ),
    RecordType(
        model=FundingEvent,
        related="fundingevents",
        title=_("Funding"),
        tab="Billing",
        columns=("funder", "amount", "status"),
        adds=_("Submit for funding"),
        add_form=_FUNDING,
        edit_form=_FUNDING,
        steps=(
            Step(
                path="fund",
                button=_("Funding received"),
                is_possible=has_status("submitted"),
                sets={"status": "funded"},
            ),
            Step(
                path="reject",
                button=_("Funding rejected"),
                is_possible=has_status("submitted"),
                fields=("reason",),
                sets={"status": "rejected"},
            ),
        ),
    ),
    RecordType(
        model=Attachment,
        related="files",
        title=_("Files"),
        tab="Documents",
        columns=("name", "description"),
        adds=_("Upload"),
        add_form=AttachmentForm,
        edit_form=form_for(Attachment, ("name", "description")),
        deletes=_("Delete file"),
    ),
    RecordType(
        model=Envelope,
        related="envelopes",
        title=_("E-documents"),
        tab="Documents",
        columns=("title", "signer", "status"),
        adds=_("Send envelope"),
        add_form=_ENVELOPE,
        edit_form=_ENVELOPE,
        steps=(
            Step(
                path="sign",
                button=_("Mark as signed"),
                is_possible=has_status("sent"),
                sets={"status": "signed"},
            ),
            Step(
                path="void",
                button=_("Void envelope"),
                is_possible=has_status("sent"),
                fields=("reason",),
                sets={"status": "voided"},
            ),
        ),
    ),
    RecordType(
        model=PortalLogin,
        related="portallogins",
        title=_("Portal log-in"),
        tab="Details",
        columns=("username",),
        adds=_("Create log-in"),
        add_form=PortalLoginForm,
        edit_form=form_for(PortalLogin, ("username",)),
        steps=(Step(path="password", button=_("Change password"), form=PasswordForm),),
        deletes=_("Remove log-in"),
    ),
    RecordType(
        model=PortalContact,
        related="portalcontacts",
        title=_("Portal contacts"),
        tab="Details",
        columns=("name", "email"),
        adds=_("Add portal contact"),
        add_form=_PORTAL_CONTACT,
        edit_form=_PORTAL_CONTACT,
        deletes=_("Remove portal contact"),
    ),
)

BY_KIND = {record_type.kind: record_type for record_type in RECORD_TYPES}
