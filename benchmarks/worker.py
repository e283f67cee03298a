"""The process of one package: it reads commands from its standard input.

Each line is a JSON object such as {"do": "operation", "name": "create"}. The answer is one line.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from types import ModuleType

import dj_database_url
import django

from benchmarks import SQLITE_PRAGMAS
from benchmarks.meters import Clock, Statements, analyze, bytes_of
from benchmarks.operations import OPERATIONS, Create, Save, Stage, block_of
from benchmarks.peers import peer_named
from benchmarks.peers.base import PAGE

APPS = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
)
SLOW = 2
"""Seconds."""
MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)


def configure(peer, url, directory):
    """Set Django up with one package, as its documentation says."""
    import pymysql

    pymysql.install_as_MySQLdb()
    name = os.environ["BENCHMARK_PEER"].replace(" ", "_").replace("-", "_")
    database = {**dj_database_url.parse(url), "CONN_MAX_AGE": None}
    if database["ENGINE"].endswith("sqlite3"):
        database["NAME"] = str(directory / f"{name}.sqlite3")
        database["TEST"] = {"NAME": database["NAME"]}
        database["OPTIONS"] = {
            "init_command": SQLITE_PRAGMAS,
            "transaction_mode": "IMMEDIATE",
        }
    else:
        database["TEST"] = {"NAME": f"benchmark_{name}"}
    # Creating tables from the models is faster. Only this package needs its migrations.
    unmigrated = {*APPS, "crm", *peer.apps} - {"django_customer_history"}
    # A module, as in a project: without one, reading a setting takes longer.
    module = ModuleType("benchmark_settings")
    vars(module).update(
        {
            "DATABASES": {"default": database},
            "INSTALLED_APPS": [*APPS, *peer.apps, "benchmarks.crm"],
            "MIDDLEWARE": [*MIDDLEWARE, *peer.middleware],
            "MIGRATION_MODULES": {app.rpartition(".")[2]: None for app in unmigrated},
            "ROOT_URLCONF": "benchmarks.crm.urls",
            "ALLOWED_HOSTS": ["*"],
            "SECRET_KEY": "of the benchmark only",
            "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
            "USE_TZ": True,
            "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
            **peer.settings,
        }
    )
    sys.modules[module.__name__] = module
    os.environ["DJANGO_SETTINGS_MODULE"] = module.__name__
    django.setup()


class Worker:
    def __init__(self, peer, rows):
        from django.db import connection

        self.connection, self.peer = connection, peer
        peer.begin()
        self.stage = self._stage(rows)
        self.clock = Clock(connection)
        self.answers = {
            "operation": self.operation,
            "bytes": self.bytes,
            "statements": self.statements,
            "pages": self.pages,
        }

    def _stage(self, rows):
        from django.contrib.auth import get_user_model
        from django.contrib.sessions.backends.db import SessionStore

        from benchmarks.crm.models import Customer

        user = get_user_model().objects.create_user("ann", "ann@example.com", "secret")
        session = SessionStore()
        session["_auth_user_id"] = str(user.pk)
        session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
        session["_auth_user_hash"] = user.get_session_auth_hash()
        session.save()
        names = [f"customer {number}" for number in range(rows)]
        keys = [Customer.objects.create(name=name).pk for name in names]
        return Stage(peer=self.peer, user=user, session=session.session_key, rows=rows, keys=keys)

    def operation(self, name):
        """Run an operation; return its times, and how much of it was captured."""
        from benchmarks.crm.models import Customer

        operation = OPERATIONS[name](stage=self.stage)
        with self.peer.acting(self.stage.user):
            operation.prepare()
        analyze(self.connection, Customer)
        mark, before = self.peer.mark(), self._logged()
        with block_of(operation):
            wall, processor = self.clock.timed(operation.run)
        self.peer.check(operation.expected(), mark)
        return {
            "wall": wall,
            "processor": processor,
            "captured": self._logged() - before,
            "expected": sum(operation.expected().values()),
        }

    def bytes(self, count):
        """Return by operation the number of new entries and their bytes with indexes."""
        tables = [model._meta.db_table for model in self.peer.storage()]
        found = {}
        for operation_class in (Save, Create):
            before, logged = bytes_of(self.connection, tables), self._logged()
            for _ in range(max(count // self.stage.rows, 1)):
                self.operation(operation_class.name)
            logged = self._logged() - logged
            grown = bytes_of(self.connection, tables) - before
            found[operation_class.name] = {"entries": logged, "bytes": grown}
        return found

    def statements(self):
        """Return the statements of ten saves: in a transaction that has written, in autocommit."""
        from django.db import transaction

        rows = self.stage.customers()[:10]
        found = {}
        with self.peer.acting(self.stage.user), transaction.atomic():
            rows[0].save()
            found["in a transaction"] = self._sent_by(rows)
        with self.peer.acting(self.stage.user):
            found["in autocommit"] = self._sent_by(rows)
        return found

    def _sent_by(self, rows):
        with Statements().counted(self.connection) as statements:
            for row in rows:
                row.rate, row.status = self.stage.next_values()
                with self.peer.unit(self.stage.user):
                    row.save()
        return statements.count

    def pages(self, entries, of_the_customer, deep, rounds):
        """Return the median milliseconds and the statements of the first and of a deep page."""
        from django.test.utils import CaptureQueriesContext

        from benchmarks.crm.models import Customer

        customer, *others = Customer.objects.order_by("pk")[:501]
        self.peer.fill(customer, others, entries, of_the_customer)
        analyze(self.connection, *self.peer.storage())
        customer.refresh_from_db()
        found = {}
        for name, skipped in (("first", 0), ("deep", deep)):
            read = self.peer.page(customer, skipped)
            with CaptureQueriesContext(self.connection) as captured:
                start = time.perf_counter()
                rows = read()
                first = time.perf_counter() - start
            if len(rows) < PAGE:
                raise AssertionError(f"A page of {len(rows)} rows.")
            # A page that takes seconds is read only once.
            times = [first] if first > SLOW else [_seconds(read) for _ in range(rounds)]
            found[name] = {
                "milliseconds": statistics.median(times) * 1e3,
                "statements": len(captured),
            }
        return found

    def _logged(self):
        return sum(model._default_manager.count() for model in self.peer.log())


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main(url, directory, rows):
    peer = peer_named(os.environ["BENCHMARK_PEER"])
    configure(peer, url, Path(directory))
    from django.db import connection

    # Whatever a package prints must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    old_name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        worker = Worker(peer, int(rows))
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            answer = worker.answers[order.pop("do")](**order)
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        connection.creation.destroy_test_db(old_name, verbosity=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
