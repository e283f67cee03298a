"""Who works with the CRM of the demo, from where, and with which rights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission, User
from rest_framework.authtoken.models import Token

from django_customer_history import history

PASSWORD = "demo"

_RECORDS = ("customer", "tag", "note", "invoice", "invoiceline", "payment", "attachment")
_EDITING = tuple(f"{verb}_{record}" for verb in ("view", "add", "change") for record in _RECORDS)

GROUPS: Mapping[str, Sequence[str]] = {
    "Managers": (
        *_EDITING,
        *(f"delete_{record}" for record in _RECORDS),
        "view_customer_history",
        "view_confidential_customer_ssn",
        "view_confidential_customer_bank_account",
    ),
    "Clerks": (*_EDITING, "delete_note", "delete_attachment", "view_customer_history"),
    "Programs": ("view_customer", "add_customer", "change_customer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the demo; an address is one of those that are kept free for documentation."""

    name: str
    address: str
    rights: str
    group: str | None = None
    is_program: bool = False


MANAGER = Person(
    name="manager",
    address="203.0.113.9",
    group="Managers",
    rights="reads the history of customers, sees SSN and bank account",
)
CLERK = Person(
    name="clerk",
    address="198.51.100.23",
    group="Clerks",
    rights="reads the history of customers, SSN and bank account are masked",
)
ADMIN = Person(name="admin", address="192.0.2.44", rights="superuser, may do everything")
INTEGRATION = Person(
    name="integration",
    address="2001:db8::7",
    group="Programs",
    rights="a program, uses the API with a token",
    is_program=True,
)
PEOPLE = (MANAGER, CLERK, ADMIN, INTEGRATION)


def ensure_people():
    """Create the users and groups that are missing, and leave the others as they are."""
    with history.acting(source="command", user=None, reason="Setting up the demo"):
        for person in PEOPLE:
            if not User.objects.filter(username=person.name).exists():
                _create(person)


def token():
    """Return the key with which the program uses the API, or None where it has none."""
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
    if person.group is not None:
        user.groups.add(_group(person.group))
    if person.is_program:
        Token.objects.create(user=user)


def _group(name):
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.add(
        *Permission.objects.filter(content_type__app_label="crm", codename__in=GROUPS[name])
    )
    return group
