"""MySQL Group Replication: three nodes of MySQL 9 on 127.0.0.1, and each of them takes writes.

The server and its plugin are those of the folder that `debian` makes; the nodes run there too.
"""

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from tests.servers.cluster import Cluster, Node
from tests.servers.debian import MYSQL, answers_of, mysql_answers, prepare, run

GROUP = "6f4c3bd6-0b0d-4ad5-9a8c-0a7c3f1f2f11"
"""The name of the group: any UUID."""
_DATA = "/var/lib/dch-group"
_RUN = "/run/dch-group"
_STATE = (
    "SELECT member_state, member_id FROM performance_schema.replication_group_members"
    " WHERE member_id = @@server_uuid"
)


class GroupReplication(Cluster):
    """MySQL with the plugin for Group Replication, without a primary node."""

    name = "group"
    title = "Group Replication"
    variable = "TEST_GROUP_URLS"
    catch_up = "SET SESSION group_replication_consistency = 'BEFORE'"
    # 3101: the other nodes refused the transaction. 1180 is the same from an older server.
    conflicts = (1205, 1213, 3101, 1180)
    # 1290: a node that is about to join is read-only. 3100, 3796: the group is about to change.
    not_ready = (1290, 3100, 3796, 3797)
    size_query = (
        "SELECT member_id, member_state FROM performance_schema.replication_group_members"
        " WHERE member_state = 'ONLINE'"
    )

    def __init__(self) -> None:
        super().__init__(
            tuple(
                Node(
                    number=number,
                    port=3430 + number,
                    data=f"{_DATA}/node{number}",
                    pid_file=_path(_RUN) / f"pid{number}",
                )
                for number in (1, 2, 3)
            )
        )

    def install(self) -> None:
        prepare(MYSQL)

    def forget(self, node: Node) -> None:
        shutil.rmtree(_path(node.data), ignore_errors=True)
        script = (
            f"mkdir -p {_DATA} {_RUN}; chown mysql {_DATA} {_RUN};"
            " exec mysqld --no-defaults --initialize-insecure --user=mysql"
            f" --datadir={node.data} --log-error={_RUN}/log{node.number}.err"
        )
        run("chroot", str(MYSQL.root), "sh", "-c", script)

    def start_node(self, node: Node, *, is_first: bool = False) -> None:
        # It names the process of a node that was killed, which its parent may not have waited for.
        _path(f"{_RUN}/socket{node.number}.lock").unlink(missing_ok=True)
        subprocess.Popen(
            ["chroot", str(MYSQL.root), *self._command(node)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.wait_until(lambda: mysql_answers(node.port), node)
        answers_of(
            node.port,
            "CHANGE REPLICATION SOURCE TO SOURCE_USER = 'root', SOURCE_PASSWORD = ''"
            " FOR CHANNEL 'group_replication_recovery'",
        )
        if is_first:
            # What the initialization wrote is not part of what the nodes share.
            answers_of(node.port, "RESET BINARY LOGS AND GTIDS")
            answers_of(node.port, "SET GLOBAL group_replication_bootstrap_group = ON")
        elif not _is_known(node):
            answers_of(node.port, "RESET BINARY LOGS AND GTIDS")
        answers_of(node.port, "START GROUP_REPLICATION")
        answers_of(node.port, "SET GLOBAL group_replication_bootstrap_group = OFF")
        self.wait_for(node)

    def is_ready(self, node: Node) -> bool:
        if not mysql_answers(node.port):
            return False
        return [state for state, _ in answers_of(node.port, _STATE)] == ["ONLINE"]

    def size(self, rows: Collection[tuple[str, str]]) -> int:
        return len(rows)

    def _command(self, node: Node) -> list[str]:
        number = node.number
        return [
            "mysqld",
            "--no-defaults",
            "--user=mysql",
            "--bind-address=127.0.0.1",
            f"--port={node.port}",
            f"--datadir={node.data}",
            f"--socket={_RUN}/socket{number}",
            f"--pid-file={_RUN}/pid{number}",
            f"--log-error={_RUN}/log{number}.err",
            "--mysqlx=OFF",
            "--secure-file-priv=",
            # What a group needs.
            f"--server-id={number}",
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--report-host=127.0.0.1",
            "--plugin-load-add=group_replication.so",
            f"--loose-group-replication-group-name={GROUP}",
            "--loose-group-replication-start-on-boot=OFF",
            # No client may write before the node is a member: such transactions are of no group.
            "--super-read-only=ON",
            f"--loose-group-replication-local-address=127.0.0.1:{_group_port(number)}",
            "--loose-group-replication-group-seeds="
            + ",".join(f"127.0.0.1:{_group_port(one.number)}" for one in self.nodes),
            "--loose-group-replication-single-primary-mode=OFF",
            "--loose-group-replication-enforce-update-everywhere-checks=ON",
            "--loose-group-replication-member-expel-timeout=1",
            "--loose-group-replication-recovery-reconnect-interval=2",
            # What tests can do without: to survive a crash of the machine, and memory. A node must
            # survive a crash of its process: with 0 its rows would be older than its binary log,
            # and after it joined again, its writers would go on from the old rows.
            "--innodb-flush-log-at-trx-commit=2",
            "--sync-binlog=0",
            "--innodb-doublewrite=OFF",
            "--innodb-buffer-pool-size=64M",
        ]


def _group_port(number: int) -> int:
    return 4800 + number


def _path(path: str) -> Path:
    """Return a path of the folder in which the nodes run, as this process sees it."""
    return MYSQL.root / path.lstrip("/")


def _is_known(node: Node) -> bool:
    """Return whether a node has been a member of the group."""
    ((executed,),) = answers_of(node.port, "SELECT @@GLOBAL.gtid_executed")
    return GROUP in executed
