"""SQLite: columns and installed triggers."""

from collections.abc import Iterable, Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.tables import PREFIX, Column, InstalledTrigger


def columns(
    connection: BaseDatabaseWrapper, tables: Iterable[str]
) -> Mapping[str, tuple[Column, ...]]:
    """Return the columns of each of the tables that exists."""
    found = {}
    with connection.cursor() as cursor:
        for table in tables:
            # table_xinfo, unlike table_info, lists generated columns too. Without 'main', a
            # temporary table of the same name would come first.
            cursor.execute(
                """SELECT name, type, "notnull" FROM pragma_table_xinfo(%s, 'main')""", [table]
            )
            if rows := cursor.fetchall():
                found[table] = tuple(
                    Column(name=name, type=type_.lower(), required=bool(required))
                    for name, type_, required in rows
                )
    return found


def installed(connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
    """Return the triggers of this package."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tbl_name, name, sql FROM sqlite_master"
            " WHERE type = 'trigger' AND substr(name, 1, %s) = %s",
            [len(PREFIX), PREFIX],
        )
        return [
            InstalledTrigger(table=table, name=name, body=sql)
            for table, name, sql in cursor.fetchall()
        ]
