"""Fixtures of all tests."""

from importlib.util import find_spec

import pytest

from django_customer_history.models import Entry
from tests.projects.crm.models import Customer

# Tests of the package's extras, in an environment without them.
NEEDED = {
    "contrib/test_celery.py": "celery",
    "contrib/test_channels.py": "channels",
    "contrib/test_impersonation.py": "hijack",
    "contrib/test_tasks.py": "django_tasks_db",
    "test_databases.py": "psycopg",
    "example": "psycopg",
    "example/browser": "playwright",
    "reading/test_openapi.py": "drf_spectacular",
    "reading/test_tab_look.py": "playwright",
    "projects/roles": "psycopg",
    "test_partitions.py": "psycopg",
}
collect_ignore = [path for path, needed in NEEDED.items() if find_spec(needed) is None]


class Log:
    """What was logged since the fixture was set up, oldest first."""

    def __init__(self):
        self._seen = set(Entry.objects.values_list("id", flat=True))

    def entries(self):
        return [entry for entry in Entry.objects.order_by("id") if entry.id not in self._seen]

    def values(self, *names):
        """Return the entries as tuples of the named columns."""
        return [tuple(getattr(entry, name) for name in names) for entry in self.entries()]

    def changes(self):
        return [entry.changes for entry in self.entries()]

    def only(self):
        (entry,) = self.entries()
        return entry

    def clear(self):
        self._seen = set(Entry.objects.values_list("id", flat=True))


@pytest.fixture
def customer(db):
    return Customer.objects.create(name="Acme", ssn="123-45-6789", portal_password="s3cret-hash")


@pytest.fixture
def log(customer):
    """Watch the log from after the customer's creation on."""
    return Log()


@pytest.fixture
def user(django_user_model, customer):
    return django_user_model.objects.create_user("ann", password="pw")
