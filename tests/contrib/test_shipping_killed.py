"""Shippers and targets that are killed while others write: each entry is in the target once."""

import os
import random
import time

import pytest
from django.db import connection

from django_customer_history.models import Entry
from tests.commands import start
from tests.contrib import shipped
from tests.contrib.servers import nats_server, redis_server
from tests.extras import needs
from tests.writers import writing

KILLS = int(os.environ.get("TEST_KILLS", "3"))
"""For each target. More of them take longer and find more."""
WRITERS = 16

pytestmark = pytest.mark.slow


@pytest.fixture
def writers(shared_database):
    """Write in several threads: short and long transactions, and some that are rolled back."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time.")
    with writing(WRITERS) as stop:
        yield stop


def ship(url, database, *options):
    return start(database, "django", "history_ship", url, "--batch-size=20", *options)


def check_all_shipped(url, database, read):
    """Ship the rest; compare what the target has with the log."""
    last = ship(url, database, "--until-settled", "--interval=5", "--batch-size=1000")
    _, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors.decode()
    expected = list(map(str, Entry.objects.order_by("id").values_list("id", flat=True)))
    assert [entry["id"] for entry in read()] == expected
    assert len(expected) > 100


class TestKilledShipper:
    def test_each_entry_once(self, writers, shared_database, target):
        url, read = target
        for _ in range(KILLS):
            shipper = ship(url, shared_database, "--interval=0.2")
            time.sleep(random.uniform(0.5, 4.0))
            shipper.kill()
            shipper.communicate()
        writers.set()
        time.sleep(1)
        check_all_shipped(url, shared_database, read)


class TestKilledTarget:
    @pytest.mark.parametrize(
        ("server_of", "read"),
        [
            pytest.param(redis_server, shipped.of_redis, marks=needs("redis"), id="redis"),
            pytest.param(nats_server, shipped.of_nats, marks=needs("nats"), id="nats"),
        ],
    )
    def test_each_entry_once(self, writers, shared_database, tmp_path, server_of, read):
        with server_of(tmp_path) as (server, url):
            for _ in range(KILLS):
                shipper = ship(url, shared_database, "--interval=0.2")
                time.sleep(random.uniform(1.5, 3.0))
                server.kill()
                _, errors = shipper.communicate(timeout=60)
                assert shipper.returncode != 0
                assert b"Nothing is lost" in errors
                server.start()
            writers.set()
            time.sleep(1)
            check_all_shipped(url, shared_database, lambda: read(url))
