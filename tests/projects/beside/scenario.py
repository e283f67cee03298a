"""What `test_beside` runs in a process of its own. It prints the rows of each package as JSON."""

import json
import sys

import django

django.setup()

import reversion  # noqa: E402
from django.apps import apps  # noqa: E402
from django.core.management import call_command  # noqa: E402
from easyaudit.models import CRUDEvent  # noqa: E402
from reversion.models import Version  # noqa: E402

from django_customer_history import health, history  # noqa: E402
from django_customer_history.models import Entry  # noqa: E402
from tests.projects.beside.models import HAS_PGHISTORY, Customer  # noqa: E402


def written():
    """Write in several ways; return the entries."""
    before = set(Entry.objects.values_list("id", flat=True))
    with reversion.create_revision(), history.acting(source="import"):
        customer = Customer.objects.create(name="Acme")
        customer.rate = "44.99"
        customer.save()
    Customer.objects.filter(pk=customer.pk).update(rate="49.99")
    customer.delete()
    entries = [one for one in Entry.objects.order_by("id") if one.id not in before]
    return [[one.kind, one.changes.get("rate")] for one in entries]


def main():
    call_command("migrate", run_syncdb=True, verbosity=0)
    seen = {"entries": written()}
    seen["reversion"] = Version.objects.count()
    seen["easy-audit"] = CRUDEvent.objects.filter(content_type__model="customer").count()
    if HAS_PGHISTORY:
        events = apps.get_model("beside", "CustomerEvent").objects.order_by("pgh_id")
        seen["pghistory"] = list(events.values_list("pgh_label", flat=True))
        call_command("pgtrigger", "uninstall")
        seen["after pghistory"] = written()
        call_command("migrate", run_syncdb=True, verbosity=0)
        seen["back"] = written()
    seen["problems"] = health.problems()
    # The tables of the packages are not logged.
    labels = Entry.objects.exclude(entity_model__startswith="customer_history.")
    seen["models"] = sorted(set(labels.values_list("entity_model", flat=True)))
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
