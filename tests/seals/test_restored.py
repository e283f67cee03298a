"""Sealed logs that were dumped, restored, moved to a newer server or altered in form: no findings.

The dumps are made and read by the real programs of each database.
"""

import os
import shutil
import subprocess

import dj_database_url
import pytest
from django.db import connection

from django_customer_history import history
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.feed.seals.completeness import Completeness
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.models import Entry
from tests.connections import other_database
from tests.extras import skip_missing
from tests.projects.crm.models import Customer, Employee, Specimen, Stock, Tag, Ticket
from tests.seals.bypassing import run as run_sql
from tests.seals.conftest import seal
from tests.servers.finding import find_servers

pytestmark = pytest.mark.django_db(transaction=True)


def findings(key, alias="default"):
    """Return what both verifications of a database find."""
    sealed, complete = Verification(key=key, using=alias), Completeness(using=alias)
    found = [*sealed.run(), *complete.run()]
    assert sealed.entries > 0
    assert complete.rows > 0
    return [(one.kind, one.text) for one in found]


@pytest.fixture
def sealed(key):
    """A log with values of each type, sealed."""
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("programs cannot read a database in memory")
    return written(key)


def written(key):
    log_registrations("default")
    with history.acting(
        ip_address="2001:db8::7", reason="Ünï 'quoted' \\", extra={"b": 1, "a": 0.1}
    ):
        customer = Customer.objects.create(name="Äcme", ssn="900-12-4417", api_token="x")
        customer.tags.create(name="VIP")
        Customer.objects.update(rate="44.99")
        Ticket.objects.create(customer=customer, udf={"b": 1, "a": [0.1, {"z": None}]})
        Employee.objects.create(name="Ann", badge="7", customer=customer)
        Stock.objects.create(warehouse=1, product='a "b"')
        Specimen.objects.create(
            big=2**62,
            binary=b"\x00\xff'",
            boolean=True,
            char="ß",
            decimal="12.30",
            float=0.1,
            json={"b": [1, 2.5], "a": "é"},
            datetime="2026-01-02T03:04:05.000120Z",
            date="2026-01-02",
            time="03:04:05",
            uuid="01932f6e-7b7a-4c3e-9d1e-0a1b2c3d4e5f",
            ip="203.0.113.9",
        )
        Specimen.objects.update(small=None, char="x")
        Tag.objects.create(name="gone").delete()
    seal()
    assert findings(key) == []
    return key


def program(name, *arguments, server, stdin=None, stdout=None):
    if shutil.which(name) is None:
        skip_missing(f"the program {name}")
    environment = {**os.environ, "PGPASSWORD": server["PASSWORD"], "MYSQL_PWD": server["PASSWORD"]}
    done = subprocess.run(
        [name, *arguments],
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def place(server):
    """Return the options of a program that name a server."""
    host, port = server["HOST"] or "127.0.0.1", server["PORT"]
    if connection.vendor == "postgresql":
        return [f"--host={host}", f"--port={port or 5432}", f"--username={server['USER']}"]
    return [f"--host={host}", f"--port={port or 3306}", f"--user={server['USER']}"]


def restored_at(server, name, path):
    """Dump the database of the test, and restore it as another one on a server."""
    own = connection.settings_dict
    if connection.vendor == "postgresql":
        program("pg_dump", *place(own), f"--file={path}", own["NAME"], server=own)
        program("dropdb", *place(server), "--if-exists", name, server=server)
        program("createdb", *place(server), name, server=server)
        options = ["--set=ON_ERROR_STOP=1", "--quiet", f"--file={path}", f"--dbname={name}"]
        program("psql", *place(server), *options, server=server, stdout=subprocess.DEVNULL)
        return
    dump = ["--single-transaction", "--triggers", "--hex-blob", f"--result-file={path}"]
    program("mariadb-dump", *place(own), *dump, own["NAME"], server=own)
    create = f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4"
    program("mariadb", *place(server), f"--execute={create}", server=server)
    with path.open("rb") as file:
        program("mariadb", *place(server), f"--database={name}", server=server, stdin=file)


def dropped(server, name):
    if connection.vendor == "postgresql":
        program("dropdb", *place(server), name, server=server)
    else:
        program("mariadb", *place(server), f"--execute=DROP DATABASE {name}", server=server)


class TestNoFalseAlarm:
    def test_dump_and_restore(self, sealed, tmp_path):
        own, name = connection.settings_dict, f"{connection.settings_dict['NAME']}_again"
        restored_at(own, name, tmp_path / "dump.sql")
        try:
            with other_database("restored", NAME=name) as alias:
                assert findings(sealed, alias) == []
        finally:
            dropped(own, name)

    @pytest.mark.slow
    def test_newer_server(self, sealed, tmp_path):
        """From PostgreSQL 15 to 18, and from MariaDB 10.11 to 11.8."""
        product = "PostgreSQL" if connection.vendor == "postgresql" else "MariaDB"
        if connection.display_name != product:
            pytest.skip("about PostgreSQL and MariaDB")
        (newer,) = [one for one in find_servers() if one.name == f"newest {product}"]
        if newer.problem:
            skip_missing(newer.problem)
        server, name = dj_database_url.parse(newer.url), "history_test_upgraded"
        restored_at(server, name, tmp_path / "dump.sql")
        names = {one: server[one] for one in ("HOST", "PORT", "USER", "PASSWORD")}
        try:
            with other_database("restored", **{**names, "NAME": name}) as alias:
                assert findings(sealed, alias) == []
        finally:
            dropped(server, name)

    def test_collation_of_columns(self, sealed):
        if connection.vendor == "postgresql":
            change = 'ALTER TABLE {0} ALTER COLUMN {1} TYPE varchar({2}) COLLATE "{3}"'
            new, old = "C", "default"
        elif connection.vendor == "mysql":
            change = "ALTER TABLE {0} MODIFY {1} varchar({2}) COLLATE {3} NOT NULL"
            new, old = "utf8mb4_general_ci", "utf8mb4_unicode_ci"
        else:
            pytest.skip("a column of SQLite keeps its collation")
        columns = [("crm_tag", "name", 40), ("crm_customer", "name", 100)]
        run_sql(*(change.format(*one, new) for one in columns))
        try:
            assert [one for one in findings(sealed) if "stale" not in one[1]] == []
        finally:
            run_sql(*(change.format(*one, old) for one in columns))


class TestFilesOfSQLite:
    @pytest.mark.parametrize("command", [".backup {0}", ".dump"])
    def test_copied(self, key, tmp_path, command):
        if connection.vendor != "sqlite":
            pytest.skip("about SQLite")
        first, second = tmp_path / "first.sqlite3", tmp_path / "second.sqlite3"
        written(key)
        run_sql(f"VACUUM INTO '{first}'")
        if command == ".dump":
            with (tmp_path / "dump.sql").open("wb") as file:
                program("sqlite3", str(first), ".dump", server={"PASSWORD": ""}, stdout=file)
            with (tmp_path / "dump.sql").open("rb") as file:
                program("sqlite3", str(second), server={"PASSWORD": ""}, stdin=file)
        else:
            program("sqlite3", str(first), command.format(second), server={"PASSWORD": ""})
        with other_database("restored", NAME=str(second)) as alias:
            assert Entry.objects.using(alias).count() == Entry.objects.count()
            assert findings(key, alias) == []
