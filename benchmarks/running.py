"""One process for each package, and the rounds in which they take turns."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.peers import PLAIN


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured."""

    rounds: int
    rows: int
    """Rows per operation."""
    saves: int
    """Entries from which the size of one is computed."""
    entries: int
    """Entries of the log whose pages are read."""
    of_the_customer: int
    deep: int
    operations: tuple


class Process:
    """The process of one package. It has a database of its own."""

    def __init__(self, name, url, directory, rows):
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", url, directory, str(rows)],
            env={**os.environ, "BENCHMARK_PEER": name, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self):
        """Wait for the next answer and return it."""
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process of {self.name} ended. Its output is above.")
        return json.loads(line)

    def ask(self, what, **details):
        """Send a command and return the answer."""
        self._process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def close(self):
        """Close the input. The process removes its database and ends."""
        self._process.stdin.close()
        self._process.wait()


def measure(url, names, plan, *, report):
    """Return the figures of the packages on one database, ready for JSON."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))
        processes = [Process(name, url, directory, plan.rows) for name in names]
        for process in processes:
            stack.callback(process.close)
        for process in processes:
            process.answer()
        return {
            "operations": {
                name: _rounds(processes, name, plan, report) for name in plan.operations
            },
            "statements": _each(processes, report, "statements"),
            "bytes": _each(_but_plain(processes), report, "bytes", count=plan.saves),
            "pages": _each(
                _but_plain(processes),
                report,
                "pages",
                entries=plan.entries,
                of_the_customer=plan.of_the_customer,
                deep=plan.deep,
                rounds=plan.rounds,
            ),
        }


def _rounds(processes, operation, plan, report):
    """Let the packages take turns. Each round begins with another package."""
    report(operation)
    found = {process.name: [] for process in processes}
    for number in range(plan.rounds + 1):
        start = number % len(processes)
        for process in (*processes[start:], *processes[:start]):
            found[process.name].append(process.ask("operation", name=operation))
    # The first round warms up caches and plans.
    return {name: answers[1:] for name, answers in found.items()}


def _each(processes, report, what, **details):
    report(what)
    return {process.name: process.ask(what, **details) for process in processes}


def _but_plain(processes):
    return [process for process in processes if process.name != PLAIN]
