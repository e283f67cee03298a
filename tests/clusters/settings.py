"""Settings of the scenario: one database, reached through each node of a cluster."""

import os

import dj_database_url

from tests.servers.clusters import CLUSTERS
from tests.settings import *  # noqa: F403

CLUSTER = CLUSTERS[os.environ["TEST_CLUSTER"]]
NAME = f"history_test_{CLUSTER.name}"
ALIASES = ("default", "node2", "node3")
URLS = os.environ.get(CLUSTER.variable, ",".join(CLUSTER.urls)).split(",")
DATABASES = {
    alias: {**dj_database_url.parse(url), "NAME": NAME}
    for alias, url in zip(ALIASES, URLS, strict=True)
}
