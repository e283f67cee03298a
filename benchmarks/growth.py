"""`python -m benchmarks.growth`: the cost of writing and reading as the log grows, on PostgreSQL.

SQL fills the log with copies of real entries, one every three seconds, to each of `--steps` entries
over `--customers` customers. At each step one customer has 5,000 of them, distributed over the
whole time. The table shows each figure and its ratio to the first step. The program ends with
status 1 if a page scans the log, or if a ratio is above `--most`.
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks.meters import Clock
from benchmarks.reading import PAGE, CommandReader, cursor_after
from benchmarks.writing import configure

OF_THE_CUSTOMER = 5_000
EVERY = timedelta(seconds=3)
SAVES = 100
LONG = 5_000_000
"""From this number of entries on, a plan that scans is wrong. A shorter log may be scanned."""
LOG = "customer_history_entry"

# A UUIDv7 for each timestamp, made in the same way as in the triggers.
FILL = f"""
INSERT INTO {LOG} SELECT
  encode(overlay(uuid_send(gen_random_uuid()) placing int8send(
    (microsecond / 1000 << 16) | 28672 | (microsecond %% 1000 * 4096 / 1000)) from 1), 'hex')::uuid,
  moment, kind, action, subject_model, owner::text, entity_model, owner::text, entity_label,
  changes, (n %% 200)::text, 'user ' || n %% 200, source, ip_address, request_id, context
FROM (SELECT n, moment, (extract(epoch from moment) * 1000000)::bigint AS microsecond,
    {{owner}} AS owner
  FROM (SELECT n, %(start)s::timestamptz + n * %(every)s::interval AS moment
    FROM generate_series(%(first)s::bigint, %(last)s) AS n) AS moments) AS numbered
