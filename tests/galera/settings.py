"""Settings of the scenario: one database, reached through each node of a cluster."""

import os

import dj_database_url

from tests.settings import *  # noqa: F403

NAME = "history_test_galera"
ALIASES = ("default", "node2", "node3")
URLS = os.environ["TEST_GALERA_URLS"].split(",")
DATABASES = {
    alias: {**dj_database_url.parse(url), "NAME": NAME}
    for alias, url in zip(ALIASES, URLS, strict=True)
}
