"""What `test_replica` runs in a process of its own. It prints the results as JSON."""

import json
import os
import sys
import time

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.projects.replica.settings"
django.setup()

from django.contrib.auth.models import Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from django_customer_history.models import Entry  # noqa: E402
from tests.projects.crm.models import Customer  # noqa: E402

GRANTED = ("view_customer_history", "export_customer_history", "view_confidential_customer_ssn")


def catch_up():
    """Wait until the replica has caught up with the primary."""
    position = asked("default", "SELECT pg_current_wal_lsn()")
    deadline = time.monotonic() + 30
    while not asked("replica", f"SELECT pg_last_wal_replay_lsn() >= '{position}'"):
        assert time.monotonic() < deadline, "the replica does not catch up"
        time.sleep(0.01)


def asked(alias, sql):
    with connections[alias].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def seen_at(client, path):
    """Request a path; return the response and the statements of each database."""
    with (
        CaptureQueriesContext(connections["default"]) as primary,
        CaptureQueriesContext(connections["replica"]) as replica,
    ):
        response = client.post(path) if path.endswith("/reveal/") else client.get(path)
        content = response.getvalue().decode()
    return {
        "status": response.status_code,
        "shows_change": "44.99" in content,
        "asked_primary": [query["sql"] for query in primary],
        "asked_replica": len(replica),
    }


def main():
    call_command("migrate", verbosity=0)
    reader = User.objects.create_user("ann", password="pw")
    catch_up()
    permissions = list(Permission.objects.filter(codename__in=GRANTED))
    reader.user_permissions.set(permissions)
    customer = Customer.objects.create(name="Acme", ssn="123-45-6789", rate="39.99")
    catch_up()
    Customer.objects.filter(pk=customer.pk).update(rate="44.99")
    client = Client()
    client.force_login(reader)
    catch_up()
    created = Entry.objects.get(kind="create", entity_model="crm.customer")
    paths = {
        "page": f"/customers/{customer.pk}/history/",
        "list": f"/api/history/subjects/crm.customer/{customer.pk}/",
        "facets": f"/api/history/subjects/crm.customer/{customer.pk}/facets/",
        "export": f"/api/history/subjects/crm.customer/{customer.pk}/export/?format=csv",
        "reveal": f"/api/history/entries/{created.pk}/reveal/",
    }
    seen = {name: seen_at(client, path) for name, path in paths.items()}
    catch_up()
    seen["is_replica"] = asked("replica", "SELECT pg_is_in_recovery()")
    seen["actions"] = list(
        Entry.objects.using("replica")
        .filter(subject_id=str(customer.pk))
        .order_by("id")
        .values_list("action", "user_label")
    )
    sys.stdout.write(json.dumps(seen))


main()
