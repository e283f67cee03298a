"""MariaDB and MySQL: how long a query may take. The query itself says so, not the session."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

ERRORS = (1969, 3024)
"""The query was interrupted: of MariaDB, of MySQL."""
_SELECT = "SELECT "


@contextmanager
def time_limit(connection: BaseDatabaseWrapper, *, seconds: float) -> Iterator[None]:
    """Limit each query of the block."""
    is_mariadb = getattr(connection, "mysql_is_mariadb", False)

    def limited(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if sql.startswith(_SELECT):
            if is_mariadb:
                sql = f"SET STATEMENT max_statement_time = {max(0.001, seconds):.3f} FOR {sql}"
            else:
                hint = f"/*+ MAX_EXECUTION_TIME({max(1, round(seconds * 1000))}) */ "
                sql = f"{_SELECT}{hint}{sql.removeprefix(_SELECT)}"
        return execute(sql, params, many, context)

    with connection.execute_wrapper(limited):
        yield
