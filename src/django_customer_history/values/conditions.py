"""Conditions that databases plan in another way than those of Django."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Q
from django.db.models.lookups import In


class _OfFew(In):
    """A list of values that few rows have."""

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """Return the SQL and its parameters.

        SQLite, after ANALYZE, takes each value for as frequent as the average. In a log about few
        models it would rather read all of it.
        """
        sql, parameters = self.as_sql(compiler, connection)
        return f"likelihood({sql}, 0.000001)", parameters


def of_few(column: str, *values: str) -> Q:
    """Return the condition that a column has one of some values that few rows have.

    It must hold for the rows together with other conditions: behind an OR SQLite would forget it.
    """
    return Q(_OfFew(F(column), values))
