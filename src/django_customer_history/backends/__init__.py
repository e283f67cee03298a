"""One file for each family of databases; a new database is one file and one line here."""

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import Backend
from django_customer_history.backends.mysql.backend import MySQLBackend
from django_customer_history.backends.postgresql.columns import PostgreSQLColumnBackend
from django_customer_history.backends.sqlite.backend import SQLiteBackend
from django_customer_history.exceptions import UnsupportedDatabaseError

_BACKENDS: dict[str, Backend] = {
    vendor: backend
    for backend in (PostgreSQLColumnBackend(), SQLiteBackend(), MySQLBackend())
    for vendor in backend.vendors
}

SUPPORTED_VENDORS = tuple(_BACKENDS)


def backend_of(connection: BaseDatabaseWrapper) -> Backend:
    """Return the backend of a connection, or raise `UnsupportedDatabaseError`."""
    try:
        return _BACKENDS[connection.vendor].for_server(connection)
    except KeyError:
        raise UnsupportedDatabaseError(
            f"The database {connection.alias!r} is {connection.vendor!r}; changes can be "
            f"captured on {', '.join(SUPPORTED_VENDORS)}."
        ) from None


def attach_session(connection: BaseDatabaseWrapper) -> None:
    """Let a connection take the context to its database; to be called at each connect."""
    if connection.vendor not in SUPPORTED_VENDORS:
        return  # Nothing is captured there; a system check says so.
    session_class = _BACKENDS[connection.vendor].session_class
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, session_class):
            wrapper.connected()
            return
    session = session_class(connection)
    session.connected()
    # First in the list: a block that is open now removes the last one when it ends.
    connection.execute_wrappers.insert(0, session)
