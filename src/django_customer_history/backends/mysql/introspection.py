"""MariaDB and MySQL: columns and installed triggers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.tables import PREFIX, Column, InstalledTrigger


def columns(
    connection: BaseDatabaseWrapper, tables: Iterable[str]
) -> Mapping[str, tuple[Column, ...]]:
    """Return the columns of each of the tables that exists."""
    wanted = set(tables)
    found = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, column_type FROM information_schema.columns"
            " WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
        )
        for table, name, type_ in cursor.fetchall():
            if table in wanted:
                found[table].append(Column(name=name, type=type_.lower()))
    return {table: tuple(columns) for table, columns in found.items()}


def installed(connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
    """Return the triggers of this package."""
    # information_schema takes three times as long, as it looks into other databases too.
    with connection.cursor() as cursor:
        cursor.execute("SHOW TRIGGERS WHERE LEFT(`Trigger`, %s) = %s", [len(PREFIX), PREFIX])
        return [
            InstalledTrigger(table=table, name=name, body=_as_text(body))
            for name, _event, table, body, *_rest in cursor.fetchall()
        ]


def _as_text(body: str | bytes) -> str:
    return body.decode() if isinstance(body, bytes) else body
