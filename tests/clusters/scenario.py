"""What the tests run in a process of its own: writers on all nodes; it prints the logs as JSON.

`TEST_CLUSTER` names the cluster. The argument says what happens meanwhile: `nothing`, or the third
node is killed and joins again, with the data that it has (`killed`) or with none (`emptied`).
"""

import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.clusters.settings"
django.setup()

import pymysql  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import InterfaceError, OperationalError, connections, transaction  # noqa: E402
from django.db.models import F  # noqa: E402

from django_customer_history import history  # noqa: E402
from django_customer_history.context.resolved import NamedUser  # noqa: E402
from django_customer_history.models import Entry  # noqa: E402
from tests.clusters.settings import ALIASES, CLUSTER, NAME  # noqa: E402
from tests.projects.crm.models import Customer  # noqa: E402

WRITERS_PER_NODE = 2
SHARED_ROWS = 3
WRITES = 60
"""Of each writer, where nothing happens meanwhile."""
SESSION_IS_STUCK = 20
"""Conflicts in a row."""


class Writer:
    """A user who writes through one node, and keeps account of what came of each write."""

    def __init__(self, alias, number):
        self.alias = alias
        self.user = NamedUser(id=f"{alias}-{number}", label=f"user {number} of {alias}")
        self.written, self.unknown, self.conflicts = [], [], 0

    def run(self, keys, goes_on):
        own = self.retried(self.create)
        for number in count():
            if not goes_on(number):
                break
            key = own if number % 4 == 0 and own else keys[number % len(keys)]
            token = f"{self.user.id} {number}"
            write = self.in_one_statement if number % 2 else self.in_two_statements
            if self.retried(lambda write=write, key=key, token=token: write(key, token), token):
                self.written.append(token)
        connections.close_all()

    def retried(self, write, token=None):
        """Write until no other transaction wins; return None if the connection broke."""
        for attempt in count(1):
            try:
                with history.acting(user=self.user, source="task"):
                    return write()
            except (OperationalError, InterfaceError) as error:
                if error.args[0] in CLUSTER.conflicts:
                    self.conflicts += 1
                    time.sleep(0.01)
                    # The server may answer each SET of a session that lost with the same error.
                    if attempt % SESSION_IS_STUCK == 0:
                        connections[self.alias].close()
                elif error.args[0] in CLUSTER.not_ready:
                    time.sleep(0.2)
                else:
                    # The node is gone. Nobody knows whether it had committed.
                    self.unknown.append(token)
                    connections[self.alias].close()
                    time.sleep(0.5)
                    break
        return None

    def create(self):
        return Customer.objects.using(self.alias).create(name="", rate=0).pk

    def in_one_statement(self, key, token):
        rows = Customer.objects.using(self.alias).filter(pk=key)
        return rows.update(rate=F("rate") + 1, name=token)

    def in_two_statements(self, key, token):
        rows = Customer.objects.using(self.alias).filter(pk=key)
        with transaction.atomic(using=self.alias):
            rows.update(rate=F("rate") + 1)
            return rows.update(name=token)


def make_database():
    server = settings.DATABASES["default"]
    with (
        pymysql.connect(
            host=server["HOST"],
            port=int(server["PORT"]),
            user=server["USER"],
            password=server["PASSWORD"],
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME}")
        cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
    call_command("migrate", verbosity=0)


def everybody_writes(meanwhile):
    keys = [Customer.objects.create(name="", rate=0).pk for _ in range(SHARED_ROWS)]
    for alias in ALIASES:
        wait_until_caught_up(alias)
    writers = [Writer(alias, number) for alias in ALIASES for number in range(WRITERS_PER_NODE)]
    ended = threading.Event()

    def goes_on(number):
        return number < WRITES if meanwhile is None else not ended.is_set()

    with ThreadPoolExecutor(len(writers)) as pool:
        runs = [pool.submit(writer.run, keys, goes_on) for writer in writers]
        if meanwhile is not None:
            try:
                meanwhile(writers)
            finally:
                ended.set()
    for run in runs:
        run.result()
    return writers


def kill_and_start(writers, *, forget):
    """Kill the third node and let it join again, and wait for a few writes in between."""
    node = CLUSTER.nodes[2]
    some_writes(writers)
    CLUSTER.end(node, signal.SIGKILL)
    some_writes([one for one in writers if one.alias != "node3"])
    if forget:
        CLUSTER.forget(node)
    CLUSTER.start_node(node)
    some_writes(writers)


def some_writes(writers):
    """Wait until each of the writers has written ten times more."""
    goals = [len(writer.written) + 10 for writer in writers]
    deadline = time.monotonic() + 120
    while any(len(one.written) < goal for one, goal in zip(writers, goals, strict=True)):
        assert time.monotonic() < deadline, "the writers do not go on"
        time.sleep(0.1)


def wait_until_caught_up(alias):
    """Wait until a node has applied all that the others have committed."""
    connections[alias].close()  # A connection from before the node was killed is of no use.
    with connections[alias].cursor() as cursor:
        cursor.execute(CLUSTER.catch_up)
        cursor.execute("SELECT COUNT(*) FROM django_migrations")


def state_of(alias):
    """Return the whole log and all customers as a node has them."""
    wait_until_caught_up(alias)
    entries = Entry.objects.using(alias).order_by("id")
    columns = ("kind", "entity_id", "subject_id", "user_id", "user_label", "source", "changes")
    return {
        "entries": [
            [str(entry.id), *(getattr(entry, column) for column in columns)] for entry in entries
        ],
        "customers": [
            [str(key), name, str(rate)]
            for key, name, rate in Customer.objects.using(alias)
            .order_by("pk")
            .values_list("pk", "name", "rate")
        ],
        "pages": pages_of(alias),
    }


def pages_of(alias, size=50):
    """Return the keys of the log, newest first, read page by page as a reader does."""
    keys, last = [], None
    while True:
        rest = Entry.objects.using(alias).order_by("-id")
        page = list(
            (rest.filter(id__lt=last) if last else rest).values_list("id", flat=True)[:size]
        )
        if not page:
            return keys
        keys += map(str, page)
        last = page[-1]


MEANWHILE = {
    "nothing": None,
    "killed": lambda writers: kill_and_start(writers, forget=False),
    "emptied": lambda writers: kill_and_start(writers, forget=True),
}


def main(what):
    make_database()
    writers = everybody_writes(MEANWHILE[what])
    seen = {
        "nodes": {alias: state_of(alias) for alias in ALIASES},
        "written": {one.user.id: one.written for one in writers},
        "unknown": [token for one in writers for token in one.unknown],
        "conflicts": sum(one.conflicts for one in writers),
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
