"""`python -m benchmarks.writing`: create, save, bulk_create and update(), plain and audited.

`DATABASE_URL` names the database server; tables are made in a test database and removed. The two
tables take turns within each round, and the figure is the median of the ratios of all rounds.
"""

import argparse
import os
import statistics
import time

import dj_database_url
import django
from django.conf import settings

from benchmarks import SQLITE_PRAGMAS


def configure(*apps):
    """Set Django up with this package and the benchmark's models only, and some more apps."""
    import pymysql

    pymysql.install_as_MySQLdb()
    url = os.environ.get("DATABASE_URL", "sqlite:///benchmark.sqlite3")
    settings.configure(
        DATABASES={"default": dj_database_url.parse(url)},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "benchmarks",
            "django_customer_history",
            *apps,
        ],
        USE_TZ=True,
        SECRET_KEY="of the benchmark only",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SILENCED_SYSTEM_CHECKS=["customer_history.W001"],
    )
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        settings.DATABASES["default"]["TEST"] = {"NAME": "benchmark-test.sqlite3"}
        settings.DATABASES["default"]["OPTIONS"] = {"init_command": SQLITE_PRAGMAS}
    django.setup()


class Operations:
    """Operations on one model."""

    def __init__(self, model, count):
        self.model, self.count = model, count
        self.model.objects.bulk_create([model(name=f"c{n}") for n in range(count)])
        self.keys = list(self.model.objects.values_list("pk", flat=True)[:count])
        self.turn = 0

    def create(self):
        from django.db import transaction

        with transaction.atomic():
            for number in range(self.count):
                self.model.objects.create(name=f"new {number}")

    def save_two_fields(self):
        from django.db import transaction

        self.turn += 1
        rows = list(self.model.objects.filter(pk__in=self.keys))
        with transaction.atomic():
            for row in rows:
                row.rate, row.status = f"{self.turn}.50", f"status {self.turn}"
                row.save()

    def save_in_autocommit(self):
        self.turn += 1
        for row in self.model.objects.filter(pk__in=self.keys):
            row.rate, row.status = f"{self.turn}.50", f"status {self.turn}"
            row.save()

    def bulk_create(self):
        self.model.objects.bulk_create([self.model(name=f"b{n}") for n in range(self.count * 5)])

    def update(self):
        self.turn += 1
        rows = self.model.objects.filter(pk__in=self.keys)
        rows.update(rate=f"{self.turn}.50", status=f"status {self.turn}")


OPERATIONS = ("create", "save_two_fields", "save_in_autocommit", "bulk_create", "update")


def measure(rounds, count, names=OPERATIONS, clock=time.perf_counter):
    """Return for each operation the median plain time, audited time and ratio."""
    from benchmarks.models import AuditedCustomer, PlainCustomer

    plain, audited = Operations(PlainCustomer, count), Operations(AuditedCustomer, count)
    figures = {}
    for name in names:
        taken = []
        for number in range(rounds + 1):
            order = (False, True) if number % 2 else (True, False)
            seconds = {
                kept: _timed(audited if kept else plain, name, clock, kept=kept) for kept in order
            }
            taken.append((seconds[False], seconds[True], seconds[True] / seconds[False]))
        figures[name] = [statistics.median(column) for column in zip(*taken[1:], strict=True)]
    return figures


def _timed(operations, name, clock, *, kept):
    from django.db import connection

    from django_customer_history import history
    from django_customer_history.context.resolved import NamedUser

    wrappers = connection.execute_wrappers[:]
    if not kept:
        connection.execute_wrappers.clear()
    try:
        with history.acting(
            user=NamedUser(id="7", label="ann"), source="web", ip_address="203.0.113.9"
        ):
            start = clock()
            getattr(operations, name)()
            return clock() - start
    finally:
        connection.execute_wrappers[:] = wrappers


def main():
    """Print a table of the figures, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    configure()
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        print(f"| {connection.vendor} | plain ms | audited ms | ratio |\n|---|---|---|---|")
        for work, (plain, audited, ratio) in measure(options.rounds, options.count).items():
            print(f"| {work} | {plain * 1e3:.1f} | {audited * 1e3:.1f} | {ratio:.2f} |")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
