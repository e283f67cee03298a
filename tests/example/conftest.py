"""The demo, run twice as a user runs it: first to fill the database, then to serve the site.

It uses its own database: a SQLite file, or a database on the server of `DATABASE_URL` that is
created for it and dropped at the end.
"""

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from demo.browser import Browser

CUSTOMERS = 30
"""A few more than the story has, so that some are imported and added over the API."""

MANAGE = Path(__file__).parents[2] / "example_project" / "manage.py"


@pytest.fixture(scope="session")
def environment(tmp_path_factory, worker_name):
    folder = tmp_path_factory.mktemp("demo")
    server = urlsplit(os.environ.get("DATABASE_URL", "sqlite://:memory:"))
    with database_of_its_own(server, folder, worker_name) as url:
        yield os.environ | {
            "DATABASE_URL": url,
            "MEDIA_ROOT": str(folder / "media"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }


@pytest.fixture(scope="session")
def worker_name():
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@contextmanager
def database_of_its_own(server, folder, worker_name):
    if server.scheme.startswith("sqlite"):
        yield f"sqlite:///{folder / 'demo.sqlite3'}"
        return
    name = f"demo_of_{server.path.strip('/')}_{worker_name}"
    execute = on_postgresql if server.scheme.startswith("postgres") else on_mariadb
    execute(server, f"DROP DATABASE IF EXISTS {name}")
    execute(server, f"CREATE DATABASE {name}")
    try:
        yield server._replace(path=f"/{name}").geturl()
    finally:
        execute(server, f"DROP DATABASE {name}")


def on_postgresql(server, sql):
    url = server._replace(scheme="postgresql", path="/postgres").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql)


def on_mariadb(server, sql):
    connection = pymysql.connect(
        host=server.hostname or "127.0.0.1",
        port=server.port or 3306,
        user=server.username,
        password=server.password or "",
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(f"{sql} CHARACTER SET utf8mb4" if sql.startswith("CREATE") else sql)


@pytest.fixture(scope="session")
def first_run(environment):
    command = [sys.executable, MANAGE, "demo", "--no-serve", "--customers", str(CUSTOMERS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def second_run(environment, first_run):
    """Run the demo again, and serve the site until the tests are done."""
    with serving(environment) as served:
        yield served


@contextmanager
def serving(environment):
    """Serve the existing demo until the block ends, and yield its URL and output."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, MANAGE, "demo", "--port", str(port)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            output = "".join(lines_until(server.stdout, "Stop with Ctrl-C.\n"))
            yield SimpleNamespace(site=f"http://127.0.0.1:{port}", output=output)
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def first_page(second_run):
    return re.search(r"Open first: http://[^/]+(\S+)", second_run.output).group(1)


@pytest.fixture(scope="session")
def people(second_run):
    """Return a function that returns a user's browser, logged in once for all tests."""
    browsers = {}

    def browser_of(name):
        if name not in browsers:
            browsers[name] = Browser(second_run.site, ip_address="192.0.2.1")
            browsers[name].log_in(name, "demo")
        return browsers[name]

    return browser_of


@pytest.fixture(scope="session")
def manager(people):
    return people("manager")


@pytest.fixture(scope="session")
def clerk(people):
    return people("clerk")


def lines_until(stream, last):
    for line in stream:
        yield line
        if line == last:
            return
