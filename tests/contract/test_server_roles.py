"""Roles of MySQL that may not create triggers: `migrate` says what to grant, and can run again."""

import os
import subprocess
import sys
import uuid

import pytest
from django.db import connection

from tests.contract.conftest import run, skip_unless
from tests.extras import skip_missing

# Two runs on one server do not meet.
ROLE = f"history_test_{uuid.uuid4().hex[:8]}"
RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES,"
    " CREATE TEMPORARY TABLES, LOCK TABLES"
)


def migrate_as_role():
    """Run `migrate` in another process, as the role."""
    settings = connection.settings_dict
    url = f"mysql://{ROLE}:pw@{settings['HOST'] or '127.0.0.1'}:{settings['PORT'] or 3306}/{ROLE}"
    return subprocess.run(
        [sys.executable, "-m", "django", "migrate", "-v0"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def role(transactional_db):
    """A database, and a role with all rights on it but TRIGGER."""
    skip_unless(mariadb=False, version=(8, 4))
    ((trust,),) = run("SELECT @@log_bin_trust_function_creators")
    run(
        # It matters only where the server writes a binary log.
        "SET GLOBAL log_bin_trust_function_creators = ON",
        f"DROP DATABASE IF EXISTS {ROLE}",
        f"DROP USER IF EXISTS {ROLE}@'%'",
        f"CREATE DATABASE {ROLE} CHARACTER SET utf8mb4",
        f"CREATE USER {ROLE}@'%' IDENTIFIED BY 'pw'",
        f"GRANT {RIGHTS} ON {ROLE}.* TO {ROLE}@'%'",
    )
    yield ROLE
    run(f"DROP DATABASE {ROLE}", f"DROP USER {ROLE}@'%'")
    run(f"SET GLOBAL log_bin_trust_function_creators = {trust}")


def tables_of_the_package():
    return run(f"SHOW TABLES FROM {ROLE} LIKE 'customer\\_history%'")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
class TestRoleWithoutTrigger:
    def test_error_names_the_grant(self, role):
        """Nothing was created before the error, so `migrate` can run again after the grant."""
        done = migrate_as_role()
        assert done.returncode == 1
        assert done.stderr.rstrip().endswith(
            "The database role needs the TRIGGER privilege on 'django_migrations'. Run as an"
            f" administrator: GRANT TRIGGER ON `{ROLE}`.* TO '{ROLE}'@'%'; Then run migrate again."
        )
        assert not tables_of_the_package()
        run(f"GRANT TRIGGER ON {ROLE}.* TO {ROLE}@'%'")
        done = migrate_as_role()
        assert done.returncode == 0, done.stderr
        assert tables_of_the_package()

    def test_password_of_the_default_plugin(self, role):
        """The driver logs in with caching_sha2_password, so the other tests use it too."""
        found = run(f"SELECT plugin FROM mysql.user WHERE user = '{ROLE}'")
        assert [plugin for (plugin,) in found] == ["caching_sha2_password"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
class TestBinaryLog:
    """A server with a binary log lets only SUPER create triggers, unless it trusts all roles."""

    @pytest.fixture(autouse=True)
    def _trust(self, role):
        if run("SELECT @@log_bin")[0] != (1,):
            skip_missing("a MySQL server with a binary log, which is its default")
        run("SET GLOBAL log_bin_trust_function_creators = OFF")
        run(f"GRANT TRIGGER ON {ROLE}.* TO {ROLE}@'%'")

    def test_error_names_the_option(self):
        done = migrate_as_role()
        assert done.returncode == 1
        assert "(1419, " in done.stderr
        assert done.stderr.rstrip().endswith(
            "Run as an administrator: SET GLOBAL log_bin_trust_function_creators = 1; and add"
            " log_bin_trust_function_creators = 1 to the options of the server. Then run migrate"
            " again."
        )
        assert not tables_of_the_package()
        run("SET GLOBAL log_bin_trust_function_creators = ON")
        done = migrate_as_role()
        assert done.returncode == 0, done.stderr
        assert tables_of_the_package()
