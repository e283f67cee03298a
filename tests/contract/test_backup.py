"""The commands of the page on backups, run with the programs of each database."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction

from django_customer_history import (
    history,
    masks,
)
from django_customer_history.capture.partitions import partitions
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.feed.seals.completeness import Completeness
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from tests.connections import other_database
from tests.documents import DOCS, blocks_of
from tests.extras import skip_missing
from tests.projects.crm.models import Customer

PAGE = DOCS / "how-to" / "backup.md"
FIRST_PROGRAM = {"postgresql": "pg_dump", "mysql": "mariadb-dump", "sqlite": "sqlite3"}
MONTH = "customer_history_entry_2026_01"
pytestmark = pytest.mark.django_db(transaction=True)


def blocks(language):
    return [one.text for one in blocks_of(PAGE) if one.language == language]


def run(text, folder):
    """Run command lines in a folder, as the database user of the tests."""
    settings = connection.settings_dict
    host, port = settings["HOST"] or "127.0.0.1", settings["PORT"]
    options = {"user": settings["USER"], "password": settings["PASSWORD"], "host": host}
    client = [f"{name}={value}" for name, value in {**options, "port": port}.items() if value]
    (folder / ".my.cnf").write_text("\n".join(["[client]", *client, ""]), encoding="utf-8")
    environment = {**os.environ, "HOME": str(folder), "PGHOST": host, "PGUSER": settings["USER"]}
    environment |= {"PGPORT": str(port or 5432), "PGPASSWORD": settings["PASSWORD"]}
    for line in text.splitlines():
        command = shlex.split(line.removeprefix("$ "))
        if shutil.which(command[0]) is None:
            skip_missing(f"the program {command[0]}")
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def original(tmp_path):
    """Return the alias of a database that a program can copy."""
    if connection.vendor != "sqlite":
        log_registrations("default")
        yield "default"
        return
    with other_database("kept", NAME=str(tmp_path / "db.sqlite3")) as alias:
        call_command("migrate", database=alias, verbosity=0)
        yield alias


@pytest.fixture
def restored(original, tmp_path, django_user_model):
    """Return the alias of a database that was restored from a backup."""
    ann = django_user_model.objects.db_manager(original).create_user("ann")
    with history.acting(user=ann, source="import", ip_address="203.0.113.9", reason="spring"):
        customer = Customer.objects.using(original).create(name="Äcme", ssn="900-12-4417")
        customer.notes.create(text="Called, and 'quoted' \\ it")
        Customer.objects.using(original).update(rate="44.99")
        customer.notes.all().delete()
    ConfidentialField.objects.using(original).create(
        model="crm.customer", field="rate", mask=masks.FULL.name
    )
    program = FIRST_PROGRAM[connection.vendor]
    (text,) = [one for one in blocks("console") if program in one and "2026" not in one]
    if connection.vendor == "sqlite":
        name = tmp_path / "copy.sqlite3"
    else:
        database_name = connection.settings_dict["NAME"]
        name = f"{database_name}_restored"
        drop_database(name)
        text = re.sub(r"\bcrm_restored\b", name, text)
        text = re.sub(r"(?<=[ =])crm$", database_name, text, flags=re.MULTILINE)
    run(text, tmp_path)
    with other_database("restored", NAME=name) as alias:
        yield alias
    if connection.vendor != "sqlite":
        drop_database(name)


def drop_database(name):
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(name)}")


def log_of(alias):
    return list(Entry.objects.using(alias).order_by("id").values())


class TestRestoredBackup:
    def test_restored_log_continues(self, original, restored):
        assert log_of(original)
        assert log_of(restored) == log_of(original)
        assert compare_triggers(connections[restored]).problems() == []
        with history.acting(source="command", reason="after the fire"):
            Customer.objects.using(restored).update(rate="45.00")
        entry = Entry.objects.using(restored).order_by("id").last()
        assert entry.changes == {"rate": ["44.99", "45.00"]}
        assert (entry.source, entry.context) == ("command", {"reason": "after the fire"})
        assert_append_only(restored)

    def test_nothing_is_found(self, original, restored):
        """What a dump and a restore do to rows and entries is no difference."""
        for alias in (original, restored):
            comparison = Completeness(using=alias)
            assert list(comparison.run()) == []
            assert comparison.rows > 0
        Customer.objects.using(restored).update(rate="45.00")
        assert list(Completeness(using=restored).run()) == []


def assert_append_only(alias):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(using=alias):
        connections[alias].cursor().execute("UPDATE customer_history_entry SET action = 'x'")


class TestDetachedMonth:
    def test_month_is_attached_again(self, tmp_path):
        if not partitions(connection):
            pytest.skip("the log is one table")
        Customer.objects.create(name="Acme")
        before = log_of("default")
        (month,) = [
            one.name for one in partitions(connection) if contains_entry(one.name, before[-1]["id"])
        ]
        detaching, attaching = (text.replace(MONTH, month) for text in blocks("sql"))
        commands = [text.replace(MONTH, month) for text in blocks("console") if MONTH in text]
        commands += [
            text for text in blocks("console") if "2026_01.dump" in text and MONTH not in text
        ]
        dump, restore = [
            re.sub(
                r"(?<=[ =])crm(?= |$)", connection.settings_dict["NAME"], text, flags=re.MULTILINE
            )
            for text in commands
        ]
        bounds, detach = detaching.split(";\n")[:2]
        with connection.cursor() as cursor:
            cursor.execute(bounds)
            (saved_bounds,) = cursor.fetchone()
            cursor.execute(detach)
        run(dump, tmp_path)
        assert log_of("default") == []
        run(restore, tmp_path)
        with connection.cursor() as cursor:
            cursor.execute(attaching.replace("FOR VALUES FROM ('...') TO ('...')", saved_bounds))
        assert log_of("default") == before
        assert compare_triggers(connection).problems() == []
        assert_append_only("default")


def contains_entry(partition, key):
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{partition}" WHERE id = %s', [key])
        return cursor.fetchone() == (1,)
