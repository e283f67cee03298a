"""`python -m benchmarks.crowd`: many writers and readers at the same time.

`--writers` processes save customers, each save in a transaction of its own, while `--readers`
processes read pages of their history. They alternate between a table without a history and one
with it, for `--seconds` in total. The program prints the throughput of both and their ratio. It
ends with status 1 after a deadlock or another error, or if a process waited for a lock on the log.
`DATABASE_URL` names a PostgreSQL, MariaDB or MySQL server. SQLite allows only one writer at a time.
"""

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections import Counter

from benchmarks.reading import PAGE, CommandReader
from benchmarks.writing import configure

LOG = "customer_history_entry"
CUSTOMERS = 2_000
TURN = 15
"""Seconds until the processes change to the other table."""

WAITING = {
    "postgresql": (
        "SELECT count(*) FROM pg_locks WHERE NOT granted"
        f" AND relation IN (SELECT oid FROM pg_class WHERE relname LIKE '{LOG}%%')"
    ),
    "mariadb": (
        "SELECT count(*) FROM information_schema.innodb_lock_waits AS waits"
        " JOIN information_schema.innodb_locks AS locks ON lock_id = requested_lock_id"
        f" WHERE lock_table LIKE '%%{LOG}%%'"
    ),
    "mysql": (
        "SELECT count(*) FROM performance_schema.data_lock_waits AS waits"
        " JOIN performance_schema.data_locks AS locks"
        f" ON engine_lock_id = requesting_engine_lock_id WHERE object_name = '{LOG}'"
    ),
}


def write(is_audited, until, answers):
    """Save customers until the time is over; answer with their number and the errors."""
    from django.db import Error, transaction

    from benchmarks.models import AuditedCustomer, PlainCustomer
    from django_customer_history import history
    from django_customer_history.context.resolved import NamedUser

    model = AuditedCustomer if is_audited else PlainCustomer
    keys = list(model.objects.values_list("pk", flat=True))
    dice, saved, errors = random.Random(os.getpid()), 0, []
    with history.acting(user=NamedUser(id=str(os.getpid()), label="writer"), source="web"):
        while time.monotonic() < until:
            try:
                with transaction.atomic():
                    row = model.objects.get(pk=dice.choice(keys))
                    row.rate, row.status = (
                        f"{dice.random() * 100:.2f}",
                        f"status {dice.randrange(10**6)}",
                    )
                    row.save()
                saved += 1
            except Error as error:
                errors.append(repr(error))
    answers.put(("saved", saved, errors))


def read(until, answers):
    """Read first pages of customers until the time is over."""
    from django.db import Error

    from benchmarks.models import AuditedCustomer
    from django_customer_history.reading.timeline import Timeline

    keys = list(AuditedCustomer.objects.values_list("pk", flat=True))
    dice, pages, errors = random.Random(os.getpid()), 0, []
    while time.monotonic() < until:
        try:
            Timeline.of_subject(CommandReader(), AuditedCustomer, dice.choice(keys)).page(
                limit=PAGE
            )
            pages += 1
        except Error as error:
            errors.append(repr(error))
    answers.put(("read", pages, errors))


def watch(until, answers):
    """Check repeatedly whether a process waits for a lock on the log."""
    from django.db import connection

    checks, waits = 0, 0
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(WAITING[connection.display_name.lower()])
            checks, waits = checks + 1, waits + bool(cursor.fetchone()[0])
            time.sleep(0.02)
    errors = [f"{waits} checks found a process that waits for the log"] if waits else []
    answers.put(("checks", checks, errors))


def turn(is_audited, options, seconds):
    """Run all processes for some seconds; return the counts of each kind, and the errors."""
    from django.db import connections

    connections.close_all()
    fork, until = multiprocessing.get_context("fork"), time.monotonic() + seconds
    answers = fork.Queue()
    work = [(write, (is_audited, until, answers))] * options.writers
    work += [(read, (until, answers))] * options.readers
    work += [(watch, (until, answers))]
    processes = [fork.Process(target=target, args=arguments) for target, arguments in work]
    for process in processes:
        process.start()
    counts, errors = {}, []
    for _ in processes:
        name, count, wrong = answers.get(timeout=seconds + 120)
        counts[name] = counts.get(name, 0) + count
        errors += wrong
    for process in processes:
        process.join()
    return counts, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--readers", type=int, default=8)
    options = parser.parse_args()
    os.environ.setdefault("DATABASE_URL", "postgres://postgres@127.0.0.1/postgres")
    configure()
    from django.db import connection

    if connection.vendor not in WAITING:
        sys.exit(
            "This benchmark needs PostgreSQL, MariaDB or MySQL. Name a server in DATABASE_URL."
        )
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        wrong = Counter(run(options))
        sys.exit("\n".join(f"{count} times: {what}" for what, count in wrong.items()) or None)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def run(options):
    """Use both tables in turn; print the throughput and return the errors."""
    from django.db import connection

    from benchmarks.models import AuditedCustomer, PlainCustomer

    for model in (PlainCustomer, AuditedCustomer):
        model.objects.bulk_create(model(name=f"customer {number}") for number in range(CUSTOMERS))
    seconds = min(TURN, options.seconds / 2)
    rates, wrong, checks = {False: [], True: []}, [], 0
    for _ in range(max(int(options.seconds / seconds / 2), 1)):
        for is_audited in (False, True):
            counts, errors = turn(is_audited, options, seconds)
            rates[is_audited].append(counts["saved"] / seconds)
            checks, wrong = checks + counts["checks"], wrong + errors
    plain, audited = (statistics.median(rates[is_audited]) for is_audited in (False, True))
    print(
        f"{connection.vendor}: {options.writers} writers and {options.readers} readers:"
        f" {plain:.0f} saves a second without a history, {audited:.0f} with it"
        f" ({audited / plain:.2f} of it); {len(wrong)} errors, {checks} checks of the locks",
        flush=True,
    )
    return wrong


if __name__ == "__main__":
    main()
