"""Fixtures for other processes: workers, and projects with other packages."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec

import pytest
from django.db import connection, connections

from tests.contrib import shipped
from tests.contrib.servers import nats_stream, redis_server
from tests.extras import skip_missing


@pytest.fixture
def shared_database(transactional_db, tmp_path):
    """Return the URL of the test database. On SQLite, a copy in a file replaces it."""
    if connection.vendor != "sqlite":
        server = os.environ["DATABASE_URL"].rpartition("/")[0]
        yield f"{server}/{connection.settings_dict['NAME']}"
        return
    in_memory, path = connections["default"], tmp_path / "shared.sqlite3"
    on_file = in_memory.copy()
    on_file.settings_dict["NAME"] = str(path)
    on_file.connect()
    in_memory.connection.backup(on_file.connection)
    connections["default"] = on_file
    name = connections.settings["default"]["NAME"]
    connections.settings["default"]["NAME"] = str(path)  # for the connections of other threads
    yield f"sqlite:///{path}"
    connections.settings["default"]["NAME"] = name
    on_file.close()
    connections["default"] = in_memory


TARGETS = {
    "file": shipped.of_file,
    "parquet": shipped.of_parquet,
    "delta": shipped.of_delta,
    "redis": shipped.of_redis,
    "nats": shipped.of_nats,
}
_PACKAGES = {"parquet": "pyarrow", "delta": "deltalake", "redis": "redis", "nats": "nats"}


_SLOW = {"delta", "redis", "nats"}


@pytest.fixture(
    params=[
        pytest.param(kind, marks=[pytest.mark.slow] if kind in _SLOW else []) for kind in TARGETS
    ]
)
def target(request, tmp_path):
    """Return the URL of an empty target and a function that reads its entries."""
    kind = request.param
    if find_spec(_PACKAGES.get(kind, "json")) is None:
        skip_missing(f"{kind}: {_PACKAGES[kind]} is not installed")
    urls = {"redis": lambda: request.getfixturevalue("redis_url"), "nats": nats_stream}
    url = urls[kind]() if kind in urls else f"{kind}:{tmp_path / 'shipped'}"
    yield url, lambda: TARGETS[kind](url)
    if kind == "nats":
        shipped.delete_stream(url)


@pytest.fixture
def redis_url(tmp_path):
    with redis_server(tmp_path) as (_server, url):
        yield url


@pytest.fixture(scope="session")
def run_scenario(django_db_setup, django_db_blocker, tmp_path_factory):
    """Return a function that runs a scenario with the named apps, in a process of its own.

    The scenarios are those of `tests.projects.others`, or of the project that is named. Each runs
    once for the same arguments; the results are not to be changed.
    """

    @cache
    def run(name, *others, project="others", **environment):
        with django_db_blocker.unblock(), _empty_database(tmp_path_factory) as url:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", f"tests.projects.{project}.scenario", name],
                env={
                    **os.environ,
                    "DATABASE_URL": url,
                    "DJANGO_SETTINGS_MODULE": f"tests.projects.{project}.settings",
                    "OTHERS": ",".join(others),
                    **environment,
                },
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)[name]

    return run


@contextmanager
def _empty_database(tmp_path_factory):
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('others')}/db.sqlite3"
        return
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    name = f"{settings['NAME']}_others"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")
