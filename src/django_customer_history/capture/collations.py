"""Make a log compare keys exactly that was created, or restored, with another collation."""

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import backend_of
from django_customer_history.backends.collations import CollationRepair
from django_customer_history.capture.triggers import has_log, log_table
from django_customer_history.exceptions import CaptureError


def repair_collations(connection: BaseDatabaseWrapper) -> CollationRepair | None:
    """Give the columns of the log the collation that compares keys exactly.

    No text of an entry changes. Returns what was done; None: there was nothing to do. Raises
    `CaptureError` if the database refuses, and leaves the log as it is.
    """
    backend, log = backend_of(connection), log_table()
    repair = backend.collation_repair(connection, log) if has_log(connection) else None
    if repair is None:
        return None
    try:
        with backend.installation(connection), connection.cursor() as cursor:
            cursor.execute(repair.statement)
    except DatabaseError as error:
        hint = backend.privilege_hint(connection, log, error, privileges=repair.privileges)
        raise CaptureError(
            f"The collation of the table {log!r} could not be repaired in the database"
            f" {connection.alias!r}: {error}.{f' {hint} Then run this again.' if hint else ''}"
        ) from error
    return repair
