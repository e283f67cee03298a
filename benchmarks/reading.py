"""`python -m benchmarks.reading`: the time of pages and facets of a long history.

Wall time and processor time, of this process and of its database server process. The lower bound is
the processor time of the statements of the page alone, without anything that is made of their rows.

The log has `--entries` entries, 5,000 of them for one customer. `DATABASE_URL` names the database
server. The tables are created in a test database, which is removed.
"""

import argparse
import statistics
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from benchmarks.meters import Clock, analyze
from benchmarks.writing import configure

OF_THE_CUSTOMER = 5_000
PAGE = 50
START = datetime(2026, 1, 1, tzinfo=UTC)


class CommandReader:
    """A user who may read everything that is not confidential."""

    is_superuser = True

    def has_perm(self, permission, obj=None):
        return permission in ("customer_history.view_entry", "customer_history.export_entry")


def fill(customer, others, count):
    """Log `count` entries, 5,000 of them for one customer, evenly distributed."""
    from django_customer_history.models import Entry

    every = max(count // OF_THE_CUSTOMER, 1)
    for start in range(0, count, 5_000):
        numbers = range(start, min(start + 5_000, count))
        owners = [customer if n % every == 0 else others[n % len(others)] for n in numbers]
        Entry.objects.bulk_create(
            entry_of(owner, number) for owner, number in zip(owners, numbers, strict=True)
        )


def entry_of(owner, number):
    from django_customer_history.keys import uuid_at
    from django_customer_history.models import Entry

    moment = START + timedelta(seconds=number)
    return Entry(
        id=uuid_at(int(moment.timestamp()) * 1_000_000),
        timestamp=moment,
        kind="update",
        action="Update",
        subject_model="benchmarks.auditedcustomer",
        subject_id=str(owner.pk),
        entity_model="benchmarks.auditedcustomer",
        entity_id=str(owner.pk),
        entity_label=owner.name,
        changes={"rate": [f"{number}.00", f"{number}.50"], "status": ["new", "active"]},
        user_id=str(number % 7),
        user_label=f"user {number % 7}",
        source="web",
        ip_address="203.0.113.9",
    )


def measure(label, work, *, rounds=21):
    """Print the median times of a function, and of the statements that it sends."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        work()
    clock = Clock(connection)
    statements = [query["sql"] for query in captured]
    taken = [
        [*clock.timed(work), *clock.timed(partial(_send, connection, statements))]
        for _ in range(rounds)
    ]
    wall, processor, _, alone = (statistics.median(one) * 1e3 for one in zip(*taken, strict=True))
    print(
        f"| {label} | {wall:.1f} / {processor:.1f} ms | {len(captured)} | {alone:.1f} ms |",
        flush=True,
    )


def _send(connection, statements):
    """Send statements to the database, and fetch their rows as the driver has them."""
    with connection.cursor() as cursor:
        for statement in statements:
            # The percent signs of a statement without parameters stand for themselves.
            cursor.execute(statement)
            if cursor.description:  # Not what begins and ends a transaction.
                cursor.fetchall()


def cursor_after(timeline, count):
    """Return the cursor of the page after the first `count` entries."""
    from django_customer_history.reading.cursors import Cursor

    key = timeline.queryset.newest_first().values_list("id", flat=True)[count - 1]
    return Cursor(key=key).write(question=timeline.question)


def read(customer, count):
    """Measure pages of one customer and of all."""
    from benchmarks.models import AuditedCustomer
    from django_customer_history.reading.facets import facets
    from django_customer_history.reading.timeline import Timeline

    one = Timeline.of_subject(CommandReader(), AuditedCustomer, customer.pk)
    everything = Timeline.of_everything(CommandReader())
    last_week = everything.filtered(user="3", from_=START + timedelta(seconds=count // 2))

    def opened(**options):
        Timeline.of_subject(CommandReader(), AuditedCustomer, customer.pk).page(
            limit=PAGE, **options
        )

    deep = cursor_after(one, 4_000)
    measure("a customer, first page", opened)
    measure("a customer, the page at the 4,000th entry", lambda: opened(cursor=deep))
    measure("everything, first page", lambda: everything.page(limit=PAGE))
    measure(
        "everything that one user changed in the second half of the time",
        lambda: last_week.page(limit=PAGE),
    )
    measure("facets of a customer", lambda: facets(one))
    measure("facets of everything", lambda: facets(everything))


@contextmanager
def filled_database(entries):
    """Create a test database with a log of 500 customers; yield the one with the most entries."""
    from django.db import connection

    original = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        from benchmarks.models import AuditedCustomer
        from django_customer_history.models import Entry

        names = [AuditedCustomer(name=f"customer {number}") for number in range(500)]
        AuditedCustomer.objects.bulk_create(names)
        customer, *others = AuditedCustomer.objects.order_by("pk")
        fill(customer, others, entries)
        analyze(connection, Entry)
        yield customer
    finally:
        connection.creation.destroy_test_db(original, verbosity=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="20,000 entries.")
    arguments = parser.parse_args()
    count = 20_000 if arguments.quick else arguments.entries
    configure()
    from django.db import connection

    with filled_database(count) as customer:
        print(f"{connection.display_name}, {count:,} entries, pages of {PAGE}\n")
        print(
            "| | wall / processor time | statements | these statements alone |\n|---|---|---|---|"
        )
        read(customer, count)


if __name__ == "__main__":
    main()
