"""Read from a streaming replica through a router. The test starts a primary and a standby."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
from django.db import connection

from tests.servers.own_postgresql import create, folders, run, started

READS = ("page", "list", "facets")
RECORDED_READS = ("export", "reveal")


@pytest.fixture(scope="module")
def seen():
    """Return the results of the scenario."""
    if connection.vendor != "postgresql":
        pytest.skip("replicas are tested with PostgreSQL")
    with ExitStack() as stack:
        primary, replica = stack.enter_context(folders("primary", "replica"))
        create(primary)
        port = stack.enter_context(started(primary))
        source = f"host=127.0.0.1 port={port} user=postgres"
        run("pg_basebackup", "-d", source, "-D", replica, "-R", "--checkpoint=fast", "--no-sync")
        replica_port = stack.enter_context(started(replica))
        done = subprocess.run(
            [sys.executable, "-m", "tests.projects.replica.scenario"],
            env={**os.environ, "DEFAULT_PORT": port, "REPLICA_PORT": replica_port},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class TestReplica:
    def test_replica_refuses_writes(self, seen):
        assert seen["is_replica"] is True

    @pytest.mark.parametrize("output", READS)
    def test_reads_use_only_the_replica(self, seen, output):
        assert seen[output]["status"] == 200
        assert seen[output]["asked_primary"] == []
        assert seen[output]["asked_replica"] > 0

    def test_changes_reach_the_replica(self, seen):
        assert [seen[output]["shows_change"] for output in ("page", "list", "export")] == [True] * 3


class TestRecordedReads:
    @pytest.mark.parametrize("output", RECORDED_READS)
    def test_export_and_reveal_are_recorded(self, seen, output):
        assert seen[output]["status"] == 200
        (written,) = [sql for sql in seen[output]["asked_primary"] if "INSERT INTO" in sql]
        assert '"customer_history_entry"' in written
        assert not [sql for sql in seen[output]["asked_primary"] if sql.startswith("SELECT")]

    def test_record_reaches_the_replica(self, seen):
        assert seen["actions"][-2:] == [
            ["History Exported", "ann"],
            ["Confidential Values Revealed", "ann"],
        ]
