"""Run the tests on every database that can be reached: `python -m tests.databases`.

The fast tests run by default, `--slow` runs all of them. Every argument that is not an option of
this program goes to pytest as it is: `python -m tests.databases --only SQLite -k "rest or export"`.

The exit status is not zero if a test fails, if nothing was selected, if a database that `--only`
names cannot be reached, or if `--slow` finds no browser. With `--require-all` it is also not zero
if any required database, program or package is missing. The last lines say which.

`TEST_POSTGRES_URL`, `TEST_MARIADB_URL` and `TEST_MYSQL_URL` say where the servers are.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import dj_database_url
import psycopg
import pymysql

from tests.extras import MISSING

NOTHING_SELECTED = 5
"""The exit status of pytest if no test was selected."""
BROWSER_TESTS = "tests.example.browser."
WORKERS = ("-n", "auto", "--dist", "loadfile")
FAST = ("-m", "not slow and not packaging")
ALL = ("-m", "not packaging")

# A warning is an error, also at import and in the processes that tests start.
STRICT = {
    "PYTHONDEVMODE": "1",
    # The development mode adds memory hooks, which check compiled code. The package has none.
    "PYTHONMALLOC": "default",
    # Celery warns of this in every container.
    "PYTHONWARNINGS": "error,ignore:You're running the worker with superuser privileges",
}


class UnreachableError(Exception):
    """The server does not answer, or it is another product than the one asked for."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A database to run the tests on."""

    name: str
    url: str | None
    version: str | None = None
    problem: str = ""
    """Why the server cannot be used; empty if it can."""
    is_required: bool = True


@dataclass(frozen=True, kw_only=True)
class Part:
    """One run of pytest on one database. Without arguments it takes those of the command line."""

    name: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ("SQLite", "PostgreSQL", "MariaDB", "MySQL")
    is_slow: bool = True


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of a part on a server."""

    title: str
    status: int
    skipped: Counter
    """Tests that did not run, by reason."""
    in_browser: Counter
    """The browser tests: `ran`, or the reason why not."""


ALL_TESTS = "all tests"
# Projects run their tests on several workers, and on a database that is kept between runs.
KEPT = (*WORKERS, "-q", "tests/contract/test_append_only.py", "tests/contract/test_subjects.py")
# What holds for the log must hold for a log in partitions. How the log looks does not depend on it.
IN_PARTITIONS = (
    *WORKERS,
    "-q",
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
PARTS = (
    Part(name=ALL_TESTS, is_slow=False),
    Part(name="a new database", arguments=("--create-db", *KEPT)),
    Part(name="a kept database", arguments=("--reuse-db", *KEPT)),
    Part(
        name="the log in partitions",
        arguments=IN_PARTITIONS,
        variables={"HISTORY_PARTITIONS": "month"},
        databases=("PostgreSQL",),
    ),
)


def main(arguments):
    """Run the tests, print a summary, and return the exit status."""
    options, pytest_options = parse(arguments)
    servers = [server for server in find_servers() if server.name in options.only]
    runs = [
        _run(part, server, options, pytest_options)
        for server in servers
        if not server.problem
        for part in PARTS
        if server.name in part.databases and (options.slow or not part.is_slow)
    ]
    problems = _problems(options, servers, runs)
    _print_summary(servers, runs, problems)
    return 1 if problems else 0


def parse(arguments):
    """Return the options of this program, and the arguments for pytest in their order."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.databases",
        description="Run the tests on every database that can be reached.",
        epilog="All other arguments go to pytest as they are.",
        allow_abbrev=False,
    )
    names = [name for name, *_ in SERVERS]
    parser.add_argument(
        "--only", action="append", choices=names, help="Use this database. Can be repeated."
    )
    parser.add_argument("--slow", action="store_true", help="Run the slow tests too.")
    parser.add_argument(
        "--require-all", action="store_true", help="Fail if anything that tests need is missing."
    )
    parser.add_argument("--reports", type=Path, help="A folder to keep the JUnit reports in.")
    options, pytest_options = parser.parse_known_args(arguments)
    options.is_chosen = options.only is not None
    options.only = options.only or names
    return options, pytest_options


def find_servers():
    """Ask each database for its version, SQLite first."""
    return [
        _find_server(name, os.environ.get(variable, default), ask, variable, is_required)
        for name, variable, default, ask, is_required in SERVERS
    ]


def _find_server(name, url, ask: Callable, variable, is_required):
    if url is None:
        return Server(name=name, url=url, problem=f"{variable} is not set", is_required=is_required)
    try:
        version = ask(url)
    except UnreachableError as error:
        problem = f"{_without_password(url)}: {error}"
        return Server(name=name, url=url, problem=problem, is_required=is_required)
    return Server(name=name, url=url, version=version, is_required=is_required)


