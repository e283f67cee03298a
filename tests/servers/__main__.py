"""Database servers for the tests: `python -m tests.servers start [NAME ...]`.

- `start` prepares what is missing (about three minutes the first time, 1.5 GB), starts what does
  not run yet, and prints a line `TEST_..._URL=...` for each server.
- `stop` ends the servers that `start` started. What was prepared stays.

The names are mysql, postgresql and mariadb, which are meant without a name, and galera: a
cluster of three nodes, whose databases are empty after each start of the whole cluster.

It needs root and a Debian machine; where servers come from elsewhere, `TEST_MYSQL_URL` and the
like name them instead. `TEST_SERVERS_ROOT` names the folder for all of it.
"""

import os
import shutil
import sys
from collections.abc import Callable
from functools import partial

from tests.servers import debian, galera

COMMANDS: dict[str, dict[str, Callable[[], str | None]]] = {
    "start": {
        **{one.name.lower(): partial(debian.start, one) for one in debian.SERVERS},
        "galera": galera.start,
    },
    "stop": {
        **{one.name.lower(): partial(debian.stop, one) for one in debian.SERVERS},
        "galera": galera.stop,
    },
}
DEFAULT = [one.name.lower() for one in debian.SERVERS]


def main(arguments: list[str]) -> int:
    """Run one command and return the exit status."""
    command, names = (arguments or [""])[0], arguments[1:] or DEFAULT
    if command not in COMMANDS or not COMMANDS[command].keys() >= set(names):
        sys.stderr.write(__doc__ or "")
        return 2
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write("It needs root, on Debian.\n")
        return 1
    for name in names:
        if line := COMMANDS[command][name]():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
