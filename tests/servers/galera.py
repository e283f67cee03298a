"""A Galera cluster: three nodes of Debian's MariaDB on 127.0.0.1.

A cluster of which no node runs starts anew, with empty databases: so it does not matter which
node was the last to end. A node that is down while another one runs joins again, with the data
that it has.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.debian import ROOT, mysql_answers, run

PACKAGES = ("mariadb-server", "galera-4", "rsync", "lsof")
PROVIDER = "/usr/lib/galera/libgalera_smm.so"
VARIABLE = "TEST_GALERA_URLS"
SECONDS_TO_START = 120
SECONDS_TO_STOP = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster; its number sets its ports and its folder."""

    number: int

    @property
    def port(self) -> int:
        """The port for SQL."""
        return 3420 + self.number

    @property
    def group_port(self) -> int:
        """The port where it talks to the other nodes."""
        return 4600 + 10 * self.number

    @property
    def folder(self) -> Path:
        """The folder for its data, its log and the file with its process id."""
        return ROOT / "galera" / f"node{self.number}"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Where the tests find it."""
        return f"mysql://root@127.0.0.1:{self.port}/test"

    def command(self) -> list[str]:
        """Return the command that runs it, but for the cluster that it joins."""
        group, state = self.group_port, 4700 + 10 * self.number
        return [
            "mariadbd",
            "--no-defaults",
            "--user=mysql",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--datadir={self.data}",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--log-error={self.folder}/log",
            # What a cluster needs.
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            f"--wsrep-provider={PROVIDER}",
            "--wsrep-sst-method=rsync",
            f"--wsrep-node-name=node{self.number}",
            "--wsrep-node-address=127.0.0.1",
            f"--wsrep-sst-receive-address=127.0.0.1:{3600 + 10 * self.number}",
            f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{group};"
            f"ist.recv_addr=127.0.0.1:{state};gcache.size=64M",
            # What tests can do without: to survive a crash of the machine, and memory.
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=OFF",
            "--innodb-buffer-pool-size=64M",
            "--performance-schema=OFF",
        ]

    def pid(self) -> int | None:
        """Return the id of its process; None: it does not run."""
        try:
            pid = int((self.folder / "pid").read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        # The number may belong to another process by now.
        return pid if f"--datadir={self.data}".encode() in arguments else None


NODES = tuple(Node(number=number) for number in (1, 2, 3))
URLS = tuple(node.url for node in NODES)


def start() -> str:
    """Start the nodes that do not run; return the setting that leads the tests to them."""
    _install()
    if not any(node.pid() for node in NODES):
        for node in NODES:
            _initialize(node)
        start_node(NODES[0], cluster="gcomm://")
    for node in NODES:
        if not node.pid():
            start_node(node)
    for node in NODES:
        wait_for(node)
    return f"{VARIABLE}={','.join(URLS)}"


def stop() -> None:
    """End the nodes that run."""
    for node in reversed(NODES):
        end(node, signal.SIGTERM)


def start_node(node: Node, *, cluster: str | None = None) -> None:
    """Start one node and wait until it has all that the cluster has."""
    if cluster is None:
        cluster = "gcomm://" + ",".join(f"127.0.0.1:{one.group_port}" for one in NODES)
    with (node.folder / "output").open("ab") as output:
        subprocess.Popen(
            [*node.command(), f"--wsrep-cluster-address={cluster}", *_position(node)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    wait_for(node)


def wait_for(node: Node) -> None:
    """Wait until a node takes statements."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not (mysql_answers(node.port) and state_of(node.port).get("wsrep_ready") == "ON"):
        if time.monotonic() > deadline:
            raise SystemExit(
                f"Node {node.number} was not ready within {SECONDS_TO_START} s. See"
                f" {node.folder}/log."
            )
        time.sleep(0.5)


def state_of(port: int) -> dict[str, str]:
    """Return what a node says of the cluster."""
    import pymysql  # noqa: PLC0415 - stop works without it

    with (
        pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=3) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW STATUS LIKE 'wsrep\\_%'")
        return dict(cursor.fetchall())


def end(node: Node, number: signal.Signals) -> None:
    """Send a signal to the process of a node and wait until it is gone."""
    if (pid := node.pid()) is None:
        return
    os.kill(pid, number)
    deadline = time.monotonic() + SECONDS_TO_STOP
    while node.pid() is not None:
        if time.monotonic() > deadline:
            raise SystemExit(f"Node {node.number} did not end within {SECONDS_TO_STOP} s.")
        time.sleep(0.2)


def forget(node: Node) -> None:
    """Remove the data of a node that does not run, so that it needs all from another one."""
    _initialize(node)


def _install() -> None:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if missing:
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def _is_installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.endswith(" installed")


def _initialize(node: Node) -> None:
    """Make an empty data directory."""
    shutil.rmtree(node.folder, ignore_errors=True)
    node.folder.mkdir(parents=True)
    shutil.chown(node.folder, "mysql", "mysql")
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            "--user=mysql",
            f"--datadir={node.data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _position(node: Node) -> list[str]:
    """Return the option that says how far the data of a node goes.

    A node that was killed did not write it down, and would ask for a copy of all data.
    """
    if not (node.data / "grastate.dat").exists():
        return []
    found = subprocess.run(
        [*node.command(), "--wsrep-recover", f"--log-error={node.folder}/recovery"],
        check=False,
        stdin=subprocess.DEVNULL,
    )
    log = (node.folder / "recovery").read_text(errors="replace")
    positions = re.findall(r"Recovered position: (\S+)", log)
    return [f"--wsrep-start-position={positions[-1]}"] if positions and not found.returncode else []
