"""One file for each family of databases; a new database is one file and one line here."""

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.dialects.base import Dialect
from django_customer_history.dialects.mysql import MySQLDialect
from django_customer_history.dialects.postgresql_columns import PostgreSQLByColumn
from django_customer_history.dialects.sqlite import SQLiteDialect
from django_customer_history.exceptions import UnsupportedDatabaseError

_DIALECTS: dict[str, Dialect] = {
    vendor: dialect
    for dialect in (PostgreSQLByColumn(), SQLiteDialect(), MySQLDialect())
    for vendor in dialect.vendors
}

SUPPORTED_VENDORS = tuple(_DIALECTS)


def dialect_of(connection: BaseDatabaseWrapper) -> Dialect:
    """Return the dialect of a connection, or raise `UnsupportedDatabaseError`."""
    try:
        return _DIALECTS[connection.vendor].for_server(connection)
    except KeyError:
        raise UnsupportedDatabaseError(
            f"The database {connection.alias!r} is {connection.vendor!r}; changes can be "
            f"captured on {', '.join(SUPPORTED_VENDORS)}."
        ) from None
