"""The servers that the tests run on: where they are, and which versions they have."""

import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import dj_database_url
import psycopg
import pymysql

from tests.servers.cluster import Cluster
from tests.servers.clusters import CLUSTERS
from tests.servers.debian import MARIADB, MYSQL, POSTGRESQL


class UnreachableError(Exception):
    """The server does not answer, or it is another product than the one asked for."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A database to run the tests on."""

    name: str
    url: str
    version: str | None = None
    problem: str = ""
    """Why the server cannot be used; empty if it can."""


def find_servers():
    """Ask each database for its version, SQLite first."""
    return [
        _find_server(name, os.environ.get(variable, default), ask)
        for name, variable, default, ask in SERVERS
    ]


def _find_server(name, url, ask: Callable):
    try:
        return Server(name=name, url=url, version=ask(url))
    except UnreachableError as error:
        return Server(name=name, url=url, problem=f"{_without_password(url)}: {error}")


def _sqlite_version(url):
    return sqlite3.sqlite_version


def _postgres_version(url):
    settings = dj_database_url.parse(url)
    try:
        connection = psycopg.connect(
            host=settings["HOST"] or None,
            port=settings["PORT"] or None,
            user=settings["USER"] or None,
            password=settings["PASSWORD"] or None,
            dbname=settings["NAME"],
            connect_timeout=3,
        )
    except psycopg.OperationalError as error:
        raise UnreachableError(str(error).splitlines()[0]) from error
    with connection:
        return connection.info.parameter_status("server_version")


def _mariadb_version(url):
    version = _version_over_the_mysql_protocol(url)
    if "MariaDB" not in version:
        raise UnreachableError(f"this is MySQL {version}")
    return version


def _mysql_version(url):
    version = _version_over_the_mysql_protocol(url)
    if "MariaDB" in version:
        raise UnreachableError(f"this is MariaDB {version}")
    return version


def _version_over_the_mysql_protocol(url):
    return _answers(url, "SELECT VERSION()")[0][0]


def _answers(url, statement):
    settings = dj_database_url.parse(url)
    try:
        connection = pymysql.connect(
            host=settings["HOST"] or "127.0.0.1",
            port=settings["PORT"] or 3306,
            user=settings["USER"],
            password=settings["PASSWORD"],
            connect_timeout=3,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    except pymysql.Error as error:
        raise UnreachableError(str(error.args[-1])) from error


def _at_least(minimum, ask: Callable):
    """Return a function that asks for the version, and takes no server that is older."""

    def checked(url):
        version = ask(url)
        found = tuple(int(number) for number in re.findall(r"\d+", version)[: len(minimum)])
        if found < minimum:
            raise UnreachableError(
                f"this is version {version}, and the tests need {'.'.join(map(str, minimum))}"
            )
        return version

    return checked


def _version_of_a(cluster: Cluster):
    """Return a function that asks for the version of a cluster whose nodes are all there."""

    def ask(urls):
        for url in urls.split(","):
            size = cluster.size(_answers(url, cluster.size_query))
            if size != len(cluster.nodes):
                raise UnreachableError(f"{_without_password(url)} is in a cluster of {size} nodes")
        return f"{_version_over_the_mysql_protocol(url)}, {size} nodes"

    return ask


def _without_password(url):
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


SERVERS = (
    # name, variable, default URL, how to ask for the version
    ("SQLite", "TEST_SQLITE_URL", "sqlite://:memory:", _sqlite_version),
    (
        "PostgreSQL",
        "TEST_POSTGRES_URL",
        "postgres://postgres@127.0.0.1:5432/postgres",
        _postgres_version,
    ),
    ("MariaDB", "TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/test", _mariadb_version),
    ("MySQL", MYSQL.variable, MYSQL.url, _at_least((8, 4), _mysql_version)),
    # Some tests skip on older servers: here they have to run.
    (
        "newest PostgreSQL",
        POSTGRESQL.variable,
        POSTGRESQL.url,
        _at_least((18,), _postgres_version),
    ),
    ("newest MariaDB", MARIADB.variable, MARIADB.url, _at_least((11, 8), _mariadb_version)),
    *(
        (one.title, one.variable, ",".join(one.urls), _version_of_a(one))
        for one in CLUSTERS.values()
    ),
)
NAMES = [name for name, *_ in SERVERS]
