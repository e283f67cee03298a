"""Read from a streaming replica through a router. The test starts a primary and a standby."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import connection

from tests.extras import skip_missing

READS = ("page", "list", "facets")
RECORDED_READS = ("export", "reveal")


def program(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def run(name, *arguments):
    # A PostgreSQL server refuses to run as root.
    command = [program(name), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def started(folder, port):
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    run("pg_ctl", "-D", folder, "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield port
    finally:
        run("pg_ctl", "-D", folder, "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def seen():
    """Return the results of the scenario."""
    if connection.vendor != "postgresql":
        pytest.skip("replicas are tested with PostgreSQL")
    if program("pg_ctl") is None:
        skip_missing("the programs of a PostgreSQL server")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        homes = [folder / "primary", folder / "replica"]
        for home in homes:
            home.mkdir(mode=0o700)
            if os.geteuid() == 0:
                shutil.chown(home, "postgres", "postgres")
        primary, replica = (str(home) for home in homes)
        run("initdb", "-D", primary, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        port = stack.enter_context(started(primary, free_port()))
        source = f"host=127.0.0.1 port={port} user=postgres"
        run("pg_basebackup", "-d", source, "-D", replica, "-R", "--checkpoint=fast", "--no-sync")
        replica_port = stack.enter_context(started(replica, free_port()))
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
