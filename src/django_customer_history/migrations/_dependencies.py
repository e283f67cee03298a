"""Everything that the migrations of this package import.

Migrations are frozen once they are released. They import from here and from nowhere else, so that
code can move without a change to a migration.
"""

from django.db import connections, migrations

from django_customer_history.backends import SUPPORTED_VENDORS
from django_customer_history.capture.triggers import check_privileges, prepare_log, remove_all
from django_customer_history.keys import time_ordered_uuid
from django_customer_history.values.json_field import JSONTextField

__all__ = ["CheckPrivileges", "JSONTextField", "PrepareLog", "time_ordered_uuid"]


class CheckPrivileges(migrations.RunPython):
    """Fail before anything is created, if the database role may not create triggers."""

    def __init__(self) -> None:
        super().__init__(_check_privileges, migrations.RunPython.noop)


class PrepareLog(migrations.RunPython):
    """Prepare the new table of the log; backwards, remove all triggers that write to it."""

    def __init__(self) -> None:
        super().__init__(_prepare, _remove_triggers)


def _check_privileges(apps, schema_editor):
    if schema_editor.connection.vendor in SUPPORTED_VENDORS:
        check_privileges(connections[schema_editor.connection.alias])


def _prepare(apps, schema_editor):
    """Make the database compare keys of the log exactly, whatever its collation is."""
    if schema_editor.connection.vendor in SUPPORTED_VENDORS:
        prepare_log(connections[schema_editor.connection.alias])


def _remove_triggers(apps, schema_editor):
    """Remove the triggers, because without the log each write to a tracked table would fail."""
    remove_all(connections[schema_editor.connection.alias])
