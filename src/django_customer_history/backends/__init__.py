"""One folder for each family of databases. To add a database, add a folder and one line here."""

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.base import Backend
from django_customer_history.backends.features import Features
from django_customer_history.backends.mysql.backend import MySQLBackend
from django_customer_history.backends.postgresql.backend import PostgreSQLBackend
from django_customer_history.backends.session import Session
from django_customer_history.backends.settling import Settling
from django_customer_history.backends.sqlite.backend import SQLiteBackend
from django_customer_history.exceptions import UnsupportedDatabaseError
from django_customer_history.keys import next_microsecond

_BACKENDS: dict[str, Backend] = {
    vendor: backend
    for backend in (PostgreSQLBackend(), SQLiteBackend(), MySQLBackend())
    for vendor in backend.vendors
}

SUPPORTED_VENDORS = tuple(_BACKENDS)

_settlings: dict[tuple[str, str], Settling] = {}
"""By alias and name: a test database has the alias of another one."""


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


def microsecond_of(connection: BaseDatabaseWrapper) -> int:
    """Return the time in microseconds since 1970 that a trigger would give to an entry now.

    It is that of the database's clock, except on SQLite, where it is that of this process. So an
    entry that Python writes comes after the changes before it, whatever the clock of the
    application says.
    """
    session = _session_of(connection)
    return next_microsecond() if session is None else session.microsecond()


def begin_writing(connection: BaseDatabaseWrapper) -> int | None:
    """Return such a time for entries that the open transaction inserts later.

    The settled order waits for them. None: it would not, so each INSERT has to make its key.
    """
    session = _session_of(connection)
    return None if session is None else session.begin_writing()


def _session_of(connection: BaseDatabaseWrapper) -> Session | None:
    connection.ensure_connection()
    found = (one for one in connection.execute_wrappers if isinstance(one, Session))
    return next(found, None)


def settling_of(connection: BaseDatabaseWrapper) -> Settling:
    """Return what knows the settled entries of a database: one object in each process.

    Raises `UnsupportedDatabaseError` if changes cannot be captured there.
    """
    place = (connection.alias, str(connection.settings_dict["NAME"]))
    if place not in _settlings:
        _settlings[place] = _family_of(connection).settling_class()
    return _settlings[place]


def _family_of(connection: BaseDatabaseWrapper) -> Backend:
    try:
        return _BACKENDS[connection.vendor]
    except KeyError:
        raise UnsupportedDatabaseError(
            f"The database {connection.alias!r} is {connection.vendor!r}. Changes can be "
            f"captured on {', '.join(SUPPORTED_VENDORS)}."
        ) from None
