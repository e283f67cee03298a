"""SQL of one database, and changes of tables as migrations make them."""

import pytest
from django.db import connection, migrations
from django.db.migrations.state import ProjectState


def run(*statements):
    """Run SQL without the schema editor, so that no trigger is updated. Return the last rows."""
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def migrate(*statements):
    """Run SQL as a migration does, so that the triggers are updated."""
    state = ProjectState()
    with connection.schema_editor() as editor:
        for sql in statements:
            migrations.RunSQL(sql).database_forwards("crm", editor, state, state)


@pytest.fixture
def altered():
    """Change tables as a migration does, and undo each change after the test."""
    undo = []

    def change(*, forwards, backwards):
        undo.append(backwards)
        migrate(forwards)

    yield change
    for sql in reversed(undo):
        migrate(sql)


def skip_unless(*, mariadb, version):
    """Skip the test unless the server is MariaDB or MySQL of at least a version."""
    name = "MariaDB" if mariadb else "MySQL"
    minimum = ".".join(map(str, version))
    if connection.vendor != "mysql" or connection.mysql_is_mariadb is not mariadb:
        pytest.skip(f"a feature of {name} {minimum}")
    if connection.mysql_version < version:
        found = ".".join(map(str, connection.mysql_version))
        pytest.skip(f"a feature of {name} {minimum}, and the server is {found}")


def skip_unless_mysql_protocol():
    """Skip the test unless the server is MariaDB or MySQL."""
    if connection.vendor != "mysql":
        pytest.skip("a feature of MariaDB and MySQL")
