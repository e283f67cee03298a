"""Measure time, processor time, statements and bytes on disk."""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path


class Clock:
    """Wall time, and the processor time of this process and of its server process."""

    def __init__(self, connection):
        self._server = _schedule_of(connection)

    def now(self):
        """Return seconds of wall time and of processor time."""
        return time.perf_counter(), time.process_time() + self._server_time()

    def timed(self, work):
        """Return the seconds of wall time and of processor time of some work."""
        start = self.now()
        work()
        return [end - begin for begin, end in zip(start, self.now(), strict=True)]

    def _server_time(self):
        if self._server is None:
            return 0.0
        return int(self._server.read_text().split()[0]) / 1e9


def analyze(connection, *models):
    """Update the statistics of the planner. Servers do so by themselves, but later."""
    verb = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"{verb} {connection.ops.quote_name(model._meta.db_table)}")


def _schedule_of(connection):
    """Return the file in which Linux counts the time of the connection's process or thread."""
    asked = {
        "postgresql": "SELECT pg_backend_pid()",
        "mariadb": "SELECT tid FROM information_schema.processlist WHERE id = CONNECTION_ID()",
        "mysql": (
            "SELECT thread_os_id FROM performance_schema.threads"
            " WHERE processlist_id = CONNECTION_ID()"
        ),
    }.get(connection.display_name.lower())
    if asked is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(asked)
        (number,) = cursor.fetchone()
    path = Path(f"/proc/{number}/schedstat")
    return path if path.exists() else None


class Statements:
    """Count the statements that the driver sends to the database within a block."""

    def __init__(self):
        self.count = 0

    @contextmanager
    def counted(self, connection):
        connection.ensure_connection()
        with _COUNTERS[connection.vendor](self, connection):
            yield self


@contextmanager
def _sqlite(statements, connection):
    def count(execute, sql, params, many, context):
        statements.count += 1
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield


@contextmanager
def _postgresql(statements, connection):
    # One message to the server for each round trip, whatever its content.
    with tempfile.TemporaryFile("w+") as trace:
        driver = connection.connection
        driver.pgconn.trace(trace.fileno())
        try:
            yield
        finally:
            driver.pgconn.untrace()
            trace.seek(0)
            kinds = [line.split("\t")[3] for line in trace if "\tF\t" in line]
            statements.count += sum(kind in ("Query", "Execute") for kind in kinds)


@contextmanager
def _mysql(statements, connection):
    def asked():
        with connection.connection.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
            return int(cursor.fetchone()[1])

    before = asked()
    try:
        yield
    finally:
        statements.count += asked() - before - 1


_COUNTERS = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}


def bytes_of(connection, tables):
    """Return the bytes of tables and their indexes."""
    with connection.cursor() as cursor:
        return sum(_SIZES[connection.vendor](cursor, table) for table in tables)


def _number(cursor, sql, parameters):
    cursor.execute(sql, parameters)
    return int(cursor.fetchone()[0] or 0)


def _sqlite_size(cursor, table):
    return _number(
        cursor,
        "SELECT SUM(pgsize) FROM dbstat WHERE name IN"
        " (SELECT name FROM sqlite_master WHERE tbl_name = %s)",
        [table],
    )


def _postgresql_size(cursor, table):
    return _number(cursor, "SELECT pg_total_relation_size(%s::regclass)", [f'"{table}"'])


def _mysql_size(cursor, table):
    # Count used pages, because the file grows by a megabyte at a time.
    cursor.execute(f"ANALYZE TABLE `{table}`")
    cursor.fetchall()
    return _number(
        cursor,
        "SELECT SUM(stat_value) * @@innodb_page_size FROM mysql.innodb_index_stats"
        " WHERE database_name = DATABASE() AND table_name = %s AND stat_name = 'n_leaf_pages'",
        [table],
    )


_SIZES = {"sqlite": _sqlite_size, "postgresql": _postgresql_size, "mysql": _mysql_size}
