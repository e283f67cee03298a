"""Servers of Debian's newer suites: MySQL 9, PostgreSQL 18 and MariaDB 11.8.

They need a newer libc than Debian 12 has, so each suite goes into a folder of its own, made by
debootstrap, and its servers run in a chroot as ordinary processes on 127.0.0.1.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENT_PROGRAMS = ("pg_dump", "pg_restore", "psql", "createdb")
ROOT = Path(os.environ.get("TEST_SERVERS_ROOT", "/var/tmp/django-customer-history-servers"))
CLIENTS = ROOT / "clients"
"""Programs of the newest PostgreSQL, which run outside of its folder."""
SECONDS_TO_START = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A database server in the folder of one of Debian's suites."""

    name: str
    suite: str
    packages: tuple[str, ...]
    """The packages to install; the first one brings the server."""
    port: int
    url: str
    variable: str
    """The environment variable that gives the URL to the tests."""
    initialize: str
    """Shell commands that make an empty data directory; they run once."""
    command: str
    """The shell command that becomes the server."""
    shutdown: str
    """The shell command that ends it cleanly."""

    @property
    def root(self) -> Path:
        """The folder of the suite."""
        return ROOT / self.suite

    @property
    def url_line(self) -> str:
        """The setting that leads the tests to the server."""
        return f"{self.variable}={self.url}"


# Tests do not need to survive a crash of the machine: without syncs they are ten times as fast.
_FOR_TESTS = (
    "--innodb-flush-log-at-trx-commit=0 --sync-binlog=0 --innodb-doublewrite=OFF"
    " --bind-address=127.0.0.1 --secure-file-priv="
)

# MySQL keeps its binary log, as by default: with it, only some roles may create triggers.
MYSQL = Server(
    name="MySQL",
    suite="sid",
    packages=("mysql-server-core",),
    port=3406,
    url="mysql://root@127.0.0.1:3406/test",
    variable="TEST_MYSQL_URL",
    initialize=(
        "id mysql >/dev/null 2>&1 || useradd -r mysql;"
        " mkdir -p /var/lib/dch-mysql /run/dch-mysql;"
        " chown mysql /var/lib/dch-mysql /run/dch-mysql;"
        " mysqld --no-defaults --initialize-insecure --user=mysql --datadir=/var/lib/dch-mysql"
    ),
    command=(
        "mysqld --no-defaults --user=mysql --datadir=/var/lib/dch-mysql --port=3406"
        " --socket=/run/dch-mysql/socket --pid-file=/run/dch-mysql/pid --mysqlx=OFF"
        f" {_FOR_TESTS} --binlog-expire-logs-seconds=3600"
    ),
    # MySQL 9 no longer has the protocol's own command for it.
    shutdown="kill $(cat /run/dch-mysql/pid)",
)
POSTGRESQL = Server(
    name="PostgreSQL",
    suite="sid",
    packages=("postgresql-18",),
    port=5418,
    url="postgres://postgres@127.0.0.1:5418/postgres",
    variable="TEST_POSTGRES_NEWEST_URL",
    initialize=(
        "mkdir -p /var/lib/dch-postgresql; chown postgres /var/lib/dch-postgresql;"
        " su postgres -c '/usr/lib/postgresql/18/bin/initdb -A trust -E UTF8 --locale C.UTF-8"
        " -D /var/lib/dch-postgresql/data'"
    ),
    command=(
        "exec su postgres -c 'exec /usr/lib/postgresql/18/bin/postgres"
        " -D /var/lib/dch-postgresql/data -p 5418 -c listen_addresses=127.0.0.1"
        " -c unix_socket_directories= -c fsync=off -c synchronous_commit=off"
        " -c max_connections=200'"
    ),
    shutdown="kill -INT $(head -1 /var/lib/dch-postgresql/data/postmaster.pid)",
)
MARIADB = Server(
    name="MariaDB",
    suite="trixie",
    packages=("mariadb-server",),
    port=3411,
    url="mysql://root@127.0.0.1:3411/test",
    variable="TEST_MARIADB_NEWEST_URL",
    initialize=(
        "mkdir -p /var/lib/dch-mariadb /run/dch-mariadb; rm -rf /var/lib/dch-mariadb/*;"
        " chown mysql /var/lib/dch-mariadb /run/dch-mariadb;"
        " mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/dch-mariadb"
        " --auth-root-authentication-method=normal --skip-test-db --force"
    ),
    command=(
        "mariadbd --no-defaults --user=mysql --datadir=/var/lib/dch-mariadb --port=3411"
        f" --socket=/run/dch-mariadb/socket --pid-file=/run/dch-mariadb/pid {_FOR_TESTS}"
    ),
    shutdown="kill $(cat /run/dch-mariadb/pid)",
)
SERVERS = (MYSQL, POSTGRESQL, MARIADB)


