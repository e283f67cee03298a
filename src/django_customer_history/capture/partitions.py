"""The log in partitions by month, on PostgreSQL.

A partition holds a range of keys, and keys begin with their time. The last one has no end: a
write finds its place whether or not somebody made the next one in time. Nothing is copied and
nothing is removed; a table becomes a partition as it is.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history import conf
from django_customer_history.backends import backend_of
from django_customer_history.capture.triggers import (
    log_table,
    remove,
    synchronize_triggers,
)
from django_customer_history.exceptions import PartitionError
from django_customer_history.keys import (
    datetime_of,
    lowest_uuid_at,
)

MONTHS_AHEAD = 3

_NOTICE = timedelta(days=7)
"""So long before its end at least the end of a partition in use is settled."""
_LOCK_TIMEOUT = "5s"
_CHECK = "customer_history_range"
_KEY = re.compile(r"'([0-9a-f-]{36})'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A part of the log: the entries of start <= time < end."""

    name: str
    start: datetime | None
    """In UTC; None: from the beginning."""
    end: datetime | None
    """In UTC; None: it is the last one, and open."""
    rows: int
    """As PostgreSQL estimates them; -1: it has not yet."""
    size: int
    """In bytes, indexes included."""


def partitions(connection: BaseDatabaseWrapper) -> tuple[Partition, ...]:
    """Return the partitions of the log, in the order of time; none: it is a single table."""
    if connection.vendor != "postgresql":
        return ()
    found = _rows(
        connection,
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), c.reltuples::bigint,"
        " pg_total_relation_size(c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = to_regclass(%s)",
        _quoted(connection, log_table()),
    )
    parts = [_partition(*row) for row in found]
    return tuple(sorted(parts, key=lambda one: one.start or datetime.min.replace(tzinfo=UTC)))


