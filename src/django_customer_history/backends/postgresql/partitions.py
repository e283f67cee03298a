"""PostgreSQL: the SQL of a log in partitions."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.partitioning import Partition, Partitioning
from django_customer_history.backends.postgresql.expressions import quoted_name as _quoted
from django_customer_history.backends.postgresql.introspection import TABLES
from django_customer_history.keys import datetime_of, lowest_uuid_at

_CHECK = "customer_history_range"
_UUID = re.compile(r"'([0-9a-f-]{36})'")
_MAX_NAME_LENGTH = 63

_PARTITIONS = f"""
SELECT
  c.relname,
  pg_get_expr(c.relpartbound, c.oid),
  c.reltuples::bigint,
  pg_total_relation_size(c.oid)
{TABLES}
JOIN pg_inherits i ON i.inhparent = t.oid
JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
"""

_PARTITION_NAMES = f"""
SELECT c.relname
{TABLES}
JOIN pg_inherits i ON i.inhparent = t.oid
JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
ORDER BY c.relname
"""

_DETACHED = f"""
SELECT c.relname
{TABLES}
JOIN pg_class c ON c.relnamespace = t.relnamespace AND c.relkind = 'r'
WHERE c.relname ~ ('^' || t.relname || '_(start|[0-9]{{4}}_[0-9]{{2}})$')
  AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = t.oid)
ORDER BY 1
"""

_DEPENDENTS = """
SELECT DISTINCT 'the view ' || r.ev_class::regclass::text
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
WHERE d.refobjid = to_regclass(%s)
UNION
SELECT 'the policy ' || polname FROM pg_policy WHERE polrelid = to_regclass(%s)
UNION
SELECT 'the publication ' || p.pubname
FROM pg_publication_rel r
JOIN pg_publication p ON p.oid = r.prpubid
WHERE r.prrelid = to_regclass(%s)
"""

_INDEXES = """
SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisprimary
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass(%s)
"""

_PRIVILEGES = """
SELECT coalesce(quote_ident(r.rolname), 'PUBLIC'), a.privilege_type, a.is_grantable
FROM pg_class c
CROSS JOIN aclexplode(c.relacl) a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.oid = to_regclass(%s) AND a.grantee <> c.relowner
"""

# Default privileges of the schema would let a role write to the partition what it may not write
# to the log.
_REVOKE = """
DO $$
DECLARE
  role text;
BEGIN
  FOR role IN
    SELECT DISTINCT coalesce(quote_ident(r.rolname), 'PUBLIC')
    FROM pg_class c
    CROSS JOIN aclexplode(c.relacl) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.oid = '{table}'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE 'REVOKE ALL ON {table} FROM ' || role;
  END LOOP;
