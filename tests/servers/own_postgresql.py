"""PostgreSQL clusters of a single test, in a temporary folder: for settings that need a restart."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.extras import skip_missing
from tests.servers.ports import free_port


def program(name: str) -> str | None:
    """Return the path of a program of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def run(name: str, *arguments: str) -> None:
    """Run a program of the server, as the user postgres: a server refuses to run as root."""
    command = [program(name), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def folders(*names: str) -> Iterator[list[str]]:
    """Yield empty folders that belong to the user of the server. Skip the test without one."""
    if program("pg_ctl") is None:
        skip_missing("the programs of a PostgreSQL server")
    with tempfile.TemporaryDirectory() as temporary:
        parent = Path(temporary)
        parent.chmod(0o755)
        homes = [parent / name for name in names]
        for home in homes:
            home.mkdir(mode=0o700)
            if os.geteuid() == 0:
                shutil.chown(home, "postgres", "postgres")
        yield [str(home) for home in homes]


def create(folder: str) -> None:
    """Create a cluster in an empty folder; the superuser postgres needs no password."""
    run("initdb", "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")


@contextmanager
def started(folder: str, settings: Sequence[str] = ()) -> Iterator[str]:
    """Run the server of a cluster; yield its port on 127.0.0.1."""
    port = str(free_port())
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    for setting in settings:
        options += f" -c {setting}"
    run("pg_ctl", "-D", folder, "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield port
    finally:
        run("pg_ctl", "-D", folder, "-w", "-m", "immediate", "stop")