def _run(part, server, options, pytest_options):
    title = f"{server.name} {server.version}, {part.name}"
    print(f"\n=== {title}", flush=True)
    arguments = part.arguments or (
        "--create-db",
        *WORKERS,
        *(ALL if options.slow else FAST),
        *pytest_options,
    )
    with TemporaryDirectory() as temporary:
        folder = options.reports or Path(temporary)
        name = f"{server.name} {part.name}".lower().replace(" ", "-")
        report = folder.resolve() / f"{name}.xml"
        command = [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}"]
        environment = {**os.environ, **STRICT, "DATABASE_URL": server.url, **part.variables}
        status = subprocess.run(command, env=environment, check=False).returncode
        tests = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    return Run(
        title=title,
        status=status,
        skipped=_outcomes(tests),
        in_browser=_outcomes(
            test for test in tests if test.get("classname", "").startswith(BROWSER_TESTS)
        ),
    )


def _outcomes(tests):
    """Count the tests: those that ran, and the others by the reason for skipping them."""
    skips = [test.find("skipped") for test in tests]
    return Counter("ran" if skip is None else skip.get("message") for skip in skips)


def _problems(options, servers, runs):
    """Return what makes this run a failure, one line each."""
    problems = [f"{run.title}: {_meaning(run.status)}" for run in runs if run.status]
    problems += [
        f"{server.name} cannot be reached ({server.problem})"
        for server in servers
        if server.problem and (options.is_chosen or (options.require_all and server.is_required))
    ]
    if not runs:
        problems.append("No test ran")
    if options.slow and (problem := _browser_problem(options, runs)):
        problems.append(problem)
    if options.require_all:
        problems += [f"{run.title}: {reason}" for run in runs for reason in _missing(run)]
    return problems


def _browser_problem(options, runs):
    # The demo has an SQLite database of its own: only the run on SQLite opens it in a browser.
    if "SQLite" not in options.only:
        return ""
    in_browser = sum((run.in_browser for run in runs), Counter())
    if in_browser["ran"]:
        return ""
    if find_spec("playwright") is None:
        return "No test ran in a browser: Playwright is not installed"
    reasons = [reason for reason in in_browser if reason.startswith(MISSING)]
    if reasons or options.require_all:
        return f"No test ran in a browser: {'; '.join(reasons) or 'none was selected'}"
    return ""


def _missing(run):
    return sorted(reason for reason in run.skipped if reason.startswith(MISSING))


def _meaning(status):
    return "no test was selected" if status == NOTHING_SELECTED else f"pytest ended with {status}"


def _print_summary(servers, runs, problems):
    print("\n=== Summary")
    for run in runs:
        skipped = run.skipped.total() - run.skipped["ran"]
        print(f"{run.title}: {run.skipped['ran']} tests ran, {skipped} were skipped")
        for reason in _missing(run):
            print(f"  skipped, {reason}")
    for server in servers:
        if server.problem:
            print(f"{server.name}: not tested ({server.problem})")
    for problem in problems:
        print(f"FAILED: {problem}")
    print("FAILED" if problems else "All tests that ran passed.", flush=True)


def _sqlite_version(url):
    return sqlite3.sqlite_version


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
    except psycopg.OperationalError as error:
        raise UnreachableError(str(error).splitlines()[0]) from error
    with connection:
        return connection.info.parameter_status("server_version")


def _mariadb_version(url):
    version = _version_over_the_mysql_protocol(url)
    if "MariaDB" not in version:
        raise UnreachableError(f"this is MySQL {version}")
    return version


def _mysql_version(url):
    version = _version_over_the_mysql_protocol(url)
    if "MariaDB" in version:
        raise UnreachableError(f"this is MariaDB {version}")
    return version


def _version_over_the_mysql_protocol(url):
    settings = dj_database_url.parse(url)
    try:
        connection = pymysql.connect(
            host=settings["HOST"] or "127.0.0.1",
            port=settings["PORT"] or 3306,
            user=settings["USER"],
            password=settings["PASSWORD"],
            connect_timeout=3,
        )
    except pymysql.OperationalError as error:
        raise UnreachableError(str(error.args[-1])) from error
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        return cursor.fetchone()[0]


def _without_password(url):
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


SERVERS = (
    # name, variable, default URL, how to ask for the version, whether --require-all needs it
    ("SQLite", "TEST_SQLITE_URL", "sqlite://:memory:", _sqlite_version, True),
    (
        "PostgreSQL",
        "TEST_POSTGRES_URL",
        "postgres://postgres@127.0.0.1:5432/postgres",
        _postgres_version,
        True,
    ),
    ("MariaDB", "TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/test", _mariadb_version, True),
    # The package does not support MySQL yet, so no server is expected.
    ("MySQL", "TEST_MYSQL_URL", None, _mysql_version, False),
)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
