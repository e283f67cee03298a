"""SQLite: columns and installed triggers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.problems import DatabaseProblem
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
                """SELECT name, type, "notnull", pk FROM pragma_table_xinfo(%s, 'main')""", [table]
            )
            if rows := cursor.fetchall():
                found[table] = tuple(
                    Column(name=name, type=type_.lower(), required=bool(required), is_key=bool(key))
                    for name, type_, required, key in rows
                )
    return found


def installed(
    connection: BaseDatabaseWrapper, tables: Collection[str] | None
) -> Sequence[InstalledTrigger]:
    """Return the triggers of this package; with `tables`, those on them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tbl_name, name, sql FROM sqlite_master"
            " WHERE type = 'trigger' AND substr(name, 1, %s) = %s",
            [len(PREFIX), PREFIX],
        )
        return [
            InstalledTrigger(table=table, name=name, body=sql)
            for table, name, sql in cursor.fetchall()
            if tables is None or table in tables
        ]


def unsupported_tables(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> Mapping[str, str]:
    """Return what each of the tables is that is not a table of rows."""
    wanted = set(tables)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, type FROM main.sqlite_master WHERE type = 'view'"
            " OR (type = 'table' AND upper(substr(sql, 1, 20)) = 'CREATE VIRTUAL TABLE')"
        )
        return {
            name: "a view" if kind == "view" else "a virtual table"
            for name, kind in cursor.fetchall()
            if name in wanted
        }


def problems_of_log(connection: BaseDatabaseWrapper, log: str) -> Iterator[DatabaseProblem]:
    """Yield what else is at the table of the log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = %s"
            " AND substr(name, 1, %s) <> %s UNION ALL"
            " SELECT name FROM sqlite_temp_master WHERE type = 'trigger' AND tbl_name = %s"
            " ORDER BY 1",
            [log, len(PREFIX), PREFIX, log],
        )
        foreign = [name for (name,) in cursor.fetchall()]
        cursor.execute(
            "SELECT name FROM sqlite_temp_master WHERE type IN ('table', 'view') AND name = %s",
            [log],
        )
        is_temporary = cursor.fetchone() is not None
    for name in foreign:
        yield DatabaseProblem(
            code="W030",
            text=f"the trigger {name} on {log} is not of this package and can change entries",
            hint="Drop it. To react to entries, read the log.",
        )
    if is_temporary:
        yield DatabaseProblem(
            code="W031",
            text=f"a temporary table of this connection has the name {log}, and takes its place",
            hint=f"DROP TABLE temp.{log}",
        )
