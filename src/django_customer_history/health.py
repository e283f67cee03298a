"""Whether every change is recorded, for a health page or a monitoring job.

from django_customer_history import health

assert health.problems() == []
"""

from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.capture.plan import untracked_models
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.registration.registry import registry


def problems(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return what is wrong with capture in a database; empty: every change is recorded.

    It is what the system checks W002 and W004 find with `check --database`: a line for
    triggers that are missing, one for stale, one for superfluous ones, and one for each
    registered model without a table.
    """
    connection = connections[using]
    missing = [model._meta.db_table for model in untracked_models(registry, connection)]
    return [*compare_triggers(connection).problems(), *(f"no table {name}" for name in missing)]
