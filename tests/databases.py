"""Run the tests on every database that can be reached: `python -m tests.databases`.

The fast tests run by default: all of them on SQLite, the contract and the backends on the others.
`--slow` runs all tests on each. `--gate` runs what must pass before a merge: all tests on SQLite,
and on the others what depends on the database. Every argument that is not an option of this
program goes to pytest as it is. A path or an expression chooses among all fast tests, on each
database: `python -m tests.databases --only SQLite -k "rest or export"`.

The exit status is not zero if a test fails, if nothing was selected, if a database that `--only`
names cannot be reached, or if `--slow` finds no browser. With `--require-all` it is also not zero
if any required database, program or package is missing. The last lines say which.

`tests.servers.finding` lists the variables that say where the servers are. The newest servers and
the clusters run parts of their own, with `--slow` only.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from tests.extras import MISSING
from tests.servers import debian
from tests.servers.finding import NAMES, find_servers

NOTHING_SELECTED = 5
"""The exit status of pytest if no test was selected."""
BROWSER_TESTS = "tests.example.browser."
WORKERS = ("-n", "auto", "--dist", "loadfile")
FAST = ("-m", "not slow and not packaging and not cluster")
ALL = ("-m", "not packaging and not cluster")

# A warning is an error, also at import and in the processes that tests start.
STRICT = {
    "PYTHONDEVMODE": "1",
    # The development mode adds memory hooks, which check compiled code. The package has none.
    "PYTHONMALLOC": "default",
    # Celery warns of this in every container.
    "PYTHONWARNINGS": "error,ignore:You're running the worker with superuser privileges",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One run of pytest on one database. Without arguments it takes those of the command line."""

    name: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ("SQLite", "PostgreSQL", "MariaDB", "MySQL")
    is_slow: bool = True
    in_gate: tuple[str, ...] | None = None
    """The arguments with `--gate`. None: `--gate` does not run this part."""
    only_in_gate: bool = False
    """Whether `--slow` runs these tests with all others."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of a part on a server."""

    title: str
    status: int
    seconds: int
    skipped: Counter
    """Tests that did not run, by reason."""
    in_browser: Counter
    """The browser tests: `ran`, or the reason why not."""


ALL_TESTS = "all tests"
# The fast tests are run often: on the servers they are those that depend most on the database.
OF_DATABASES = ("tests/contract", "tests/backends")
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
MOST_OF_PARTITIONS = (
    *WORKERS,
    "-q",
    "--create-db",
    *FAST,
    "tests/contract/test_append_only.py",
    "tests/contract/test_host_partitions.py",
    "tests/contract/test_renames.py",
    "tests/contract/test_settled.py",
    "tests/contract/test_statements.py",
    "tests/contract/test_subjects.py",
    "tests/contract/test_undo.py",
    "tests/contract/test_writing.py",
    "tests/reading/test_paging.py",
    "tests/reading/test_statements.py",
)
CONTRACT = (*WORKERS, "-q", "--create-db", *ALL, "tests/contract")
# What depends on the version of a server; the rest of the contract is Python on the same SQL.
OF_VERSIONS = (
    *WORKERS,
    "-q",
    "--create-db",
    *FAST,
    *(
        f"tests/contract/test_{name}.py"
        for name in (
            "append_only",
            "attribution",
            "backup",
            "baseline",
            "calls",
            "clocks",
            "columns",
            "concurrency",
            "context_values",
            "exact_values",
            "fixtures",
            "health",
            "host_partitions",
            "mysql_statements",
            "newer_servers",
            "own_keys",
            "postgresql_18",
            "reasons",
            "schema",
            "schema_keys",
            "settings",
            "settled",
            "statements",
            "stored_changes",
            "supported_servers",
            "values",
            "writing",
        )
    ),
)
# The SQL of reading differs on PostgreSQL, and is much the same on the others.
READING = tuple(
    f"tests/reading/test_{name}.py"
    for name in (
        "asof",
        "bounds",
        "exports",
        "feed",
        "filters",
        "no_leak",
        "paging",
        "plans",
        "rest",
        "search",
        "statements",
        "time_limit",
    )
)
# What reads or changes rows in SQL of its own; the others see values alone.
SEALS = tuple(
    f"tests/seals/test_{name}.py"
    for name in (
        "attacks",
        "bypassed",
        "complete",
        "concurrent",
        "late",
        "leaves",
        "restored",
        "sealing",
        "two_roles",
        "verification",
    )
)
# MySQL reads the log as MariaDB does. It has rights, dumps and temporary tables of its own.
SEALS_OF_MYSQL = tuple(
    f"tests/seals/test_{name}.py" for name in ("attacks", "bypassed", "restored", "two_roles")
)
OF_GATE = {
    "SQLite": ALL,
    "PostgreSQL": (
        *FAST,
        *OF_DATABASES,
        *READING,
        *SEALS,
        "tests/seals/test_evidence.py",
        "tests/seals/test_proofs.py",
        "tests/projects/places",
        "tests/projects/replica",
        "tests/projects/roles",
        "tests/test_partitions.py",
        "tests/test_tenants.py",
    ),
    "MariaDB": (*FAST, *OF_DATABASES, *SEALS, "tests/projects/places"),
    "MySQL": (*FAST, *OF_DATABASES, *SEALS_OF_MYSQL, "tests/projects/places"),
}
# Writers at the same time, which SQLite does not have. Most of the time is waiting. One target of
# each kind: a Delta table is written as Parquet is, and a NATS server takes longest to come back.
SHIPPING = (
    *("-n", "4", "--dist", "load"),
    "-q",
    "--create-db",
    *ALL,
    "-k",
    "not delta and not (KilledTarget and nats)",
    "tests/contract/test_logical_decoding.py",
    "tests/contrib/test_shipping_killed.py",
)
NEWEST_POSTGRES, NEWEST_MARIADB = "newest PostgreSQL", "newest MariaDB"
GALERA, GROUP = "Galera", "Group Replication"
PARTS = (
    Part(name=ALL_TESTS, is_slow=False, in_gate=()),
    Part(name="a new database", arguments=("--create-db", *KEPT)),
    Part(name="a kept database", arguments=("--reuse-db", *KEPT)),
    Part(
        name="shipping while others write",
        databases=("PostgreSQL",),
        in_gate=SHIPPING,
        only_in_gate=True,
    ),
    Part(
        name="the log in partitions",
        arguments=IN_PARTITIONS,
        in_gate=MOST_OF_PARTITIONS,
        variables={"HISTORY_PARTITIONS": "month"},
        databases=("PostgreSQL",),
    ),
    Part(
        name="the demo in a browser",
        arguments=("-q", "--create-db", "tests/example/browser/test_reading.py"),
        variables={"TEST_IN_BROWSER": "1"},
        databases=("MySQL",),
    ),
    Part(
        name="the contract",
        arguments=CONTRACT,
        in_gate=OF_VERSIONS,
        # pg_dump refuses a server that is newer than itself.
        variables={"PATH": os.pathsep.join([str(debian.CLIENTS), os.environ.get("PATH", "")])},
        databases=(NEWEST_POSTGRES,),
    ),
    Part(
        name="the contract",
        arguments=CONTRACT,
        in_gate=OF_VERSIONS,
        databases=(NEWEST_MARIADB,),
    ),
    *(
        Part(
            name="writers on all nodes",
            arguments=("-q", "-m", "cluster", "-k", key, "tests/clusters"),
            # The scenario finds the nodes by itself.
            variables={"DATABASE_URL": "sqlite://:memory:"},
            databases=(name,),
        )
        for name, key in ((GALERA, "galera"), (GROUP, "group"))
    ),
)


