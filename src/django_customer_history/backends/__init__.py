"""One folder for each family of databases. To add a database, add a folder and one line here."""

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import Backend
from django_customer_history.backends.features import Features
from django_customer_history.backends.mysql.backend import MySQLBackend
from django_customer_history.backends.postgresql.backend import PostgreSQLBackend
from django_customer_history.backends.sqlite.backend import SQLiteBackend
from django_customer_history.exceptions import UnsupportedDatabaseError

_BACKENDS: dict[str, Backend] = {
    vendor: backend
    for backend in (PostgreSQLBackend(), SQLiteBackend(), MySQLBackend())
    for vendor in backend.vendors
}

SUPPORTED_VENDORS = tuple(_BACKENDS)


def backend_of(connection: BaseDatabaseWrapper) -> Backend:
    """Return the backend of a connection; on some databases this connects to the server.

    Raises `UnsupportedDatabaseError` if changes cannot be captured there.
    """
    return _family_of(connection).for_server(connection)


def features_of(connection: BaseDatabaseWrapper) -> Features:
    """Return the features of the database of a connection, without connecting.

    Raises `UnsupportedDatabaseError` if changes cannot be captured there.
    """
    return _family_of(connection).features


def attach_session(connection: BaseDatabaseWrapper) -> None:
    """Make a connection send the context to its database. Call it after each connect."""
    if connection.vendor not in SUPPORTED_VENDORS:
        return  # Nothing is captured there, and the system check E006 says so.
    session_class = _BACKENDS[connection.vendor].session_class
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, session_class):
            wrapper.connected()
            return
    session = session_class(connection)
    session.connected()
    # First in the list: a Django block that is open now removes the last one when it ends.
    connection.execute_wrappers.insert(0, session)


def _family_of(connection: BaseDatabaseWrapper) -> Backend:
    try:
        return _BACKENDS[connection.vendor]
    except KeyError:
        raise UnsupportedDatabaseError(
            f"The database {connection.alias!r} is {connection.vendor!r}. Changes can be "
            f"captured on {', '.join(SUPPORTED_VENDORS)}."
        ) from None
