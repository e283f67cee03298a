"""Database servers for the tests: `python -m tests.servers COMMAND [NAME ...]`.

- `prepare` installs what is missing (about three minutes the first time, 1.5 GB).
- `start` prepares the servers, starts those that do not run yet, and prints a line
  `TEST_..._URL=...` for each server.
- `stop` ends the servers that `start` started. What was prepared stays.
- `run NAME ... -- PROGRAM ...` starts the servers that do not run, runs a program that finds them
  in its environment, ends the servers that it started, and returns the status of the program.

The names are mysql, postgresql and mariadb, which are meant without a name, and the clusters
galera and group (MySQL Group Replication): three nodes each, whose databases are empty after each
start of the whole cluster.

It needs root and a Debian machine; where servers come from elsewhere, `TEST_MYSQL_URL` and the
like name them instead. `TEST_SERVERS_ROOT` names the folder for all of it.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tests.servers import debian
from tests.servers.clusters import CLUSTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What can be done with a server or a cluster."""

    prepare: Callable[[], None]
    start: Callable[[], str]
    """Return the setting that leads to it."""
    stop: Callable[[], None]
    is_running: Callable[[], bool]


SERVERS = {
    **{
        one.name.lower(): Commands(
            prepare=partial(debian.prepare, one),
            start=partial(debian.start, one),
            stop=partial(debian.stop, one),
            is_running=partial(debian.is_up, one),
        )
        for one in debian.SERVERS
    },
    **{
        name: Commands(
            prepare=one.install, start=one.start, stop=one.stop, is_running=one.is_running
        )
        for name, one in CLUSTERS.items()
    },
}
DEFAULT = [one.name.lower() for one in debian.SERVERS]


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    command, *rest = arguments or [""]
    at = rest.index("--") if "--" in rest else len(rest)
    names, program = rest[:at] or DEFAULT, rest[at + 1 :]
    is_known = command in ("prepare", "start", "stop", "run") and SERVERS.keys() >= set(names)
    if not is_known or (command == "run") is not bool(program):
        sys.stderr.write(__doc__ or "")
        return 2
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write("It needs root, on Debian.\n")
        return 1
    if command == "run":
        return run(names, program)
    for name in names:
        if line := getattr(SERVERS[name], command)():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0


def run(names: Sequence[str], program: Sequence[str]) -> int:
    """Run a program while servers run; end those that were started for it."""
    # `timeout` ends this process with a signal, and the servers have to end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    environment = dict(os.environ)
    with ExitStack() as stack:
        for name in names:
            if not SERVERS[name].is_running():
                stack.callback(SERVERS[name].stop)
            variable, _, url = SERVERS[name].start().partition("=")
            environment[variable] = url
        return subprocess.run(program, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