def start(server: Server) -> str:
    """Prepare a server and start it unless it runs; return the setting that leads to it."""
    prepare(server)
    if not is_up(server):
        log = (server.root / f"{server.name}.log").open("ab")
        subprocess.Popen(
            ["chroot", str(server.root), "sh", "-c", server.command],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    if server is POSTGRESQL:
        _write_clients(server.root)
    deadline = time.monotonic() + SECONDS_TO_START
    while not is_up(server):
        if time.monotonic() > deadline:
            raise SystemExit(
                f"{server.name} did not start within {SECONDS_TO_START} s. See"
                f" {server.root / f'{server.name}.log'}."
            )
        time.sleep(0.5)
    return server.url_line


def _write_clients(root: Path) -> None:
    """Write scripts that run the client programs with the libraries of their own suite."""
    CLIENTS.mkdir(exist_ok=True)
    loader = root / "lib64/ld-linux-x86-64.so.2"
    libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
    for name in CLIENT_PROGRAMS:
        program = root / "usr/lib/postgresql/18/bin" / name
        script = CLIENTS / name
        script.write_text(f'#!/bin/sh\nexec {loader} --library-path {libraries} {program} "$@"\n')
        script.chmod(0o755)


def stop(server: Server) -> None:
    """End a server, if it runs."""
    if server.root.exists() and is_up(server):
        _in_chroot(server, server.shutdown)


def prepare(server: Server) -> None:
    """Make the folder of the suite, install the packages and make the data directory."""
    root = server.root
    if not (root / "prepared").exists():
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap")
        # What an interrupted run left behind would only be in the way.
        _unmount(root)
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        run(
            "debootstrap",
            "--variant=minbase",
            "--include=ca-certificates",
            server.suite,
            str(root),
            _mirror(),
        )
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        (root / "prepared").touch()
    _mount(root)
    done = root / f"{server.name}.prepared"
    if not done.exists():
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        packages = " ".join(server.packages)
        # A mirror may be older than its lists are valid.
        apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Check-Valid-Until=false"
        install = f"{apt} install -y --no-install-recommends {packages} >/dev/null"
        _in_chroot(server, f"{apt} update && {install}")
        _in_chroot(server, server.initialize)
        done.touch()


def is_up(server: Server) -> bool:
    """Return whether a server answers."""
    # The port of the machine's own network: the chroot shares it.
    client = {"postgres": _postgres_answers, "mysql": mysql_answers}
    return client[server.url.partition(":")[0]](server.port)


def _postgres_answers(port: int) -> bool:
    import psycopg  # noqa: PLC0415 - stop and prepare work without it

    try:
        psycopg.connect(
            host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=3
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def mysql_answers(port: int) -> bool:
    import pymysql  # noqa: PLC0415

    try:
        pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=3).close()
    except pymysql.OperationalError:
        return False
    return True


def answers_of(port: int, statement: str) -> Sequence[tuple[Any, ...]]:
    """Run a statement as root on a server of the MySQL protocol; return the rows."""
    import pymysql  # noqa: PLC0415

    with (
        pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=3) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchall()


def _mirror() -> str:
    """Return the mirror that the machine itself uses."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(SUITE)"],
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = [line.split() for line in listed.stdout.splitlines()]
    for uri, suite in (pair for pair in pairs if len(pair) == 2):
        if "-" not in suite:
            return uri
    raise SystemExit("apt has no package lists. Run apt-get update first.")


def _mount(root: Path) -> None:
    if not os.path.ismount(root / "proc"):
        run("mount", "-t", "proc", "proc", str(root / "proc"))
    if not os.path.ismount(root / "dev"):
        run("mount", "--bind", "/dev", str(root / "dev"))


def _unmount(root: Path) -> None:
    for name in ("dev", "proc"):
        if os.path.ismount(root / name):
            run("umount", str(root / name))


def _in_chroot(server: Server, script: str) -> None:
    run("chroot", str(server.root), "sh", "-c", script)


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
