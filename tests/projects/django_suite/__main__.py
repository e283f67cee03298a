"""Run Django's own test suite with the package: `python -m tests.projects.django_suite`.

The tests are those of the installed Django; its source distribution comes from the package index.
The package is always installed, and every concrete managed model is registered. The outcome of
each test is compared with a run without the package. After each test, every row and link of every
table is compared with `history.as_of()`, and their numbers with the log; after each label, the
triggers with what they should be.

`--gate` runs the labels that write most, each on the databases of `labels.GATE`; `--all` runs all
labels, `--labels` those that are named. What comes without the package is kept in `.django_suite`;
the gate runs it only for a label with a difference that is not expected. `--database` can be
repeated; by default these are the four of `labels.EVERYWHERE` that `tests.servers` finds. The exit
status is not zero if a difference is not in `differences.toml`, if a label could not run, or, with
`--require-all`, if a required database is missing.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dj_database_url
import django

from tests.projects.django_suite import expected, labels
from tests.projects.django_suite.expected import Difference
from tests.projects.django_suite.source import CACHE, ROOT, labels_in, tests_folder
from tests.servers.finding import SERVERS, Server, UnreachableError, find_servers

WITH, WITHOUT = "with", "without"
TRIGGERS = "triggers"
BAD = {"failure", "error", None}
LIMIT = 1800
"""Seconds for one label."""
SHOWN = 5
"""How many tests are listed with each kind of difference; the report has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one label on one database."""

    server: Server
    label: str
    seconds: float
    outcomes: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    unexpected: list[Difference] = field(default_factory=list)
    problem: str = ""
    """Why the label did not run to its end; empty if it did."""


def main(arguments: Sequence[str]) -> int:
    """Run the labels, print the differences, and return the exit status."""
    options = _parse(arguments)
    folder = tests_folder()
    servers = [_server(url) for url in options.database] if options.database else _found()
    jobs = [
        (server, label)
        for server in servers
        if not server.problem
        for label in _labels(options, server, folder)
    ]
    runs: list[Run] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for run in pool.map(lambda job: _run(*job, folder, options), jobs):
            _print_run(run)
            runs.append(run)
    missing = [one for one in servers if one.problem]
    return _summarize(servers, runs, missing if options.require_all or options.database else [])


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.projects.django_suite", allow_abbrev=False
    )
    parser.add_argument("--database", action="append", help="The URL of a database.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--labels", nargs="+", help="Labels of the suite.")
    which.add_argument("--gate", action="store_true", help="The labels of the gate (default).")
    which.add_argument("--all", action="store_true", help="All labels.")
    parser.add_argument("--jobs", type=int, default=1, help="How many labels run at a time.")
    parser.add_argument(
        "--require-all", action="store_true", help="Fail if a required database is missing."
    )
    parser.add_argument(
        "--fresh", action="store_true", help="Run without the package again: no cached outcome."
    )
    options = parser.parse_args(arguments)
    options.gate = not (options.labels or options.all)
    return options


def _found() -> list[Server]:
    return [server for server in find_servers() if server.name in labels.EVERYWHERE]


def _server(url: str) -> Server:
    scheme = url.partition(":")[0].replace("postgresql", "postgres")
    problem = f"{url}: there is no such kind of database"
    for name, _variable, default, ask in SERVERS:
        if name in labels.EVERYWHERE and scheme == default.partition(":")[0]:
            try:
                return Server(name=name, url=url, version=ask(url))
            except UnreachableError as error:
                problem = str(error)
    return Server(name=url, url=url, problem=problem)


def _labels(options: argparse.Namespace, server: Server, folder: Path) -> list[str]:
    if options.all:
        return labels_in(folder)
    if options.labels:
        return list(options.labels)
    return [label for label, databases in labels.GATE.items() if server.name in databases]


def _run(server: Server, label: str, folder: Path, options: argparse.Namespace) -> Run:
    began = time.monotonic()
    kept = f"{server.name}-{server.version}".lower().replace(" ", "-").replace("/", "-")
    version = f"{django.__version__}-python{sys.version_info.major}.{sys.version_info.minor}"
    reports = CACHE / "reports" / version / kept
    reports.mkdir(parents=True, exist_ok=True)
    baseline, report = (reports / f"{label}-{mode}.json" for mode in (WITHOUT, WITH))
    if options.fresh:
        baseline.unlink(missing_ok=True)
    problem = _start(server, label, WITH, report, folder)
    if problem:
        return Run(server=server, label=label, seconds=time.monotonic() - began, problem=problem)
    after = json.loads(report.read_text(encoding="utf-8"))
    before = _passed(after)
    found, wrong = _compare(before, after, server)
    # The gate needs no other run where every test passes, except those that must fail.
    if not baseline.exists() and (wrong or not options.gate):
        problem = _start(server, label, WITHOUT, baseline, folder)
    if not problem and baseline.exists():
        before = json.loads(baseline.read_text(encoding="utf-8"))
        found, wrong = _compare(before, after, server)
    return Run(
        server=server,
        label=label,
        seconds=time.monotonic() - began,
        outcomes=Counter(after["outcomes"].values()),
        differences=found,
        unexpected=wrong,
        problem=problem,
    )


def _passed(after: dict[str, Any]) -> dict[str, Any]:
    """Return what a run is without the package, if all its tests pass."""
    return {
        "outcomes": {
            test: "ok" if outcome in BAD else outcome for test, outcome in after["outcomes"].items()
        }
    }


def _compare(
    before: dict[str, Any], after: dict[str, Any], server: Server
) -> tuple[list[Difference], list[Difference]]:
    """Return all differences of two runs, and those that are not expected."""
    found = _differences(before, after)
    return found, expected.unexpected(found, expected.read(), database=server.name)


def _start(server: Server, label: str, mode: str, report: Path, folder: Path) -> str:
    """Run a label in a process of its own; return what is wrong, or an empty text."""
    report.unlink(missing_ok=True)
    name = dj_database_url.parse(server.url or "")["NAME"].strip(":")
    output = report.with_suffix(".log")
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    module = "tests.projects.django_suite"
    with output.open("w", encoding="utf-8") as opened:
        try:
            done = subprocess.run(
                [sys.executable, "-m", f"{module}.runner", str(report), mode, label],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                    "DJANGO_SETTINGS_MODULE": f"{module}.settings",
                    "DATABASE_URL": server.url or "",
                    "SUITE_DATABASE_NAME": f"{name}_{label}"[:50],
                },
                stdout=opened,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return f"{mode} the package: more than {LIMIT} seconds, see {output}"
    if report.exists():
        return ""
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else "no output"
    return f"{mode} the package: exit status {done.returncode}: {last}, see {output}"


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    found = [
        Difference(test=test, text=_text(test, before, after))
        for test in sorted({*before["outcomes"], *after["outcomes"]})
        if before["outcomes"].get(test) != after["outcomes"].get(test)
        and not (before["outcomes"].get(test) in BAD and after["outcomes"].get(test) not in BAD)
    ]
    found += [
        Difference(test=test, text=text)
        for test, texts in sorted(after["contradictions"].items())
        for text in texts
    ]
    return found


def _text(test: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    outcome = f"{before['outcomes'].get(test)}, with the package {after['outcomes'].get(test)}"
    return ": ".join(filter(None, [outcome, after["messages"].get(test)]))


def _print_run(run: Run) -> None:
    counted = ", ".join(f"{number} {outcome}" for outcome, number in sorted(run.outcomes.items()))
    known = len(run.differences) - len(run.unexpected)
    print(f"{run.server.name} {run.label}: {run.problem or counted} ({run.seconds:.0f} s)")
    if known:
        print(f"  {known} expected differences")
    # Texts that differ in keys and times only are one kind of difference.
    kinds: dict[str, list[Difference]] = {}
    for one in run.unexpected:
        kinds.setdefault(re.sub(r"\d+", "0", one.text), []).append(one)
    for found in kinds.values():
        tests = list(dict.fromkeys(one.test for one in found))
        print(f"  {found[0].text}")
        print("".join(f"    {test}\n" for test in tests[:SHOWN]), end="")
        if len(tests) > SHOWN:
            print(f"    and {len(tests) - SHOWN} more tests")
    sys.stdout.flush()


def _summarize(servers: Sequence[Server], runs: Sequence[Run], missing: Sequence[Server]) -> int:
    print("\n=== Summary")
    for server in servers:
        own = [run for run in runs if run.server is server]
        tests = sum(run.outcomes.total() for run in own)
        text = server.problem or f"{len(own)} labels, {tests} tests"
        print(f"{server.name} {server.version or ''}: {text}")
    failed = [run for run in runs if run.problem or run.unexpected]
    for run in failed:
        text = run.problem or f"{len(run.unexpected)} differences that are not expected"
        print(f"FAILED: {run.server.name} {run.label}: {text}")
    for server in missing:
        print(f"FAILED: {server.name} cannot be reached")
    if not runs:
        print("FAILED: no label ran")
    return 1 if failed or missing or not runs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