def are_due(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the open partition is in use already: months were not made ahead."""
    return any(
        one.end is None and one.start is not None and one.start <= datetime.now(UTC)
        for one in partitions(connection)
    )


def is_whole(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the log is one table in a database that could divide it."""
    return connection.vendor == "postgresql" and not partitions(connection)


def create_partitions(
    connection: BaseDatabaseWrapper, *, ahead: int = MONTHS_AHEAD
) -> tuple[Partition, ...]:
    """Divide the log by month, with so many whole months ahead; return the new partitions.

    A log that is one table becomes the first partition, however long it is; it can be written
    and read meanwhile, but for a moment at the end. Raises `PartitionError` where it cannot be
    done; nothing is lost then, and it can be done again.
    """
    if connection.vendor != "postgresql":
        raise PartitionError(
            f"The log can be in partitions on PostgreSQL only; the database"
            f" {connection.alias!r} is {connection.display_name}."
        )
    before = {one.name for one in partitions(connection)}
    if not before:
        _divide(connection)
    while _add_one(connection, ahead):
        pass
    return tuple(one for one in partitions(connection) if one.name not in before)


def partition_log(connection: BaseDatabaseWrapper) -> None:
    """Do after `migrate` what the setting `PARTITIONS` asks for.

    A log with entries in one table is left to `history_partitions`: that takes its time.
    """
    log = log_table()
    if not conf.partitions() or connection.vendor != "postgresql":
        return
    if not backend_of(connection).columns(connection, [log]):
        return
    if partitions(connection) or _is_empty(connection, log):
        create_partitions(connection)


def _is_empty(connection: BaseDatabaseWrapper, table: str) -> bool:
    return not _rows(connection, f"SELECT 1 FROM {_quoted(connection, table)} LIMIT 1")


def _divide(connection: BaseDatabaseWrapper) -> None:
    log = log_table()
    _refuse_dependents(connection, log)
    first, end = f"{log}_start", _month_after(datetime.now(UTC) + _NOTICE)
    _prove(connection, log, None, end)
    with _exclusively(connection, log):
        append_only_triggers = [
            one for one in backend_of(connection).installed(connection) if one.table == log
        ]
        remove(connection, append_only_triggers)
        _run(connection, _replacement(connection, log, first, end))
        synchronize_triggers(connection, tables={log})


def _replacement(
    connection: BaseDatabaseWrapper, log: str, first: str, end: datetime
) -> Iterator[str]:
    """Yield the statements that put a partitioned table in the place of the table.

    It gets the same privileges and indexes; those of the table become parts of them.
    """
    new, old = _quoted(connection, log), _quoted(connection, first)
    grants = list(_grants(connection, log))
    indexes = _rows(
        connection,
        "SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisprimary"
        " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = to_regclass(%s)",
        new,
    )
    for name, _, _ in indexes:
        renamed = _quoted(connection, f"{name}_start"[:63])
        yield f"ALTER INDEX {_quoted(connection, name)} RENAME TO {renamed}"
    yield f"ALTER TABLE {new} RENAME TO {old}"
    yield f"CREATE TABLE {new} (LIKE {old} INCLUDING DEFAULTS INCLUDING STORAGE)" + (
        " PARTITION BY RANGE (id)"
    )
    for name, definition, is_primary in indexes:
        if is_primary:
            yield (f"ALTER TABLE {new} ADD CONSTRAINT {_quoted(connection, name)} PRIMARY KEY (id)")
        else:
            yield definition
    yield from _attach(connection, first, None, end)
    yield _creation(connection, end)
    yield from grants


def _grants(connection: BaseDatabaseWrapper, log: str) -> Iterator[str]:
    table = _quoted(connection, log)
    granted = _rows(
        connection,
        "SELECT coalesce(quote_ident(r.rolname), 'PUBLIC'), a.privilege_type, a.is_grantable"
        " FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r"
        " ON r.oid = a.grantee WHERE c.oid = to_regclass(%s) AND a.grantee <> c.relowner",
        table,
    )
    for role, privilege, is_grantable in granted:
        yield (
            f"GRANT {privilege} ON {table} TO {role}{' WITH GRANT OPTION' if is_grantable else ''}"
        )
    ((owner, is_own),) = _rows(
        connection,
        "SELECT quote_ident(pg_get_userbyid(relowner)), pg_get_userbyid(relowner) = current_user"
        " FROM pg_class WHERE oid = to_regclass(%s)",
        table,
    )
    if not is_own:
        yield f"ALTER TABLE {table} OWNER TO {owner}"


def _refuse_dependents(connection: BaseDatabaseWrapper, log: str) -> None:
    # They belong to the table as such, and would stay with what becomes its first partition.
    found = _rows(
        connection,
        "SELECT DISTINCT 'the view ' || r.ev_class::regclass::text FROM pg_depend d"
        " JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass"
        " WHERE d.refobjid = to_regclass(%s)"
        " UNION SELECT 'the policy ' || polname FROM pg_policy WHERE polrelid = to_regclass(%s)"
        " UNION SELECT 'the publication ' || p.pubname FROM pg_publication_rel r"
        " JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = to_regclass(%s)",
        *[_quoted(connection, log)] * 3,
    )
    if found:
        named = ", ".join(sorted(one for (one,) in found))
        raise PartitionError(
            f"The table {log!r} cannot be divided while something else hangs on it: {named}."
            " Drop it, divide the log, and make it again."
        )


def _add_one(connection: BaseDatabaseWrapper, ahead: int) -> bool:
    """Give the open partition an end, and begin a new one there; False: there is nothing to do."""
    last = partitions(connection)[-1]
    if last.end is not None or last.start is None:
        raise PartitionError(
            f"The last partition of the log, {last.name!r}, was made by something else: this"
            " command knows the bounds that it made itself. Make them there."
        )
    if last.start > _months_after(datetime.now(UTC), ahead):
        return False
    end = _month_after(last.start)
    if not _is_empty(connection, last.name):
        end = max(end, _month_after(datetime.now(UTC) + _NOTICE))
        _prove(connection, last.name, last.start, end)
    log = _quoted(connection, log_table())
    with _exclusively(connection, log_table()):
        _run(
            connection,
            [
                f"ALTER TABLE {log} DETACH PARTITION {_quoted(connection, last.name)}",
                *_attach(connection, last.name, last.start, end),
                _creation(connection, end),
            ],
        )
        synchronize_triggers(connection, tables={log_table()})
    return True


def _prove(
    connection: BaseDatabaseWrapper, table: str, start: datetime | None, end: datetime
) -> None:
    """Have PostgreSQL see that all rows fit, while they can be written and read.

    Else it would look at each row of the table under a lock that keeps everybody out.
    """
    quoted = _quoted(connection, table)
    lower = "" if start is None else f" AND id >= '{lowest_uuid_at(start)}'"
    with _exclusively(connection, table):
        _run(
            connection,
            [
                f"ALTER TABLE {quoted} DROP CONSTRAINT IF EXISTS {_CHECK}",
                f"ALTER TABLE {quoted} ADD CONSTRAINT {_CHECK}"
                f" CHECK (id < '{lowest_uuid_at(end)}'{lower}) NOT VALID",
            ],
        )
    _run(connection, [f"ALTER TABLE {quoted} VALIDATE CONSTRAINT {_CHECK}"])


def _attach(
    connection: BaseDatabaseWrapper, name: str, start: datetime | None, end: datetime
) -> Iterator[str]:
    quoted = _quoted(connection, name)
    lower = "MINVALUE" if start is None else f"'{lowest_uuid_at(start)}'"
    yield (
        f"ALTER TABLE {_quoted(connection, log_table())} ATTACH PARTITION {quoted}"
        f" FOR VALUES FROM ({lower}) TO ('{lowest_uuid_at(end)}')"
    )
    yield f"ALTER TABLE {quoted} DROP CONSTRAINT IF EXISTS {_CHECK}"


def _creation(connection: BaseDatabaseWrapper, start: datetime) -> str:
    log = log_table()
    return (
        f"CREATE TABLE {_quoted(connection, f'{log}_{start:%Y_%m}')} PARTITION OF"
        f" {_quoted(connection, log)}"
        f" FOR VALUES FROM ('{lowest_uuid_at(start)}') TO (MAXVALUE)"
    )


@contextmanager
def _exclusively(connection: BaseDatabaseWrapper, table: str) -> Iterator[None]:
    """Do it at once or not at all, and do not keep the writers waiting for a lock."""
    try:
        with transaction.atomic(using=connection.alias):
            _run(
                connection,
                [
                    f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'",
                    f"LOCK TABLE {_quoted(connection, table)} IN ACCESS EXCLUSIVE MODE",
                ],
            )
            yield
            _run(connection, ["SET LOCAL lock_timeout = DEFAULT"])
    except OperationalError as error:
        raise PartitionError(
            f"The table {table!r} was in use for longer than {_LOCK_TIMEOUT}: {error} Nothing was"
            " changed. Try again when there is no long transaction."
        ) from error


def _partition(name: str, bounds: str, rows: int, size: int) -> Partition:
    lower, _, upper = bounds.partition(" TO ")
    return Partition(
        name=name, start=_moment(lower), end=_moment(upper), rows=int(rows), size=int(size)
    )


def _moment(bound: str) -> datetime | None:
    found = _KEY.search(bound)
    return None if found is None else datetime_of((UUID(found[1]).int >> 80) * 1000)


def _month_after(moment: datetime) -> datetime:
    return _months_after(moment, 1)


def _months_after(moment: datetime, count: int) -> datetime:
    """Return the beginning, in UTC, of the month so many months later."""
    months = moment.year * 12 + moment.month - 1 + count
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _quoted(connection: BaseDatabaseWrapper, name: str) -> str:
    return backend_of(connection).quote(name)


def _rows(connection: BaseDatabaseWrapper, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
