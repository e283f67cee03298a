"""`python -m benchmarks.baseline`: the time of a first entry for each row that has none.

`history_baseline` writes the entries of `--rows` customers of 22 columns, and
`history_import_auditlog` imports as many entries of django-auditlog. Each takes turns with two
lower bounds. The first makes the same entries in the simplest way: one `INSERT ... SELECT` that
makes them of all rows, without batches, locks and a look into the log; or one `bulk_create` of
imported entries that are in memory already. The second copies the entries, as they are, into the
log. The program ends with status 1 if a ratio to the first is above `--most`. `DATABASE_URL` names
the server.
"""

import argparse
import statistics
import sys
from datetime import UTC, datetime
from functools import partial
from io import StringIO

from benchmarks.meters import Clock
from benchmarks.writing import configure

LOG = "customer_history_entry"
COPY = "benchmark_copy"


class Filling:
    """Rows of a tracked table, and what an importer reads, to be written to the log again."""

    def __init__(self, count):
        from django.db import connection

        from benchmarks.models import AuditedCustomer
        from django_customer_history import history

        self.connection, self.clock, self.count = connection, Clock(connection), count
        with history.paused(reason="rows from before the registration"):
            AuditedCustomer.objects.bulk_create(
                (AuditedCustomer(name=f"customer {number}") for number in range(count)),
                batch_size=1_000,
            )
        self._execute(f"CREATE TABLE {COPY} AS SELECT * FROM {LOG} WHERE 1 = 0")

    def _execute(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    def empty(self):
        """Empty the log in the way of `flush`, which its triggers allow."""
        from django.core.management.color import no_style

        operations = self.connection.ops
        operations.execute_sql_flush(operations.sql_flush(no_style(), [LOG]))

    def keep(self):
        """Keep the entries of the log, to be written by one statement."""
        self._execute(f"DELETE FROM {COPY}")
        self._execute(f"INSERT INTO {COPY} SELECT * FROM {LOG}")

    def copied(self):
        """Write the kept entries by one statement."""
        self._execute(f"INSERT INTO {LOG} SELECT * FROM {COPY}")

    def made_by_one_statement(self):
        """Make the entries of all rows of customers by one statement."""
        from benchmarks.models import AuditedCustomer
        from django_customer_history.backends import backend_of
        from django_customer_history.backends.existing_rows import insert_statements
        from django_customer_history.capture.tracked_rows import tracked_rows

        (rows,) = tracked_rows(self.connection, models_wanted=[AuditedCustomer])
        backend = backend_of(self.connection)
        (statement,) = insert_statements(
            backend, rows.table, log=LOG, action="Baseline", rows="1 = 1", condition="1 = 1"
        )
        self._execute(statement)

    def made_by_bulk_create(self, entries):
        from django_customer_history.models import Entry

        Entry.objects.bulk_create(entries, batch_size=500)

    def entries(self):
        """Return the entries about customers."""
        from django_customer_history.models import Entry

        return list(Entry.objects.filter(entity_model="benchmarks.auditedcustomer"))


def baseline():
    from django.core.management import call_command

    call_command("history_baseline", verbosity=0, stdout=StringIO(), stderr=StringIO())


def imported():
    from django.core.management import call_command

    call_command("history_import_auditlog", verbosity=0, stdout=StringIO(), stderr=StringIO())


def fill_auditlog():
    """Let django-auditlog have an update of two fields for each customer."""
    from auditlog.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    from benchmarks.models import AuditedCustomer

    content_type = ContentType.objects.get_for_model(AuditedCustomer)
    LogEntry.objects.bulk_create(
        (
            LogEntry(
                content_type=content_type,
                object_pk=str(key),
                object_id=key,
                object_repr=name,
                action=LogEntry.Action.UPDATE,
                changes={"rate": ["1.00", "1.50"], "status": ["new", "active"]},
                timestamp=datetime(2026, 1, 1, tzinfo=UTC),
            )
            for key, name in AuditedCustomer.objects.values_list("pk", "name")
        ),
        batch_size=1_000,
    )


def measure(filling, name, work, alone, rounds):
    """Print microseconds of processor time a row, and the ratios; return that to the first bound.

    `alone` gets the entries that were written, and makes them again.
    """
    taken = []
    for number in range(rounds + 1):
        filling.empty()
        own = filling.clock.timed(work)
        entries = filling.entries()
        assert len(entries) == filling.count
        filling.keep()
        filling.empty()
        least = filling.clock.timed(partial(alone, entries))
        assert len(filling.entries()) == filling.count
        filling.empty()
        copied = filling.clock.timed(filling.copied)
        if number:  # The first round warms everything up.
            taken.append((*own, *least, *copied, own[1] / least[1], own[1] / copied[1]))
    *times, ratio, ratio_to_copy = map(statistics.median, zip(*taken, strict=True))
    walls, processors = (
        [f"{one * 1e6 / filling.count:.0f}" for one in times[start::2]] for start in (0, 1)
    )
    cells = [f"{mine} ({wall})" for wall, mine in zip(walls, processors, strict=True)]
    print(f"| {name} | {' | '.join(cells)} | {ratio:.1f} | {ratio_to_copy:.1f} |", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=float, help="The ratio that fails the run.")
    options = parser.parse_args()
    configure("auditlog")
    from django.db import connection

    own = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        filling = Filling(options.rows)
        fill_auditlog()
        print(f"{connection.display_name}, {options.rows} rows")
        print(
            "| \u00b5s of processor time a row (and of wall time) | own | made in the simplest way"
            " | copied | ratio | to the copy |"
        )
        print("|---|---|---|---|---|---|")
        ratios = [
            measure(filling, *about, options.rounds)
            for about in (
                ("history_baseline", baseline, lambda _entries: filling.made_by_one_statement()),
                ("history_import_auditlog", imported, filling.made_by_bulk_create),
            )
        ]
    finally:
        connection.creation.destroy_test_db(own, verbosity=0)
    if options.most and max(ratios) > options.most:
        sys.exit(f"An entry takes {max(ratios):.1f} times as long as by one statement.")


if __name__ == "__main__":
    main()
