"""A shipper that is killed at random while others write: each entry is in the target once."""

import os
import random
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection, transaction

from django_customer_history.models import Entry
from tests.projects.crm.models import Tag

KILLS = int(os.environ.get("TEST_KILLS", "5"))
"""For each target. More of them take longer and find more."""
WRITERS = 4


@pytest.fixture
def writers(shared_database):
    """Write in several threads: short and long transactions, and some that are rolled back."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time.")
    stop = threading.Event()
    threads = [threading.Thread(target=_write, args=(stop, number)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    yield stop
    stop.set()
    for thread in threads:
        thread.join()


def _write(stop, number):
    try:
        at = 0
        while not stop.wait(0.01):
            at += 1
            with transaction.atomic():
                Tag.objects.create(name=f"{number}.{at}")
                time.sleep(0.3 if at % 20 == 0 else 0)
                Tag.objects.create(name=f"{number}.{at}.2")
                transaction.set_rollback(at % 5 == 0)
    finally:
        connection.close()


def start(url, database, *options):
    command = [sys.executable, "-m", "django", "history_ship", url, "--batch-size=20", *options]
    variables = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database,
    }
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
class TestKilled:
    def test_each_entry_once(self, writers, shared_database, target):
        url, read = target
        for _ in range(KILLS):
            shipper = start(url, shared_database, "--interval=0.2")
            time.sleep(random.uniform(0.5, 4.0))
            shipper.kill()
            shipper.communicate()
        writers.set()
        time.sleep(1)
        last = start(url, shared_database, "--until-settled", "--interval=5")
        _, errors = last.communicate(timeout=120)
        assert last.returncode == 0, errors.decode()
        expected = list(map(str, Entry.objects.order_by("id").values_list("id", flat=True)))
        assert [entry["id"] for entry in read()] == expected
        assert len(expected) > 100
