"""What `test_tenants` runs in a process of its own. It prints the entries by schema as JSON."""

import json
import sys
from io import StringIO

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django_tenants.utils import schema_context  # noqa: E402

from django_customer_history import health, history  # noqa: E402
from django_customer_history.models import Entry  # noqa: E402
from tests.projects.others.models import Customer  # noqa: E402
from tests.projects.tenanted.models import Company  # noqa: E402

SCHEMAS = ("public", "north", "south")


def migrate(schema):
    """Create all tables of a schema, also those of apps without migrations."""
    call_command(
        *("migrate_schemas", "--schema", schema, "--run-syncdb"), verbosity=0, stdout=StringIO()
    )


def write(name):
    customer = Customer.objects.create(name=name)
    Customer.objects.filter(pk=customer.pk).update(name=f"{name} Inc.")
    return len(history.entries_for(customer))


def logged():
    entries = Entry.objects.exclude(entity_model__startswith="customer_history.").order_by("id")
    found = entries.filter(entity_model__in=("others.customer", "tenanted.company"))
    return [[one.kind, one.entity_model, one.changes.get("name")] for one in found]


def main():
    migrate("public")
    seen = {"read": {}, "logged": {}, "problems": {}}
    for name in ("north", "south"):
        Company(schema_name=name, name=name.title()).save(verbosity=0)
        migrate(name)
    for name in ("north", "south"):
        with schema_context(name):
            seen["read"][name] = write(name.title())
    Company.objects.filter(schema_name="south").update(name="South Ltd.")
    for name in SCHEMAS:
        with schema_context(name):
            seen["logged"][name] = logged()
            seen["problems"][name] = health.problems()
    json.dump({"tenants": seen}, sys.stdout)


if __name__ == "__main__":
    main()
