"""The packages of the comparison, each behind the same small adapter."""

import os
from importlib import import_module

PLAIN, OURS, LOWER_BOUND = "plain", "customer-history", "lower-bound"

PEERS = {
    PLAIN: "benchmarks.peers.base:Peer",
    OURS: "benchmarks.peers.customer_history:CustomerHistory",
    "auditlog": "benchmarks.peers.auditlog:Auditlog",
    "simple-history": "benchmarks.peers.simple_history:SimpleHistory",
    "reversion": "benchmarks.peers.reversion:Reversion",
    "easy-audit": "benchmarks.peers.easyaudit:EasyAudit",
    "pghistory": "benchmarks.peers.pghistory:PgHistory",
    "pghistory tuned": "benchmarks.peers.pghistory:TunedPgHistory",
    LOWER_BOUND: "benchmarks.peers.lower_bound:LowerBound",
}
DEFAULT = [name for name in PEERS if name != LOWER_BOUND]
"""The packages. The lower bound is for developers of this one."""


def peer_named(name):
    module, _, attribute = PEERS[name].partition(":")
    return getattr(import_module(module), attribute)()


def chosen_peer():
    """Return the adapter of the package that this process measures."""
    return peer_named(os.environ["BENCHMARK_PEER"])
