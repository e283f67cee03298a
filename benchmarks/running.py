"""A process for each package, and the rounds in which they take turns."""

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
    """How much is done."""

    rounds: int
    rows: int
    """Rows in one go of a work."""
    saves: int
    """Entries over which the bytes of one are taken."""
    entries: int
    """Entries of the log whose pages are read."""
    of_the_customer: int
    deep: int
    works: tuple


class Process:
    """The process of one package, with a database of its own."""

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
        """Return the next answer, waiting for it."""
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process of {self.name} ended: see what it wrote above.")
        return json.loads(line)

    def ask(self, what, **details):
        """Have something done and return the answer."""
        self._process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def close(self):
        """Let the process remove its database and end."""
        self._process.stdin.close()
        self._process.wait()


def measure(url, names, plan, *, tell):
    """Return the figures of the packages on one database, as JSON can hold them."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))
        processes = [Process(name, url, directory, plan.rows) for name in names]
        for process in processes:
            stack.callback(process.close)
        for process in processes:
            process.answer()
        return {
            "works": {name: _rounds(processes, name, plan, tell) for name in plan.works},
            "statements": _each(processes, tell, "statements"),
            "bytes": _each(_but_plain(processes), tell, "bytes", count=plan.saves),
            "pages": _each(
                _but_plain(processes),
                tell,
                "pages",
                entries=plan.entries,
                of_the_customer=plan.of_the_customer,
                deep=plan.deep,
                rounds=plan.rounds,
            ),
        }


def _rounds(processes, work, plan, tell):
    """Let the packages take turns at a work, each round beginning with another one."""
    tell(work)
    found = {process.name: [] for process in processes}
    for number in range(plan.rounds + 1):
        start = number % len(processes)
        for process in (*processes[start:], *processes[:start]):
            found[process.name].append(process.ask("work", name=work))
    # The first round warms caches and plans.
    return {name: answers[1:] for name, answers in found.items()}


def _each(processes, tell, what, **details):
    tell(what)
    return {process.name: process.ask(what, **details) for process in processes}


def _but_plain(processes):
    return [process for process in processes if process.name != PLAIN]
