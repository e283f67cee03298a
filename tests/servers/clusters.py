"""The clusters by their names."""

from collections.abc import Mapping

from tests.servers.cluster import Cluster
from tests.servers.galera import Galera
from tests.servers.group_replication import GroupReplication

CLUSTERS: Mapping[str, Cluster] = {one.name: one for one in (Galera(), GroupReplication())}
