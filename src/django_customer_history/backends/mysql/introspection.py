"""MariaDB and MySQL: columns and installed triggers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.backends.tables import PREFIX, Column, InstalledTrigger

# MariaDB opens every table of the database, 0.2 ms for each, unless the condition names one.
_FEW = 20
_COLUMNS = (
    "SELECT table_name, column_name, column_type, column_key, is_nullable, collation_name"
    " FROM information_schema.columns WHERE table_schema = DATABASE()"
)
_IN_ORDER = " ORDER BY table_name, ordinal_position"
# As the first columns of SHOW TRIGGERS.
_TRIGGERS_OF_TABLE = """
SELECT trigger_name, event_manipulation, event_object_table, action_statement, action_timing
FROM information_schema.triggers
WHERE event_object_schema = DATABASE() AND event_object_table = %s
AND LEFT(trigger_name, %s) = %s
"""


def columns(
    connection: BaseDatabaseWrapper, tables: Iterable[str]
) -> Mapping[str, tuple[Column, ...]]:
    """Return the columns of each of the tables that exists."""
    wanted = set(tables)
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        if len(wanted) > _FEW:
            cursor.execute(_COLUMNS + _IN_ORDER)
            rows += cursor.fetchall()
        else:
            for table in sorted(wanted):
                cursor.execute(_COLUMNS + " AND table_name = %s" + _IN_ORDER, [table])
                rows += [row for row in cursor.fetchall() if row[0] == table]
    found = defaultdict(list)
    for table, name, type_, key, nullable, collation in rows:
        if table in wanted:
            found[table].append(
                Column(
                    name=name,
                    type=_as_text(type_).lower(),
                    required=nullable == "NO",
                    is_key=key == "PRI",
                    collation=collation or "",
                )
            )
    return {table: tuple(columns) for table, columns in found.items()}


def installed(
    connection: BaseDatabaseWrapper, tables: Collection[str] | None
) -> Sequence[InstalledTrigger]:
    """Return the triggers of this package; with `tables`, those on them."""
    with connection.cursor() as cursor:
        if tables is None or len(tables) > _FEW:
            # information_schema takes three times as long, as it looks into other databases too.
            cursor.execute("SHOW TRIGGERS WHERE LEFT(`Trigger`, %s) = %s", [len(PREFIX), PREFIX])
            rows = [row for row in cursor.fetchall() if tables is None or row[2] in tables]
        else:
            rows = []
            for table in tables:
                cursor.execute(_TRIGGERS_OF_TABLE, [table, len(PREFIX), PREFIX])
                rows += [row for row in cursor.fetchall() if row[2] == table]
    return [
        InstalledTrigger(
            table=table, name=name, body=_as_text(body), head=f"{timing} {event}".upper()
        )
        for name, event, table, body, timing, *_rest in rows
    ]


def storage_engines(connection: BaseDatabaseWrapper, tables: Collection[str]) -> Mapping[str, str]:
    """Return the storage engine of each of the tables that exists; views have none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, engine FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND engine IS NOT NULL"
        )
        return {table: engine for table, engine in cursor.fetchall() if table in tables}


def account(connection: BaseDatabaseWrapper) -> str:
    """Return the account of the session as GRANT names it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        name, _, place = cursor.fetchone()[0].rpartition("@")
    return f"'{name}'@'{place}'"


def unsupported_tables(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> Mapping[str, str]:
    """Return what each of the tables is that is not a table of rows."""
    wanted = set(tables)
    with connection.cursor() as cursor:
        cursor.execute("SHOW FULL TABLES WHERE Table_type LIKE '%%VIEW'")
        return {name: "a view" for name, _kind in cursor.fetchall() if name in wanted}


def broken(
    connection: BaseDatabaseWrapper, triggers: Iterable[InstalledTrigger]
) -> Mapping[str, str]:
    """Return the triggers whose definer does not exist any more: each write fails with 1449."""
    names = {trigger.name for trigger in triggers}
    with connection.cursor() as cursor:
        cursor.execute("SHOW TRIGGERS WHERE `Definer` <> CURRENT_USER()")
        definers = {row[0]: row[7] for row in cursor.fetchall() if row[0] in names}
        if not definers or (accounts := _accounts(cursor)) is None:
            return {}
    return {
        name: f"its definer {definer} does not exist"
        for name, definer in definers.items()
        if definer not in accounts
    }


def _accounts(cursor: Any) -> set[str] | None:
    """Return the accounts of the server, or None if this account may not read them."""
    try:
        cursor.execute("SELECT CONCAT(User, '@', Host) FROM mysql.user")
    except DatabaseError:
        return None
    return {_as_text(account) for (account,) in cursor.fetchall()}


def problems_of_log(connection: BaseDatabaseWrapper, log: str) -> Iterator[DatabaseProblem]:
    """Yield what else is at the table of the log."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW TRIGGERS WHERE LEFT(`Trigger`, %s) <> %s", [len(PREFIX), PREFIX])
        foreign = sorted(row[0] for row in cursor.fetchall() if row[2] == log)
    for name in foreign:
        yield DatabaseProblem(
            code="W030",
            text=f"the trigger {name} on {log} is not of this package and can change entries",
            hint="Drop it. To react to entries, read the log.",
        )
    if is_temporary(connection, log):
        yield DatabaseProblem(
            code="W031",
            text=f"a temporary table of this session has the name {log}, and takes its place",
            hint=f"DROP TEMPORARY TABLE {connection.ops.quote_name(log)}, and REVOKE CREATE"
            " TEMPORARY TABLES.",
        )


def is_temporary(connection: BaseDatabaseWrapper, table: str) -> bool:
    """Return whether a temporary table of this session takes the place of a table."""
    with connection.cursor() as cursor:
        # The only statement that shows a temporary table on every version.
        cursor.execute(f"SHOW CREATE TABLE {connection.ops.quote_name(table)}")
        return _as_text(cursor.fetchone()[1]).startswith("CREATE TEMPORARY")


def other_collations(
    connection: BaseDatabaseWrapper, table: str, *, collation: str
) -> Mapping[str, str]:
    """Return the columns of text that have another collation than this one, with theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, collation_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s AND collation_name <> %s"
            " ORDER BY ordinal_position",
            [table, collation],
        )
        return dict(cursor.fetchall())


def _as_text(body: str | bytes) -> str:
    return body.decode() if isinstance(body, bytes) else body
