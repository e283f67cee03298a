"""`python -m benchmarks.page`: the first page of the History tab in the example project.

It measures requests of a manager to the first page of 50 changes of the demo's first customer, and
to that of a customer with `--changes` changes, with the filters open: processor time, bytes and
statements. The time is compared with one plain template of Django that shows as many rows of as
many cells, without links, permissions and masks. `DATABASE_URL` names an empty database, by
default a SQLite file that is removed; the demo fills it.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "example_project"
PLAIN = """<table>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>"""
COLUMNS = 9


def configure(folder):
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/demo.sqlite3")
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "0", "MEDIA_ROOT": folder}
    sys.path.insert(0, str(EXAMPLE))
    import django

    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["testserver", *settings.ALLOWED_HOSTS]


def fill():
    """Run the demo, and return its first customer and its manager."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from crm.models import Customer
    from demo.story import FIRST_CUSTOMER

    call_command("demo", no_serve=True)
    customer = Customer.objects.get(name=FIRST_CUSTOMER)
    return customer, get_user_model().objects.get(username="manager")


def make_busy(customer, user, changes):
    """Return another customer with many changes, of some fields and of notes."""
    from crm.models import Customer
    from django_customer_history import history

    fields = ("phone", "city", "name", "address")
    with history.acting(user=user, source="web"):
        busy = Customer.objects.get(pk=customer.pk)
        busy.pk, busy.name = None, "Busy Bakery"
        busy.save(force_insert=True)
        for number in range(changes - 1):
            field = fields[number % len(fields)]
            setattr(busy, field, f"{getattr(customer, field)[:20]} {number}")
            busy.save(update_fields=[field])
    return busy


def measured(request, *, rounds):
    """Return the median milliseconds of processor time, and the last answer."""
    times = []
    for number in range(rounds + 3):
        start = time.process_time()
        answer = request()
        if number >= 3:  # The first ones compile templates and fill caches.
            times.append((time.process_time() - start) * 1000)
    return statistics.median(times), answer


def plain_page(rows):
    """Return a function that renders rows with one plain template."""
    from django.template import Context, Template

    template = Template(PLAIN)
    context = Context({"rows": [[f"cell {number}" for number in range(COLUMNS)]] * rows})
    return lambda: template.render(context)


def report(name, client, url, rounds):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    milliseconds, answer = measured(lambda: client.get(url), rounds=rounds)
    assert answer.status_code == 200, answer
    with CaptureQueriesContext(connection) as statements:
        client.get(url)
    text = answer.content.decode()
    rows = text.partition("<table")[2].count("<tr>")
    plain, _ = measured(plain_page(rows), rounds=rounds)
    print(
        f"{name}: {milliseconds:.1f} ms, {len(answer.content):,} bytes, {len(statements)}"
        f" statements, {rows} rows; {milliseconds / plain:.1f} times one plain template"
        f" ({plain:.1f} ms)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        configure(folder)
        from django.test import Client

        customer, manager = fill()
        busy = make_busy(customer, manager, options.changes)
        client = Client()
        client.force_login(manager)
        report("first page", client, customer.get_history_url(), options.rounds)
        url = f"{busy.get_history_url()}?filter=open"
        report(f"of {options.changes:,} changes, filters open", client, url, options.rounds)


if __name__ == "__main__":
    main()