END $$
"""

_OWNER = """
SELECT quote_ident(pg_get_userbyid(relowner)), pg_get_userbyid(relowner) = current_user
FROM pg_class
WHERE oid = to_regclass(%s)
"""


class PostgreSQLPartitioning(Partitioning):
    """Partitions by ranges of keys; keys begin with their time."""

    def partitions(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[Partition]:
        parts = [
            _partition(name, bounds, rows, size)
            for name, bounds, rows, size in _rows(connection, _PARTITIONS, [log])
        ]
        return sorted(parts, key=lambda one: one.start or datetime.min.replace(tzinfo=UTC))

    def partition_names(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        return [name for (name,) in _rows(connection, _PARTITION_NAMES, [log])]

    def detached(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        return [name for (name,) in _rows(connection, _DETACHED, [log])]

    def dependents(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        return sorted(name for (name,) in _rows(connection, _DEPENDENTS, *[_quoted(log)] * 3))

    def is_empty(self, connection: BaseDatabaseWrapper, table: str) -> bool:
        return not _rows(connection, f"SELECT 1 FROM {_quoted(table)} LIMIT 1")

    def locks(self, table: str, *, timeout: str) -> Sequence[str]:
        return [
            f"SET LOCAL lock_timeout = '{timeout}'",
            f"LOCK TABLE {_quoted(table)} IN ACCESS EXCLUSIVE MODE",
        ]

    def unlimited(self) -> Sequence[str]:
        return ["SET LOCAL lock_timeout = DEFAULT"]

    def bound(self, table: str, start: datetime | None, end: datetime) -> Sequence[str]:
        lower = "" if start is None else f" AND id >= '{lowest_uuid_at(start)}'"
        return [
            self._drop_check(table),
            f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_CHECK}"
            f" CHECK (id < '{lowest_uuid_at(end)}'{lower}) NOT VALID",
        ]

    def validate_bound(self, table: str) -> Sequence[str]:
        return [f"ALTER TABLE {_quoted(table)} VALIDATE CONSTRAINT {_CHECK}"]

    def replace_log(
        self, connection: BaseDatabaseWrapper, log: str, first: str, end: datetime
    ) -> Iterator[str]:
        new, old = _quoted(log), _quoted(first)
        privileges = list(_privileges(connection, new))
        indexes = _rows(connection, _INDEXES, new)
        for name, _, _ in indexes:
            renamed = _quoted(f"{name}_start"[:_MAX_NAME_LENGTH])
            yield f"ALTER INDEX {_quoted(name)} RENAME TO {renamed}"
        yield f"ALTER TABLE {new} RENAME TO {old}"
        yield (
            f"CREATE TABLE {new} (LIKE {old} INCLUDING DEFAULTS INCLUDING STORAGE)"
            " PARTITION BY RANGE (id)"
        )
        # The indexes of the old table become parts of these.
        for name, definition, is_primary in indexes:
            if is_primary:
                yield f"ALTER TABLE {new} ADD CONSTRAINT {_quoted(name)} PRIMARY KEY (id)"
            else:
                yield definition
        yield from self.attach(log, first, None, end)
        yield from self.create(log, end)
        yield from privileges

    def detach(self, log: str, partition: str) -> Sequence[str]:
        return [f"ALTER TABLE {_quoted(log)} DETACH PARTITION {_quoted(partition)}"]

    def attach(
        self, log: str, partition: str, start: datetime | None, end: datetime
    ) -> Sequence[str]:
        lower = "MINVALUE" if start is None else f"'{lowest_uuid_at(start)}'"
        return [
            f"ALTER TABLE {_quoted(log)} ATTACH PARTITION {_quoted(partition)}"
            f" FOR VALUES FROM ({lower}) TO ('{lowest_uuid_at(end)}')",
            self._drop_check(partition),
        ]

    def create(self, log: str, start: datetime) -> Sequence[str]:
        table = _quoted(f"{log}_{start:%Y_%m}")
        return [
            f"CREATE TABLE {table} PARTITION OF {_quoted(log)}"
            f" FOR VALUES FROM ('{lowest_uuid_at(start)}') TO (MAXVALUE)",
            _REVOKE.replace("{table}", table),
        ]

    def _drop_check(self, table: str) -> str:
        return f"ALTER TABLE {_quoted(table)} DROP CONSTRAINT IF EXISTS {_CHECK}"


def _privileges(connection: BaseDatabaseWrapper, table: str) -> Iterator[str]:
    """Yield the SQL that gives a new table the privileges and the owner of a table."""
    for role, privilege, is_grantable in _rows(connection, _PRIVILEGES, table):
        option = " WITH GRANT OPTION" if is_grantable else ""
        yield f"GRANT {privilege} ON {table} TO {role}{option}"
    ((owner, is_current_user),) = _rows(connection, _OWNER, table)
    if not is_current_user:
        yield f"ALTER TABLE {table} OWNER TO {owner}"


def _partition(name: str, bounds: str, rows: int, size: int) -> Partition:
    lower, _, upper = bounds.partition(" TO ")
    return Partition(
        name=name, start=_moment(lower), end=_moment(upper), rows=int(rows), size=int(size)
    )


def _moment(bound: str) -> datetime | None:
    found = _UUID.search(bound)
    return None if found is None else datetime_of((UUID(found[1]).int >> 80) * 1000)


def _rows(
    connection: BaseDatabaseWrapper, sql: str, *parameters: str | list[str]
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())
