"""Runs the tests on each database that can be reached: `python -m tests.databases`.

`TEST_POSTGRES_URL` and `TEST_MARIADB_URL` say where the servers are. With `--require-all` a
server that cannot be reached, or a missing Chromium, is a failure. What stands behind `--pytest`
goes to pytest.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import dj_database_url
import psycopg
import pymysql


@dataclass(frozen=True, kw_only=True)
class Server:
    """A database to run the tests on."""

    name: str
    url: str
    version: str | None
    """What the server says it is; None: it cannot be reached."""


# As projects run their tests: on several workers, and on a database that is kept.
HOSTS_WAY = ("-q", "-n", "2", "tests/contract/test_guards.py", "tests/contract/test_subjects.py")
HOSTS_OPTIONS = (["--create-db"], ["--reuse-db"])


def servers():
    """Return the databases, SQLite first, each asked for its version."""
    postgres = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
    mariadb = os.environ.get("TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/test")
    sqlite = "sqlite://:memory:"
    return [
        Server(name="SQLite", url=sqlite, version="in memory"),
        Server(name="PostgreSQL", url=postgres, version=_postgres_version(postgres)),
        Server(name="MariaDB", url=mariadb, version=_mariadb_version(mariadb)),
    ]


def main(arguments):
    """Run the tests everywhere and tell where they ran; return the exit status."""
    own, _, passed_on = " ".join(arguments).partition("--pytest")
    covered, failed, unreachable = [], [], []
    for server in servers():
        if server.version is None:
            unreachable.append(f"{server.name} ({_without_password(server.url)})")
            continue
        print(f"\n=== {server.name} ({server.version})", flush=True)
        is_good = _pytest(server, "--create-db", *passed_on.split()) and all(
            _pytest(server, *options, *HOSTS_WAY) for options in HOSTS_OPTIONS
        )
        (covered if is_good else failed).append(f"{server.name} ({server.version})")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    print(f"\nBrowser tests: {chromium or 'not run, as no Chromium was found'}")
    print(f"Databases where all tests passed: {', '.join(covered) or 'none'}")
    print(f"Databases with failed tests: {', '.join(failed) or 'none'}")
    print(f"Databases that could not be reached: {', '.join(unreachable) or 'none'}")
    is_missing_one = "--require-all" in own and bool(unreachable or chromium is None)
    return 1 if failed or is_missing_one else 0


def _pytest(server, *options):
    environment = {**os.environ, "DATABASE_URL": server.url}
    command = [sys.executable, "-m", "pytest", *options]
    return subprocess.run(command, env=environment, check=False).returncode == 0


def _postgres_version(url):
    settings = dj_database_url.parse(url)
    try:
        connection = psycopg.connect(
            host=settings["HOST"] or None,
            port=settings["PORT"] or None,
            user=settings["USER"] or None,
            password=settings["PASSWORD"] or None,
            dbname=settings["NAME"],
            connect_timeout=3,
        )
    except psycopg.OperationalError:
        return None
    with connection:
        return connection.info.parameter_status("server_version")


def _mariadb_version(url):
    settings = dj_database_url.parse(url)
    try:
        connection = pymysql.connect(
            host=settings["HOST"] or "127.0.0.1",
            port=settings["PORT"] or 3306,
            user=settings["USER"],
            password=settings["PASSWORD"],
            connect_timeout=3,
        )
    except pymysql.err.OperationalError:
        return None
    with connection:
        return connection.get_server_info()


def _without_password(url):
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
