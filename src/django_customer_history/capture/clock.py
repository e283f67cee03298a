"""The clock of a database: entries of the future show that it was set back."""

from datetime import timedelta

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import microsecond_of
from django_customer_history.keys import datetime_of, microseconds_in
from django_customer_history.registration.own_models import own_model

_TOLERATED = 1_000_000
"""Microseconds by which the clocks of several servers may differ."""


def clock_problem(connection: BaseDatabaseWrapper) -> str | None:
    """Return what is wrong if the newest entry of the log is of the future; None if it is not.

    Then the clock was set back, or the log was moved to a server with another clock. Until the
    clock has passed the newest entry, newer changes sort before older ones.
    """
    log = own_model("Entry")
    if log._meta.db_table not in connection.introspection.table_names():
        return None
    entries = log._default_manager.using(connection.alias).order_by("-id")
    newest = entries.values_list("id", flat=True).first()
    if newest is None:
        return None
    ahead = microseconds_in(newest) - microsecond_of(connection)
    if ahead <= _TOLERATED:
        return None
    until = datetime_of(microseconds_in(newest)).isoformat(timespec="seconds")
    return (
        f"the newest entry is {timedelta(seconds=ahead // 1_000_000)} ahead of the clock, which"
        f" was set back. Until {until} the order of the entries is not certain"
    )