JOIN pattern ON pattern.number = n %% (SELECT count(*) FROM pattern)
"""
ANYBODY = "%(lowest)s + (n * 7919) %% %(customers)s"
ONE = "%(customer)s::bigint"


@dataclass
class Step:
    """The figures at one length of the log: name to milliseconds."""

    entries: int
    figures: dict = field(default_factory=dict)
    scans: list = field(default_factory=list)


class Growth:
    """A log that grows, and the operations that are measured at each step."""

    def __init__(self, customers, longest):
        from django.db import connection

        from benchmarks.models import AuditedCustomer, PlainCustomer

        self.connection, self.clock = connection, Clock(connection)
        self.model, self.plain = AuditedCustomer, PlainCustomer
        for model in (PlainCustomer, AuditedCustomer):
            model.objects.bulk_create(
                (model(name=f"customer {number}") for number in range(customers)), batch_size=5_000
            )
        self.keys = list(self.model.objects.order_by("pk").values_list("pk", flat=True))
        self.filled = 0
        # All entries are in the past, because an export ends with the time at which it began.
        self.start = datetime.now(tz=UTC) - EVERY * longest - timedelta(days=1)
        self._keep_patterns()

    def _keep_patterns(self):
        """Keep the entries of real creations and saves, to be repeated."""
        from django_customer_history import history
        from django_customer_history.context.resolved import NamedUser

        with history.acting(
            user=NamedUser(id="7", label="ann"), source="web", ip_address="203.0.113.9"
        ):
            for number in range(90):
                row = self.model.objects.create(name=f"new {number}")
                for turn in range(9):
                    row.rate, row.status = f"{turn}.50", f"status {turn}"
                    row.save()
        self._execute(
            f"CREATE TABLE pattern AS SELECT row_number() OVER (ORDER BY id) - 1 AS number, *"
            f" FROM (SELECT * FROM {LOG} WHERE user_id = '7' ORDER BY id DESC LIMIT 900) AS newest"
        )
        self._execute("CREATE UNIQUE INDEX ON pattern (number)")

    def _execute(self, sql, parameters=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else None

    def grow(self, entries, number):
        """Fill the log up to a length; return the customer with 5,000 entries."""
        customer = self.model.objects.get(pk=self.keys[number])
        parameters = {"start": self.start, "lowest": self.keys[1_000 % len(self.keys)]}
        parameters |= {"customers": len(self.keys) // 2, "customer": customer.pk}
        # After a long load it is faster to create the indexes again.
        indexes = self._execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s"
            " AND indexname LIKE 'customer_history_%%' AND indexname NOT LIKE '%%pkey'",
            [LOG],
        )
        for name, _ in indexes:
            self._execute(f'DROP INDEX "{name}"')
        new = entries - self.filled - OF_THE_CUSTOMER
        self._execute(
            FILL.format(owner=ANYBODY),
            {**parameters, "first": self.filled, "last": self.filled + new - 1, "every": EVERY},
        )
        span = EVERY * entries / OF_THE_CUSTOMER
        self._execute(
            FILL.format(owner=ONE),
            {**parameters, "first": 0, "last": OF_THE_CUSTOMER - 1, "every": span},
        )
        for _, sql in indexes:
            self._execute(sql)
        self.filled = entries
        self._execute(f"VACUUM ANALYZE {LOG}")
        return customer

    def measure(self, customer, *, rounds):
        """Return the milliseconds of each operation."""
        step = Step(self.filled)
        for name, work in self._operations(customer).items():
            step.figures[name] = self._median(work, rounds)
            if name != "write" and self.filled >= LONG:
                step.scans += [f"{name}: {line}" for line in self._scans(work)]
        return step

    def _operations(self, customer):
        from django_customer_history.export.streaming import start_export
        from django_customer_history.reading.facets import facets, menu_facets
        from django_customer_history.reading.timeline import Timeline

        one = Timeline.of_subject(CommandReader(), self.model, customer.pk)
        everything = Timeline.of_everything(CommandReader())
        latest = self.start + EVERY * self.filled
        middle = self.start + EVERY * self.filled / 2
        filters = {
            "from and to": {"from_": middle, "to": middle + timedelta(days=30)},
            "user": {"user": "3"},
            "kind": {"kind": "create"},
            "action": {"action": "Update"},
            "entity": {"entity": self.model._meta.label_lower},
            "field": {"field": "rate"},
            "source": {"source": "web"},
            "IP address": {"ip_address": "203.0.113.9"},
            "text": {"q": "status 4"},
            "every user but one": {"not_user": "3"},
        }

        def page(timeline, **options):
            timeline.page(limit=PAGE, **options)

        last_week = everything.filtered(user="3", from_=latest - timedelta(days=7))
        operations = {
            "write": partial(self._save, self.model),
            "first page": partial(page, one),
            "page at the 4,000th entry": partial(page, one, cursor=cursor_after(one, 4_000)),
        }
        for name, asked in filters.items():
            operations[f"a customer, {name}"] = partial(page, one.filtered(**asked))
        for name in ("from and to", "user", "kind", "field", "source"):
            operations[f"all, {name}"] = partial(page, everything.filtered(**filters[name]))
        return operations | {
            "all by one user last week": partial(page, last_week),
            "all, an IP address without entries": partial(
                page, everything.filtered(ip_address="198.51.100.1")
            ),
            "facets of a customer": partial(facets, one),
            "facets of all": partial(facets, everything),
            "menus of a customer": partial(menu_facets, one),
            "menus of all": partial(menu_facets, everything),
            "CSV of a customer": lambda: sum(map(len, start_export(one, format_name="csv"))),
        }

    def _save(self, model):
        from django.db import transaction

        rows = list(model.objects.filter(pk__in=self.keys[-SAVES:]))
        with transaction.atomic():
            for row in rows:
                row.rate, row.status = f"{time.monotonic():.2f}"[-6:], f"{time.monotonic_ns()}"
                row.save()

    def _median(self, work, rounds):
        # Processor time of this process and of its server process. Other processes do not count.
        work()
        return statistics.median(self.clock.timed(work)[1] * 1e3 for _ in range(rounds))

    def _scans(self, work):
        """Return the lines of the plans that read the log without an index."""
        sent = []

        def keep(execute, sql, params, many, context):
            if LOG in sql and sql.startswith("SELECT"):
                sent.append((sql, params))
            return execute(sql, params, many, context)

        with self.connection.execute_wrapper(keep):
            work()
        for sql, params in sent:
            for (line,) in self._execute(f"EXPLAIN {sql}", params):
                if f"Seq Scan on {LOG}" in line:
                    yield line.strip()


def report(steps):
    """Return the table in Markdown: milliseconds, and the ratio to the first step."""
    first = steps[0].figures
    heads = [f"{step.entries:,}" for step in steps]
    lines = [f"| processor time, ms | {' | '.join(heads)} |", "|---" * (len(steps) + 1) + "|"]
    for name in first:
        cells = [f"{first[name]:.1f}"]
        cells += [
            f"{step.figures[name]:.1f} ({step.figures[name] / first[name]:.2f}x)"
            for step in steps[1:]
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def failures(steps, most):
    """Return the scans, and the figures that grew by more than `most`."""
    found = [f"{step.entries:,} entries: {scan}" for step in steps for scan in step.scans]
    first = steps[0].figures
    found += [
        f"{step.entries:,} entries: {name} takes {value / first[name]:.2f} times as long"
        for step in steps[1:]
        for name, value in step.figures.items()
        if value / first[name] > most
    ]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--most", type=float, default=1.5, help="The ratio that fails the run.")
    parser.add_argument("--json", type=Path, help="A file for the figures.")
    options = parser.parse_args()
    os.environ.setdefault("DATABASE_URL", "postgres://postgres@127.0.0.1/postgres")
    configure()
    from django.db import connection

    if connection.vendor != "postgresql":
        sys.exit("This benchmark needs PostgreSQL. Name a server in DATABASE_URL.")
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    steps = []
    try:
        growth = Growth(options.customers, max(options.steps))
        for number, entries in enumerate(options.steps):
            customer = growth.grow(entries, number)
            print(f"{entries:,} entries", file=sys.stderr, flush=True)
            steps.append(growth.measure(customer, rounds=options.rounds))
            print(report(steps), flush=True)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
    if options.json:
        options.json.write_text(json.dumps([vars(step) for step in steps], indent=1))
    if found := failures(steps, options.most):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
