"""A Galera cluster: three nodes of Debian's MariaDB on 127.0.0.1."""

import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from tests.servers.cluster import Cluster, Node
from tests.servers.debian import ROOT, answers_of, mysql_answers, run

PACKAGES = ("mariadb-server", "galera-4", "rsync", "lsof")
PROVIDER = "/usr/lib/galera/libgalera_smm.so"


class Galera(Cluster):
    """MariaDB with the Galera provider."""

    name = "galera"
    title = "Galera"
    variable = "TEST_GALERA_URLS"
    catch_up = "SET SESSION wsrep_sync_wait = 1"
    # 1213 comes from the certification by the other nodes too.
    conflicts = (1205, 1213)
    not_ready = (1047,)
    size_query = "SHOW STATUS LIKE 'wsrep\\_cluster\\_size'"

    def __init__(self) -> None:
        super().__init__(
            tuple(
                Node(
                    number=number,
                    port=3420 + number,
                    data=str(_folder(number) / "data"),
                    pid_file=_folder(number) / "pid",
                )
                for number in (1, 2, 3)
            )
        )

    def install(self) -> None:
        missing = [name for name in PACKAGES if not _is_installed(name)]
        if missing:
            run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)

    def forget(self, node: Node) -> None:
        folder = _folder(node.number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.chown(folder, "mysql", "mysql")
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

    def start_node(self, node: Node, *, is_first: bool = False) -> None:
        others = ",".join(f"127.0.0.1:{_group_port(one)}" for one in self.nodes)
        with (_folder(node.number) / "output").open("ab") as output:
            subprocess.Popen(
                [
                    *_command(node),
                    f"--wsrep-cluster-address=gcomm://{'' if is_first else others}",
                    *_position(node),
                ],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.wait_for(node)

    def is_ready(self, node: Node) -> bool:
        if not mysql_answers(node.port):
            return False
        return dict(answers_of(node.port, "SHOW STATUS LIKE 'wsrep\\_ready'")) == {
            "wsrep_ready": "ON"
        }

    def size(self, rows: Collection[tuple[str, str]]) -> int:
        return int(dict(rows).get("wsrep_cluster_size", 0))


def _folder(number: int) -> Path:
    return ROOT / "galera" / f"node{number}"


def _group_port(node: Node) -> int:
    return 4600 + 10 * node.number


def _command(node: Node) -> list[str]:
    """Return the command that runs a node, but for the cluster that it joins."""
    group, state = _group_port(node), 4700 + 10 * node.number
    folder = _folder(node.number)
    return [
        "mariadbd",
        "--no-defaults",
        "--user=mysql",
        "--bind-address=127.0.0.1",
        f"--port={node.port}",
        f"--datadir={node.data}",
        f"--socket={folder}/socket",
        f"--pid-file={node.pid_file}",
        f"--log-error={folder}/log.err",
        # What a cluster needs.
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
        "--wsrep-on=ON",
        f"--wsrep-provider={PROVIDER}",
        "--wsrep-sst-method=rsync",
        f"--wsrep-node-name=node{node.number}",
        "--wsrep-node-address=127.0.0.1",
        f"--wsrep-sst-receive-address=127.0.0.1:{3600 + 10 * node.number}",
        f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{group};"
        f"ist.recv_addr=127.0.0.1:{state};gcache.size=64M",
        # A session that lost a conflict may leave its error (1213) in its thread, and each
        # connection that gets the thread from the cache would fail with it.
        "--thread-cache-size=0",
        # What tests can do without: to survive a crash of the machine, and memory.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=OFF",
        "--innodb-buffer-pool-size=64M",
        "--performance-schema=OFF",
    ]


def _is_installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.endswith(" installed")


def _position(node: Node) -> list[str]:
    """Return the option that says how far the data of a node goes.

    A node that was killed did not write it down, and would ask for a copy of all data.
    """
    folder = _folder(node.number)
    if not (folder / "data" / "grastate.dat").exists():
        return []
    found = subprocess.run(
        [
            *_command(node),
            "--wsrep-cluster-address=gcomm://",
            "--wsrep-recover",
            f"--log-error={folder}/recovery.err",
        ],
        check=False,
        stdin=subprocess.DEVNULL,
    )
    log = (folder / "recovery.err").read_text(errors="replace")
    positions = re.findall(r"Recovered position: (\S+)", log)
    return [f"--wsrep-start-position={positions[-1]}"] if positions and not found.returncode else []
