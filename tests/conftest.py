"""Fixtures of all tests, and which tests an environment can run."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType

from django_customer_history.models import Entry
from tests.projects.crm.models import Customer

# What tests import that not every environment has. Without it they are not collected.
NEEDED = {
    "contrib/test_authentication.py": "rest_framework_simplejwt",
    "contrib/test_celery.py": "celery",
    "contrib/test_messages.py": "jsonschema",
    "contrib/test_webhook.py": "standardwebhooks",
    "contrib/test_channels.py": "channels",
    "contrib/test_impersonation.py": "hijack",
    "contrib/test_tasks.py": "django_tasks_db",
    "test_databases.py": "psycopg",
    "example": "psycopg",
    "example/browser": "playwright",
    "reading/test_openapi.py": "drf_spectacular",
    "reading/test_tab_look.py": "playwright",
    "clusters": "pymysql",
    "projects/roles": "psycopg",
    "test_partitions.py": "psycopg",
    "seals": "rfc8785",
}
collect_ignore = [path for path, needed in NEEDED.items() if find_spec(needed) is None]

# They start the demo, a browser or a database server.
SLOW_FOLDERS = ("example", "projects/replica", "projects/roles")


def pytest_collection_modifyitems(items):
    """Mark what is in a slow folder. Other slow tests carry the mark themselves."""
    folders = [Path(__file__).parent / folder for folder in SLOW_FOLDERS]
    for item in items:
        if any(folder in item.path.parents for folder in folders):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _content_types():
    # Django keeps those that a test created and rolled back.
    ContentType.objects.clear_cache()


class Log:
    """The entries logged since it was created or cleared, oldest first."""

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
    """Return the entries that are logged after the creation of `customer`."""
    return Log()


@pytest.fixture
def user(django_user_model, customer):
    return django_user_model.objects.create_user("ann", password="pw")
