"""PostgreSQL's own record of what was committed, as the oracle of what is shipped."""

import json
import random
import time

import pytest
from django.db import connection

from tests.commands import start
from tests.extras import skip_missing
from tests.servers.own_postgresql import create, folders, started

WRITERS, SECONDS = "16", "12"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL decodes its log."),
]


@pytest.fixture
def server():
    """Yield the URL of a server that decodes its write-ahead log."""
    with folders("decoding") as (folder,):
        create(folder)
        with started(folder, ["wal_level=logical"]) as port:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"


def run(database, *command):
    process = start(database, *command)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def allow_plugin(cursor):
    """Let the server decode with wal2json; newer servers ask for that."""
    cursor.execute("SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries'")
    for (setting,) in cursor.fetchall():
        names = ", ".join(f"'{one.strip()}'" for one in [*setting.split(","), "wal2json"] if one)
        cursor.execute(f"ALTER SYSTEM SET output_plugin_libraries = {names}")
        cursor.execute("SELECT pg_reload_conf()")
        time.sleep(0.5)


def committed_entries(cursor):
    """Return the ids of the entries that the server has committed since the slot was created."""
    cursor.execute(
        "SELECT data FROM pg_logical_slot_get_changes('oracle', NULL, NULL, 'format-version', '2',"
        " 'add-tables', 'public.customer_history_entry')"
    )
    changes = [json.loads(data) for (data,) in cursor.fetchall()]
    return [
        next(one["value"] for one in change["columns"] if one["name"] == "id")
        for change in changes
        if change["action"] == "I"
    ]


class TestOracle:
    def test_shipped_is_what_was_committed(self, server, tmp_path):
        import psycopg  # noqa: PLC0415 - an optional package

        run(server, "django", "migrate", "--verbosity=0")
        file = tmp_path / "shipped"
        with psycopg.connect(server, autocommit=True) as session:
            cursor = session.cursor()
            allow_plugin(cursor)
            try:
                cursor.execute("SELECT pg_create_logical_replication_slot('oracle', 'wal2json')")
            except psycopg.errors.UndefinedFile:
                skip_missing("the plug-in wal2json of PostgreSQL")
            cursor.execute("SELECT id::text FROM customer_history_entry")
            before = {key for (key,) in cursor.fetchall()}
            writers = start(server, "tests.writers", SECONDS, WRITERS)
            while writers.poll() is None:
                shipper = start(server, "django", "history_ship", f"file:{file}", "--interval=0.2")
                time.sleep(random.uniform(1.0, 4.0))
                shipper.kill()
                shipper.communicate()
            _, errors = writers.communicate()
            assert writers.returncode == 0, errors.decode()
            time.sleep(0.5)
            run(server, "django", "history_ship", f"file:{file}", "--until-settled")
            committed = committed_entries(cursor)
        shipped = [json.loads(line)["id"] for line in file.read_text().splitlines()]
        assert shipped == sorted({*before, *committed})
        assert len(committed) == len(set(committed)) > 500
