"""The SQL of the page on PostgreSQL roles: which writes each role is allowed."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from tests.documents import DOCS, blocks_of

PAGE = DOCS / "how-to" / "postgresql-roles.md"
NAMES = {"crm_owner": "history_test_owner", "crm_app": "history_test_app"}
DATABASE = "history_test_roles"
OWNER, APPLICATION = NAMES.values()
PASSWORD = "..."
WRITTEN = [
    ["create", "ann", "import"],
    ["update", "ann", "import"],
    ["create", "ann", "import"],
    ["add", "ann", "import"],
    ["delete", "ann", "import"],
]
DENIED = "permission denied for table customer_history_entry"


def sql_of_the_page():
    """Return the SQL blocks by their first words, with the names of the test."""
    found = [one.text for one in blocks_of(PAGE) if one.language in ("sql", "postgresql")]
    for old, new in NAMES.items():
        found = [text.replace(old, new) for text in found]
    found[0] = found[0].replace("CREATE DATABASE crm ", f"CREATE DATABASE {DATABASE} ")
    return dict(zip(("roles", "grants", "policies", "functions", "strict"), found, strict=True))


SQL = sql_of_the_page()


@contextmanager
def connected(*, user=None, database=None):
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        user=user or settings["USER"] or None,
        password=PASSWORD if user else settings["PASSWORD"] or None,
        dbname=database or "postgres",
        autocommit=True,
    ) as opened:
        yield opened


def run(text, **where):
    with connected(**where) as opened:
        # CREATE DATABASE must be a statement of its own.
        for statement in text.split(";\n") if "CREATE DATABASE" in text else [text]:
            if statement.strip():
                opened.execute(statement)


def python(*arguments, user, partitions):
    settings = connection.settings_dict
    server = f"{settings['HOST'] or '127.0.0.1'}:{settings['PORT'] or 5432}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"postgres://{user}:{PASSWORD}@{server}/{DATABASE}",
    }
    environment.pop("HISTORY_PARTITIONS", None)
    if partitions is not None:
        environment["HISTORY_PARTITIONS"] = partitions
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def dropped():
    run(f"DROP DATABASE IF EXISTS {DATABASE};\n")
    for role in NAMES.values():
        run(f"DROP ROLE IF EXISTS {role}")


class Project:
    """A project whose database has the roles of the page."""

    def __init__(self, partitions):
        self.partitions = partitions

    def migrate(self, *arguments):
        done = python(
            "django", "migrate", "-v0", *arguments, user=OWNER, partitions=self.partitions
        )
        assert done.returncode == 0, done.stderr

    def triggers_are_good(self):
        done = python("django", "history_triggers", user=OWNER, partitions=self.partitions)
        return done.returncode == 0

    def as_owner(self, name):
        run(SQL[name], user=OWNER, database=DATABASE)

    def seen(self):
        """Return what the application can do."""
        done = python("tests.projects.roles.scenario", user=APPLICATION, partitions=self.partitions)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module", params=[None, "month"], ids=["one table", "partitions"])
def seen(request):
    """Return what the application can do at each stage of the page."""
    if connection.vendor != "postgresql":
        pytest.skip("the page is about PostgreSQL")
    dropped()
    run(SQL["roles"])
    project = Project(request.param)
    project.migrate("--run-syncdb")
    project.as_owner("grants")
    stages = {"two roles": project.seen()}
    project.as_owner("policies")
    stages["before the functions"] = project.seen()
    project.as_owner("functions")
    stages["only triggers"] = project.seen()
    stages["triggers are good"] = project.triggers_are_good()
    project.as_owner("strict")
    stages["strict"] = project.seen()
    yield stages
    dropped()


class TestAllowed:
    @pytest.mark.parametrize("stage", ["two roles", "only triggers", "strict"])
    def test_tracked_writes_are_logged(self, seen, stage):
        assert seen[stage]["entries"] == WRITTEN
        assert seen[stage]["problems"] == []

    @pytest.mark.parametrize("stage", ["two roles", "only triggers"])
    def test_outputs_and_events_work(self, seen, stage):
        assert seen[stage]["outputs"] == {
            "page": 200,
            "export": 200,
            "reveal": 200,
            "record": None,
            "paused": None,
        }
        assert set(seen[stage]["actions"]) >= {
            "Confidential Values Revealed",
            "Envelope Signed",
            "History Paused",
            "History Resumed",
            "History Exported",
        }


def quoted_starts(message):
    words = message.split()
    return [f"`{' '.join(words[:number])}`" for number in range(3, len(words) + 1)]


class TestRefused:
    @pytest.mark.parametrize("stage", ["two roles", "only triggers", "strict"])
    @pytest.mark.parametrize(
        ("attempt", "message"),
        [
            ("update", DENIED),
            ("delete", DENIED),
            ("truncate", DENIED),
            ("guards off", "must be owner of table customer_history_entry"),
            ("capture off", "must be owner of table crm_customer"),
            ("policy off", "must be owner of table customer_history_entry"),
            ("drop", "must be owner of function customer_history_crm_customer_insert"),
            ("replica", 'permission denied to set parameter "session_replication_role"'),
        ],
    )
    def test_history_cannot_be_undone(self, seen, stage, attempt, message):
        assert seen[stage]["attempts"][attempt] == message
        page = PAGE.read_text(encoding="utf-8")
        assert attempt == "policy off" or any(quoted in page for quoted in quoted_starts(message))

    def test_two_roles_allow_forgery(self, seen):
        attempts = seen["two roles"]["attempts"]
        assert attempts["forged change"] is attempts["forged event"] is None

    def test_change_cannot_be_forged(self, seen):
        attempts = seen["only triggers"]["attempts"]
        policy = 'new row violates row-level security policy for table "customer_history_entry"'
        assert attempts["forged change"] == policy
        function = "permission denied for function customer_history_crm_customer_insert"
        assert attempts["lent trigger"] == function
        assert attempts["event"] is None
        for name in ("forged event", "event like a change", "event with an old key"):
            assert attempts[name] == policy
        assert attempts["event with an old time"] == policy
        for name in ("forged in a month", "delete in a month"):
            assert attempts.get(name, DENIED).startswith(f"{DENIED}")
        assert policy in PAGE.read_text(encoding="utf-8")

    def test_strict_role_records_no_events(self, seen):
        strict = seen["strict"]
        assert strict["attempts"]["forged event"] == strict["attempts"]["forged change"] == DENIED
        assert (strict["outputs"]["record"], strict["outputs"]["paused"]) == (DENIED, DENIED)
        assert (strict["outputs"]["export"], strict["outputs"]["reveal"]) == (500, 500)
        assert strict["outputs"]["page"] == 200


class TestTriggers:
    def test_trigger_without_owner_rights(self, seen):
        policy = 'new row violates row-level security policy for table "customer_history_entry"'
        assert seen["before the functions"] == {"error": policy}

    def test_triggers_match_migrate(self, seen):
        assert seen["triggers are good"] is True
