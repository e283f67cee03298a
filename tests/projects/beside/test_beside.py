"""Together with other history packages: each keeps its history, and nothing is logged twice."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from django.db import connection

from tests.extras import skip_missing

WRITTEN = [
    ["create", [None, "39.99"]],
    ["update", ["39.99", "44.99"]],
    ["update", ["44.99", "49.99"]],
    ["delete", ["49.99", None]],
]
NAME = "history_test_beside"


@pytest.fixture
def database(transactional_db, tmp_path):
    """Return the URL of an empty database."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path}/db.sqlite3"
        return
    scheme = {"postgresql": "postgres", "mysql": "mysql"}[connection.vendor]
    user = ":".join(filter(None, [settings["USER"], settings["PASSWORD"]]))
    server = ":".join(filter(None, [settings["HOST"] or "127.0.0.1", str(settings["PORT"] or "")]))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME}")
        cursor.execute(f"CREATE DATABASE {NAME}")
    yield f"{scheme}://{user}@{server}/{NAME}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME}")


class TestOtherPackages:
    def test_each_package_has_its_entries(self, database):
        missing = [name for name in ("easyaudit", "reversion") if find_spec(name) is None]
        if missing:
            skip_missing(f"{', '.join(missing)}: not installed")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.projects.beside.scenario"],
            env={
                **os.environ,
                "DATABASE_URL": database,
                "DJANGO_SETTINGS_MODULE": "tests.projects.beside.settings",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen["entries"] == WRITTEN
        assert seen["reversion"] == 1
        # easy-audit does not record `queryset.update()`.
        assert seen["easy-audit"] == 3
        if connection.vendor == "postgresql" and find_spec("pghistory") is not None:
            assert seen["pghistory"] == ["insert", "update", "update", "delete"]
            assert seen["after pghistory"] == seen["back"] == WRITTEN
        assert seen["problems"] == []
        assert seen["models"] == ["beside.customer"]
