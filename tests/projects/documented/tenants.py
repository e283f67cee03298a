"""Carries out the page on tenants; it prints who gets what as JSON.

Standard input is a JSON list: the backend, the settings, the registrations.
"""

import json
import sys
from types import ModuleType

from directory.models import Company, Employee
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client, override_settings

from crm.models import Customer

GRANTED = ("view_customer_history", "export_customer_history")


def employee(name, company, *permissions):
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    Employee.objects.create(user=user, company=company)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def seen_by(client, customers):
    """Return what each address answers about each customer, and whose entries lists have."""
    api = "/api/history/subjects/crm.customer/{}/"
    answers = {
        name: [
            client.get(f"/customers/{key}/history/").status_code,
            client.get(api.format(key)).status_code,
            client.get(api.format(key) + "export/?format=csv").status_code,
        ]
        for name, key in customers.items()
    }
    everything = client.get("/api/history/")
    file = client.get("/api/history/export/?format=csv")
    text = b"".join(file.streaming_content).decode() if file.streaming else ""
    return {
        "answers": answers,
        "list": sorted({one["subject"]["label"] for one in everything.json().get("results", [])}),
        "file": sorted(name for name in customers if f",{name}," in text),
    }


def scenario():
    north, south = (Company.objects.create(name=name) for name in ("North", "South"))
    customers = {
        "Own": Customer.objects.create(name="Own", company=north),
        "Gone": Customer.objects.create(name="Gone", company=north),
        "Foreign": Customer.objects.create(name="Foreign", company=south),
        "Foreign gone": Customer.objects.create(name="Foreign gone", company=south),
        "Shared": Customer.objects.create(name="Shared", company=south, shared_with=north),
    }
    keys = {name: one.pk for name, one in customers.items()}
    customers["Gone"].delete()
    customers["Foreign gone"].delete()
    manager = employee("ann", north, *GRANTED)
    newcomer = employee("bob", north, "view_customer")
    readers = {"manager": manager, "newcomer": newcomer, "anonymous": Client()}
    return {name: seen_by(client, keys) for name, client in readers.items()}


def main():
    backend, settings, registrations = json.load(sys.stdin)
    module = sys.modules["crm.backends"] = ModuleType("crm.backends")
    exec(compile(backend, "crm/backends.py", "exec"), vars(module))
    exec(compile(registrations, "crm/history.py", "exec"), {})
    chosen = {}
    exec(compile(settings, "settings.py", "exec"), chosen)
    call_command("migrate", run_syncdb=True, verbosity=0)
    with override_settings(AUTHENTICATION_BACKENDS=chosen["AUTHENTICATION_BACKENDS"]):
        json.dump(scenario(), sys.stdout)
