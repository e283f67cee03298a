"""A log with a key for its seals, and how an attacker changes it."""

import subprocess
import sys
from importlib.util import find_spec
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, models

from django_customer_history.backends import backend_of
from django_customer_history.capture.triggers import append_only_triggers
from django_customer_history.feed.seals.keys import SealKey, key_of_settings
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.models import Seal
from tests.documents import PACKAGE
from tests.extras import skip_missing


@pytest.fixture(autouse=True)
def packages():
    """Skip the test without the packages of the extra `seals`."""
    for name in ("cryptography", "rfc8785"):
        if find_spec(name) is None:
            skip_missing(f"{name} is not installed")


@pytest.fixture
def key(settings, tmp_path, monkeypatch):
    """The key of the setting SEAL_KEY."""
    # On SQLite the lock of the sealer is a file; tests that run at the same time have one each.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = tmp_path / "seal.key"
    SealKey.new("example.com/history").write(path)
    settings.CUSTOMER_HISTORY = {
        "SEAL_KEY": str(path),
        "SEAL_TARGETS": [f"file:{tmp_path}/copies"],
    }
    return key_of_settings()


@pytest.fixture
def copies(tmp_path, key):
    """Return the files of the published checkpoints, the oldest first."""
    return lambda: sorted((tmp_path / "copies").rglob("*.checkpoint"))


def run(command, *args, **options):
    """Run a command and return what it prints."""
    out = StringIO()
    call_command(command, *args, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def verify_offline(path, key):
    """Run the verifier of a file in a process of its own, in which Django cannot be imported."""
    program = (
        "import runpy, sys; sys.modules['django'] = None;"
        " runpy.run_module('django_customer_history.verify', run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(path), "--key", str(key.verifier)],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def seal(**options):
    """Seal the log; return the last seal."""
    run("history_seal", **options)
    return Seal.objects.latest("id")


def attack(*statements, parameters=()):
    """Run SQL as the owner of the tables, with the append-only triggers dropped meanwhile."""
    backend, triggers = backend_of(connection), append_only_triggers(connection)
    with connection.cursor() as cursor:
        for trigger in triggers:
            for sql in backend.drop(trigger):
                cursor.execute(sql)
        for sql in statements:
            cursor.execute(sql, parameters or None)
        for trigger in triggers:
            for sql in trigger.statements:
                cursor.execute(sql)


def key_in_sql(key):
    """Return the key of an entry as SQL takes it."""
    return models.UUIDField().get_db_prep_value(key, connection)


def change(entry, column, value):
    """Change a column of an entry, as the owner of the tables."""
    attack(
        f"UPDATE customer_history_entry SET {column} = %s WHERE id = %s",
        parameters=[value, key_in_sql(entry.id)],
    )


def found(key, **options):
    """Return the kinds and the entries of what a verification finds."""
    verification = Verification(key=key, using="default", **options)
    return [(one.kind, one.entry) for one in verification.run()]
