"""What the clusters have in common: three nodes on 127.0.0.1, each a process of its own."""

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

SECONDS_TO_STOP = 60
SECONDS_TO_START = 300  # A node that was emptied gets all transactions again, while others write.


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a cluster."""

    number: int
    port: int
    """The port for SQL."""
    data: str
    """The data directory, as the process sees it."""
    pid_file: Path

    @property
    def url(self) -> str:
        """Where the tests find it."""
        return f"mysql://root@127.0.0.1:{self.port}/test"

    def pid(self) -> int | None:
        """Return the id of its process; None: it does not run."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if self.is_process(pid) else None

    def is_process(self, pid: int) -> bool:
        """Return whether a process is this node's: its number may belong to another one by now."""
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"--datadir={self.data}".encode() in arguments


class Cluster(ABC):
    """Three nodes; every node takes writes.

    When no node runs, `start` makes a new cluster with empty databases, so it does not matter which
    node stopped last. When some nodes run, the others join again with the data that they have.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable that gives the URLs to the tests."""
    catch_up: ClassVar[str]
    """SQL after which a session sees all that any node has committed."""
    conflicts: ClassVar[Collection[int]]
    """Errors of a transaction that lost against another one: it wrote nothing."""
    not_ready: ClassVar[Collection[int]]
    """Errors of a node that is about to join, or to count the nodes: nothing was written."""
    size_query: ClassVar[str]
    """SQL that tells the number of nodes; `size` reads its answer."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes

    def start(self) -> str:
        """Start the nodes that do not run; return the setting that leads the tests to them."""
        self.install()
        if not self.is_running():
            for node in self.nodes:
                self.forget(node)
            self.start_node(self.nodes[0], is_first=True)
        for node in self.nodes:
            if not node.pid():
                self.start_node(node)
        for node in self.nodes:
            self.wait_for(node)
        return f"{self.variable}={','.join(self.urls)}"

    def stop(self) -> None:
        """End the nodes that run."""
        for node in reversed(self.nodes):
            self.end(node, signal.SIGTERM)

    def is_running(self) -> bool:
        """Return whether any of the nodes runs."""
        return any(node.pid() for node in self.nodes)

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the tests find the nodes."""
        return tuple(node.url for node in self.nodes)

    @abstractmethod
    def install(self) -> None:
        """Install what is missing."""

    @abstractmethod
    def forget(self, node: Node) -> None:
        """Give a node that does not run an empty data directory."""

    @abstractmethod
    def start_node(self, node: Node, *, is_first: bool = False) -> None:
        """Start one node and wait until it has all that the cluster has."""

    @abstractmethod
    def is_ready(self, node: Node) -> bool:
        """Return whether a node takes statements of its clients."""

    @abstractmethod
    def size(self, rows: Collection[tuple[str, str]]) -> int:
        """Return the number of nodes from the answer to `size_query`."""

    def wait_for(self, node: Node) -> None:
        """Wait until a node takes statements."""
        self.wait_until(lambda: self.is_ready(node), node)

    def wait_until(self, is_done: Callable[[], bool], node: Node) -> None:
        """Wait for a node."""
        deadline = time.monotonic() + SECONDS_TO_START
        while not is_done():
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"Node {node.number} of {self.title} was not ready within"
                    f" {SECONDS_TO_START} s. See {node.pid_file.parent}."
                )
            time.sleep(0.5)

    def end(self, node: Node, number: signal.Signals) -> None:
        """Send a signal to the process of a node and wait until it is gone."""
        if (pid := node.pid()) is None:
            return
        os.kill(pid, number)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while node.is_process(pid):
            if time.monotonic() > deadline:
                raise SystemExit(f"Node {node.number} did not end within {SECONDS_TO_STOP} s.")
            time.sleep(0.2)
