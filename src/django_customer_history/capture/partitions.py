"""The log in partitions by month, where the database can do it.

A partition holds a range of keys, and keys begin with their time. The last partition has no end,
so every write finds its place, even if nobody has created the next partition in time. Nothing is
copied and nothing is removed: a table becomes a partition as it is.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history import conf
from django_customer_history.backends import backend_of, features_of
from django_customer_history.backends.partitioning import Partition, Partitioning
from django_customer_history.capture.triggers import (
    log_table,
    remove,
    synchronize_triggers,
)
from django_customer_history.exceptions import PartitionError

MONTHS_AHEAD = 3

_NOTICE = timedelta(days=7)
"""A partition in use gets an end that is at least so far in the future."""
_LOCK_TIMEOUT = "5s"


def partitions(connection: BaseDatabaseWrapper) -> tuple[Partition, ...]:
    """Return the partitions of the log, in the order of time; none: it is one table."""
    if not features_of(connection).supports_partitions:
        return ()
    return tuple(_partitioning(connection).partitions(connection, log_table()))


def are_due(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the last partition is in use already: no month was created ahead."""
    return any(
        one.end is None and one.start is not None and one.start <= datetime.now(UTC)
        for one in partitions(connection)
    )


def is_whole(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the log is one table in a database that could divide it."""
    return features_of(connection).supports_partitions and not partitions(connection)


def log_parts_missing(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """Yield a sentence for each part of a log in partitions that is not attached to it."""
    found = partitions(connection)
    if not found:
        return
    for name in _partitioning(connection).detached(connection, log_table()):
        yield f"The partition {name} is detached from the log, so its entries are missing."
    for former, one in zip((None, *found), found, strict=False):
        end = None if former is None else former.end
        if one.start is not None and one.start != end:
            since = "its begin" if end is None else f"{end:%Y-%m-%d}"
            yield f"The log has no partition from {since} to {one.start:%Y-%m-%d}."


def create_partitions(
    connection: BaseDatabaseWrapper, *, ahead: int = MONTHS_AHEAD
) -> tuple[Partition, ...]:
    """Divide the log by month, with `ahead` whole months from now on; return the new partitions.

    A log that is one table becomes the first partition, however many entries it has. It can be
    written and read meanwhile, except for a moment at the end. Raises `PartitionError` if that is
    impossible; then nothing is lost, and the call can be repeated.
    """
    if not features_of(connection).supports_partitions:
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

    A log in one table that has entries is left to `history_partitions`, as that takes time.
    """
    log = log_table()
    if not conf.partitions() or not features_of(connection).supports_partitions:
        return
    if not backend_of(connection).columns(connection, [log]):
        return
    if partitions(connection) or _partitioning(connection).is_empty(connection, log):
        create_partitions(connection)


def _partitioning(connection: BaseDatabaseWrapper) -> Partitioning:
    partitioning = backend_of(connection).partitioning
    if partitioning is None:
        raise PartitionError(f"The database {connection.alias!r} has no partitions.")
    return partitioning


def _divide(connection: BaseDatabaseWrapper) -> None:
    log, sql = log_table(), _partitioning(connection)
    if dependents := sql.dependents(connection, log):
        raise PartitionError(
            f"The table {log!r} cannot be divided while these depend on it:"
            f" {', '.join(dependents)}. Drop them, divide the log, and create them again."
        )
    first, end = f"{log}_start", _month_after(datetime.now(UTC) + _NOTICE)
    _prove(connection, log, None, end)
    with _exclusively(connection, log):
        backend = backend_of(connection)
        remove(connection, [one for one in backend.installed(connection) if one.table == log])
        _run(connection, sql.replace_log(connection, log, first, end))
        synchronize_triggers(connection, tables={log})


def _add_one(connection: BaseDatabaseWrapper, ahead: int) -> bool:
    """End the last partition and create the next; return False if there are enough of them."""
    log, sql = log_table(), _partitioning(connection)
    last = partitions(connection)[-1]
    if last.end is not None or last.start is None:
        raise PartitionError(
            f"The last partition of the log, {last.name!r}, has bounds that this command did not"
            " make. Create the next partition with the tool that created this one."
        )
    if last.start > _months_after(datetime.now(UTC), ahead):
        return False
    end = _month_after(last.start)
    if not sql.is_empty(connection, last.name):
        end = max(end, _month_after(datetime.now(UTC) + _NOTICE))
        _prove(connection, last.name, last.start, end)
    with _exclusively(connection, log):
        _run(connection, sql.detach(log, last.name))
        _run(connection, sql.attach(log, last.name, last.start, end))
        _run(connection, sql.create(log, end))
        synchronize_triggers(connection, tables={log})
    return True


def _prove(
    connection: BaseDatabaseWrapper, table: str, start: datetime | None, end: datetime
) -> None:
    """Prove to the database that all rows are within the bounds, while others read and write.

    Otherwise it would check each row under a lock that stops everybody else.
    """
    sql = _partitioning(connection)
    with _exclusively(connection, table):
        _run(connection, sql.bound(table, start, end))
    _run(connection, sql.validate_bound(table))


@contextmanager
def _exclusively(connection: BaseDatabaseWrapper, table: str) -> Iterator[None]:
    """Run the block under a lock: completely or not at all, without making writers wait long."""
    sql = _partitioning(connection)
    try:
        with transaction.atomic(using=connection.alias):
            _run(connection, sql.locks(table, timeout=_LOCK_TIMEOUT))
            yield
            _run(connection, sql.unlimited())
    except OperationalError as error:
        raise PartitionError(
            f"The table {table!r} was in use for longer than {_LOCK_TIMEOUT}: {error} Nothing was"
            " changed. Try again when there is no long transaction."
        ) from error


def _month_after(moment: datetime) -> datetime:
    return _months_after(moment, 1)


def _months_after(moment: datetime, count: int) -> datetime:
    """Return the start, in UTC, of the month that is `count` months later."""
    months = moment.year * 12 + moment.month - 1 + count
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