def main(arguments):
    """Run the tests, print a summary, and return the exit status."""
    options, pytest_options = parse(arguments)
    parts = [part for part in PARTS if _is_wanted(part, options)]
    servers = [
        server
        for server in find_servers()
        if server.name in options.only and any(server.name in part.databases for part in parts)
    ]
    runs = [
        _run(part, server, options, pytest_options)
        for server in servers
        if not server.problem
        for part in parts
        if server.name in part.databases
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
    parser.add_argument(
        "--only", action="append", choices=NAMES, help="Use this database. Can be repeated."
    )
    parser.add_argument("--slow", action="store_true", help="Run the slow tests too.")
    parser.add_argument(
        "--gate", action="store_true", help="Run what must pass before a merge, slow tests too."
    )
    parser.add_argument(
        "--require-all", action="store_true", help="Fail if anything that tests need is missing."
    )
    parser.add_argument("--reports", type=Path, help="A folder to keep the JUnit reports in.")
    options, pytest_options = parser.parse_known_args(arguments)
    options.is_chosen = options.only is not None
    options.only = options.only or NAMES
    return options, pytest_options


def _is_wanted(part, options):
    if options.gate:
        return part.in_gate is not None
    return not part.only_in_gate and (options.slow or not part.is_slow)


def _arguments(part, server, options, pytest_options):
    own = part.in_gate if options.gate else part.arguments
    if own:
        return own
    if options.gate:
        chosen = OF_GATE[server.name]
    else:
        chosen = (*(ALL if options.slow else FAST), *_folders(server, options, pytest_options))
    return ("--create-db", *WORKERS, *chosen, *pytest_options)


def _run(part, server, options, pytest_options):
    title = f"{server.name} {server.version}, {part.name}"
    print(f"\n=== {title}", flush=True)
    arguments = _arguments(part, server, options, pytest_options)
    with TemporaryDirectory() as temporary:
        folder = options.reports or Path(temporary)
        name = f"{server.name} {part.name}".lower().replace(" ", "-")
        report = folder.resolve() / f"{name}.xml"
        command = [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}"]
        environment = {**os.environ, **STRICT, "DATABASE_URL": server.url, **part.variables}
        start = time.monotonic()
        status = subprocess.run(command, env=environment, check=False).returncode
        tests = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    return Run(
        title=title,
        status=status,
        seconds=round(time.monotonic() - start),
        skipped=_outcomes(tests),
        in_browser=_outcomes(
            test for test in tests if test.get("classname", "").startswith(BROWSER_TESTS)
        ),
    )


def _folders(server, options, pytest_options):
    """Return the folders to run if the command line chooses no tests: none means all."""
    is_chosen = any(not word.startswith("-") for word in pytest_options)
    return () if options.slow or is_chosen or server.name == "SQLite" else OF_DATABASES


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
        if server.problem and (options.is_chosen or options.require_all)
    ]
    if not runs:
        problems.append("No test ran")
    is_slow = options.slow or options.gate
    if is_slow and (problem := _browser_problem(options, runs)):
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
    for server in servers:
        if not server.problem:
            print(f"{server.name}: version {server.version}")
    for run in runs:
        skipped = run.skipped.total() - run.skipped["ran"]
        print(
            f"{run.title}: {run.skipped['ran']} tests ran, {skipped} were skipped, {run.seconds} s"
        )
        for reason in _missing(run):
            print(f"  skipped, {reason}")
    for server in servers:
        if server.problem:
            print(f"{server.name}: not tested ({server.problem})")
    for problem in problems:
        print(f"FAILED: {problem}")
    print("FAILED" if problems else "All tests that ran passed.", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
