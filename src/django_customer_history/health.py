"""Check that every change is recorded, for a health page or a monitoring job.

from django_customer_history import health

assert health.problems() == []
"""

from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.capture.plan import untracked_models
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.registration.registry import registry


def problems(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return what is wrong with the triggers of a database; an empty list if nothing is.

    These are the problems that `check --database` reports as W002 and W004: one line each for
    missing, stale and orphaned triggers, and one for each registered model without a table.
    `using` is the alias of the database.
    """
    connection = connections[using]
    missing = [model._meta.db_table for model in untracked_models(registry, connection)]
    return [*compare_triggers(connection).problems(), *(f"no table {name}" for name in missing)]
