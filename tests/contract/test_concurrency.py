"""Concurrent writers: old values are in the true sequence, and users are not mixed up."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.db.models import F

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.models import Entry
from tests.extras import skip_missing
from tests.projects.crm.models import Code, Customer

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, WRITES, ROWS = 8, 2_000, 50


@pytest.fixture
def several_connections():
    if connection.vendor == "sqlite":
        pytest.skip("an SQLite database in memory has one connection, so one writer")


def in_threads(work):
    def run(number):
        try:
            work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(run, range(WRITERS)))


class TestOldValues:
    @pytest.mark.slow
    def test_old_values_are_in_sequence(self, several_connections):
        Customer.objects.bulk_create([Customer(name="c", rate=0) for _ in range(ROWS)])
        keys = list(Customer.objects.filter(name="c").values_list("pk", flat=True))

        def write(number):
            for count in range(WRITES):
                key = keys[(number * 7 + count * 13) % ROWS]
                Customer.objects.filter(pk=key).update(rate=F("rate") + 1)

        in_threads(write)
        total = 0
        for key in keys:
            entries = Entry.objects.of_entity(Customer, key).filter(kind="update").order_by("id")
            pairs = [entry.changes["rate"] for entry in entries]
            assert pairs[0][0] == "0.00"
            assert all(one[1] == other[0] for one, other in pairwise(pairs))
            total += len(pairs)
        assert total == WRITERS * WRITES

    def test_transaction_waits_for_a_row(self, several_connections):
        Code.objects.create(code="k", text="0")
        first_wrote, second_waits = threading.Event(), threading.Event()

        def first():
            with transaction.atomic():
                Code.objects.update(text="1")
                first_wrote.set()
                second_waits.wait(5)
                time.sleep(0.2)
            connection.close()

        def second():
            first_wrote.wait(5)
            second_waits.set()
            Code.objects.update(text="2")
            connection.close()

        threads = [threading.Thread(target=work) for work in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        entries = Entry.objects.of_entity(Code, "k").filter(kind="update").order_by("id")
        assert [entry.changes["text"] for entry in entries] == [["0", "1"], ["1", "2"]]


def check_users(customers):
    for number, customer in enumerate(customers):
        entries = Entry.objects.of_entity(Customer, customer.pk).filter(kind="update")
        assert set(entries.values_list("user_label", flat=True)) == {f"user {number}"}
        assert entries.count() == 30


def write_as(number, customer):
    with history.acting(user=NamedUser(id=str(number), label=f"user {number}"), source="task"):
        for count in range(10):
            Customer.objects.filter(pk=customer.pk).update(name=f"{count}")
            with transaction.atomic():
                Customer.objects.filter(pk=customer.pk).update(name=f"{count} in a transaction")
                Customer.objects.filter(pk=customer.pk).update(rate=count + 1)


@pytest.fixture
def pgbouncer(several_connections):
    """Connect through PgBouncer in transaction mode, with two connections to the server."""
    program = shutil.which("pgbouncer")
    if connection.vendor != "postgresql":
        pytest.skip("PgBouncer works with PostgreSQL alone")
    if program is None:
        skip_missing("the program pgbouncer")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = connection.settings_dict
    name, host = server["NAME"], server["HOST"] or "127.0.0.1"
    original = {key: server[key] for key in ("HOST", "PORT", "DISABLE_SERVER_SIDE_CURSORS")}
    # PgBouncer refuses to run as root: the folder must be one that anybody may read.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        (path / "users.txt").write_text(f'"{server["USER"]}" "{server["PASSWORD"]}"\n')
        (path / "pgbouncer.ini").write_text(
            f"[databases]\n{name} = host={host} port={server['PORT'] or 5432} dbname={name}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\n"
            f"auth_file = {path / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = 2\n"
            "unix_socket_dir =\nignore_startup_parameters = extra_float_digits,options\n"
        )
        as_nobody = ["--user=nobody"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [program, "--quiet", *as_nobody, str(path / "pgbouncer.ini")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        connection.close()
        try:
            wait_for(port)
            server.update(HOST="127.0.0.1", PORT=str(port), DISABLE_SERVER_SIDE_CURSORS=True)
            yield
        finally:
            connection.close()
            server.update(original)
            process.terminate()
            process.wait(10)
            wait_until_closed(name)


def wait_until_closed(name):
    """Wait until the server has closed the connections of the pooler."""
    for _ in range(100):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name])
            if cursor.fetchone()[0] == 1:
                return
        time.sleep(0.05)


def wait_for(port):
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("pgbouncer did not start")


class TestUsers:
    def test_asynchronous_tasks(self):
        customers = [Customer.objects.create(name=f"c{number}") for number in range(8)]

        def write(number):
            try:
                write_as(number, customers[number])
            finally:
                connections.close_all()

        async def write_all():
            await asyncio.gather(*(sync_to_async(write)(number) for number in range(8)))

        asyncio.run(write_all())
        check_users(customers)

    def test_threads_share_a_pool(self, several_connections):
        customers = [Customer.objects.create(name=f"c{number}") for number in range(8)]
        settings_dict = connection.settings_dict
        options = settings_dict["OPTIONS"]
        if connection.vendor == "postgresql":
            connection.close()
            settings_dict["OPTIONS"] = {**options, "pool": {"min_size": 2, "max_size": 3}}
            settings_dict["CONN_MAX_AGE"] = 0
        try:
            in_threads(lambda number: write_as(number, customers[number]))
        finally:
            if connection.vendor == "postgresql":
                connection.close()
                connection.close_pool()
            settings_dict["OPTIONS"] = options
        check_users(customers)

    def test_pooler_in_transaction_mode(self, pgbouncer):
        customers = [Customer.objects.create(name=f"c{number}") for number in range(8)]
        in_threads(lambda number: write_as(number, customers[number]))
        Customer.objects.update(name="by nobody")
        check_users_except_last(customers)


def check_users_except_last(customers):
    last = Entry.objects.filter(kind="update").order_by("-id")[: len(customers)]
    assert {entry.user_label for entry in last} == {None}
    for number, customer in enumerate(customers):
        entries = Entry.objects.of_entity(Customer, customer.pk).filter(kind="update")
        labels = list(entries.newest_first().values_list("user_label", flat=True))
        assert labels == [None] + [f"user {number}"] * 30
