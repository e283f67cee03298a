"""Runs the tests on each database that can be reached: `python -m tests.databases`.

`TEST_POSTGRES_URL` and `TEST_MARIADB_URL` say where the servers are. With `--require-all` a
server that cannot be reached is a failure, and so it is where no test ran in a browser. With
`--only SQLite` the others are not asked. What stands behind `--pytest` goes to pytest.
"""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

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
HOSTS_WAY = ("-q", "-n", "2", "tests/contract/test_append_only.py", "tests/contract/test_subjects.py")
HOSTS_OPTIONS = (["--create-db"], ["--reuse-db"])
# What must hold for the log must hold for a log in partitions; how it looks is the same.
OF_PARTITIONS = (
    "-q",
    "-n",
    "2",
    "--dist",
    "loadfile",
    "--create-db",
    "tests/contract",
    "tests/reading/test_asof.py",
    "tests/reading/test_bounds.py",
    "tests/reading/test_exports.py",
    "tests/reading/test_filters.py",
    "tests/reading/test_no_leak.py",
    "tests/reading/test_paging.py",
    "tests/reading/test_rest.py",
    "tests/reading/test_statements.py",
)


# Any warning is an error, also at import and in the processes that tests start. What is let pass
# is somebody else's, and has a name.
STRICT = {
    "PYTHONDEVMODE": "1",
    "PYTHONMALLOC": "default",  # The hooks on memory are for compiled code, of which there is none.
    "PYTHONWARNINGS": "error,ignore:You're running the worker with superuser privileges",  # Celery
}


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
    covered, failed, unreachable, browsing = [], [], [], []
    for server in servers():
        if "--only" in own and server.name not in own:
            continue
        if server.version is None:
            unreachable.append(f"{server.name} ({_without_password(server.url)})")
            continue
        print(f"\n=== {server.name} ({server.version})", flush=True)
        is_good, in_a_browser = _all_tests(server, *passed_on.split())
        browsing.append(in_a_browser)
        is_good = is_good and all(
            _pytest(server, *options, *HOSTS_WAY) for options in HOSTS_OPTIONS
        )
        if server.name == "PostgreSQL":
            print("\n=== PostgreSQL, the log in partitions", flush=True)
            is_good &= _pytest(server, *OF_PARTITIONS, HISTORY_PARTITIONS="month")
        (covered if is_good else failed).append(f"{server.name} ({server.version})")
    browser = sum(browsing, Counter())
    print(f"\nTests in a real browser: {_told(browser)}")
    print(f"Databases where all tests passed: {', '.join(covered) or 'none'}")
    print(f"Databases with failed tests: {', '.join(failed) or 'none'}")
    print(f"Databases that could not be reached: {', '.join(unreachable) or 'none'}")
    is_missing_one = "--require-all" in own and bool(unreachable or not browser[RAN])
    return 1 if failed or is_missing_one else 0


RAN = "ran"
IN_A_BROWSER = "tests.example.browser."


def _all_tests(server, *options):
    """Run all tests; return whether they passed, and what became of those in a browser."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        is_good = _pytest(server, "--create-db", f"--junitxml={report}", *options)
        return is_good, _in_a_browser(report) if report.exists() else Counter()


def _in_a_browser(report):
    """Count the tests in a browser: those that ran, and the others by the reason why not."""
    tests = ElementTree.parse(report).iter("testcase")
    skips = [
        test.find("skipped") for test in tests if test.get("classname").startswith(IN_A_BROWSER)
    ]
    return Counter(RAN if skip is None else skip.get("message") for skip in skips)


def _told(browser):
    if browser[RAN]:
        return f"{browser[RAN]} ran"
    if find_spec("playwright") is None:
        return "none ran, as Playwright is not installed"
    return f"none ran: {'; '.join(browser) or 'they were not asked for'}"


def _pytest(server, *options, **variables):
    environment = {**os.environ, **STRICT, "DATABASE_URL": server.url, **variables}
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
