"""The users of the demo: their IP addresses, companies and permissions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission, User
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token

from crm.jobs import MANAGES_USERS
from crm.models import Company, Employee
from django_customer_history import history

PASSWORD = "demo"

LANTERN, HARBOR = "lantern", "harbor"
COMPANIES = {LANTERN: "Lantern Alarm", HARBOR: "Harbor Security"}

_RECORDS = (
    "appointment",
    "attachment",
    "billingmethod",
    "customer",
    "enrolment",
    "envelope",
    "equipment",
    "fundingevent",
    "invoice",
    "invoiceline",
    "note",
    "payment",
    "portalcontact",
    "portallogin",
    "tag",
    "ticket",
    "workorder",
)
_VIEWING = tuple(f"crm.view_{record}" for record in (*_RECORDS, "portalright", "userdefinedfield"))
_EDITING = (
    *_VIEWING,
    *(f"crm.{verb}_{record}" for verb in ("add", "change") for record in _RECORDS),
    "crm.run_jobs",
    "crm.view_customer_history",
)
_DELETING = (
    "attachment",
    "billingmethod",
    "enrolment",
    "equipment",
    "note",
    "portalcontact",
    "portallogin",
)

GROUPS: Mapping[str, Sequence[str]] = {
    "Managers": (
        *_EDITING,
        *(f"crm.delete_{record}" for record in (*_DELETING, "ticket")),
        "crm.add_userdefinedfield",
        "crm.change_userdefinedfield",
        "crm.view_confidential_customer_ssn",
        "crm.undo_customer_history",
    ),
    "Clerks": (*_EDITING, *(f"crm.delete_{record}" for record in _DELETING)),
    "Auditors": (
        *_VIEWING,
        "crm.view_customer_history",
        "crm.export_customer_history",
        "customer_history.view_confidential",
    ),
    "Programs": ("crm.view_customer", "crm.add_customer", "crm.change_customer"),
}

PORTAL_RIGHTS = ("Sees invoices", "Orders equipment", MANAGES_USERS)
"""What a company lets contacts do in its customer portal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the demo. IP addresses are from the ranges that are reserved for documentation."""

    name: str
    ip_address: str
    rights: str
    company: str | None = LANTERN
    group: str | None = None
    is_program: bool = False


MANAGER = Person(
    name="manager",
    ip_address="203.0.113.9",
    group="Managers",
    rights=_(
        "Lantern Alarm: reads the history, undoes changes, sees SSNs but no other confidential"
        " value"
    ),
)
CLERK = Person(
    name="clerk",
    ip_address="198.51.100.23",
    group="Clerks",
    rights=_("Lantern Alarm: reads the history, all confidential values are masked"),
)
AUDITOR = Person(
    name="auditor",
    ip_address="203.0.113.77",
    group="Auditors",
    rights=_("Lantern Alarm: reads and exports everything unmasked, cannot edit"),
)
OUTSIDER = Person(
    name="outsider",
    ip_address="198.51.100.200",
    company=HARBOR,
    group="Managers",
    rights=_("Harbor Security: sees nothing of Lantern Alarm"),
)
ADMIN = Person(
    name="admin",
    ip_address="192.0.2.44",
    company=None,
    rights=_("superuser, marks fields as confidential in the admin"),
)
INTEGRATION = Person(
    name="integration",
    ip_address="2001:db8::7",
    group="Programs",
    rights=_("a program, uses the API with a token"),
    is_program=True,
)
PEOPLE = (MANAGER, CLERK, AUDITOR, OUTSIDER, ADMIN, INTEGRATION)


def ensure_people():
    """Create the companies, users and groups that do not exist yet."""
    with history.acting(source="command", user=None, reason="Setting up the demo"):
        for slug, name in COMPANIES.items():
            company, _ = Company.objects.get_or_create(slug=slug, defaults={"name": name})
            for right in PORTAL_RIGHTS:
                company.portal_rights.get_or_create(name=right)
        for person in PEOPLE:
            if not User.objects.filter(username=person.name).exists():
                _create(person)


def token():
    """Return the API token of the program, or None if it does not exist."""
    return (
        Token.objects.filter(user__username=INTEGRATION.name).values_list("key", flat=True).first()
    )


def _create(person):
    user = User(
        username=person.name,
        is_staff=not person.is_program,
        is_superuser=person.group is None,
    )
    if person.is_program:
        user.set_unusable_password()
    else:
        user.set_password(PASSWORD)
    user.save()
    if person.company is not None:
        Employee.objects.create(user=user, company_id=person.company)
    if person.group is not None:
        user.groups.add(_group(person.group))
    if person.is_program:
        Token.objects.create(user=user)


def _group(name):
    group, _ = Group.objects.get_or_create(name=name)
    for label in GROUPS[name]:
        app, codename = label.split(".")
        group.permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return group
