"""The packages of the comparison, each behind the same small adapter."""

import os
from importlib import import_module

PLAIN, OURS, FLOOR = "plain", "customer-history", "floor"

PEERS = {
    PLAIN: "benchmarks.peers.base:Peer",
    OURS: "benchmarks.peers.customer_history:CustomerHistory",
    "auditlog": "benchmarks.peers.auditlog:Auditlog",
    "simple-history": "benchmarks.peers.simple_history:SimpleHistory",
    "reversion": "benchmarks.peers.reversion:Reversion",
    "easy-audit": "benchmarks.peers.easyaudit:EasyAudit",
    "pghistory": "benchmarks.peers.pghistory:PgHistory",
    "pghistory tuned": "benchmarks.peers.pghistory:TunedPgHistory",
    FLOOR: "benchmarks.peers.floor:Floor",
}
DEFAULT = [name for name in PEERS if name != FLOOR]
"""Those that are packages; the floor is for who works on this one."""


def peer_named(name):
    module, _, attribute = PEERS[name].partition(":")
    return getattr(import_module(module), attribute)()


def chosen_peer():
    """Return the adapter of the package whose process this is."""
    return peer_named(os.environ["BENCHMARK_PEER"])
