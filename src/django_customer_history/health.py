"""Check that every change is recorded, for a health page or a monitoring job.

from django_customer_history import health

assert health.problems() == []
"""

from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.capture import lag as capture_lag
from django_customer_history.capture import problems as capture_problems
from django_customer_history.capture.lag import SettledLag
from django_customer_history.capture.triggers import has_log, keeps_log
from django_customer_history.feed.seals.status import SealStatus, seal_problems, seal_status


def problems(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return what is wrong with the capture of changes in a database; an empty list if nothing is.

    These are the problems that `check --database` reports: triggers that are missing, stale or
    orphaned, registered models without a table, what else in the database can change, hide or
    swallow entries, and a transaction that holds back the feed. With the setting SEAL_KEY, these
    are also entries that are not sealed or verified in time, findings of the last verification,
    and folders without a copy of the last checkpoint. `using` is the alias of the database.
    """
    captured = [problem.summary or problem.text for problem in capture_problems.problems(using)]
    # Without the log there is one problem already, and nothing to seal.
    has_seals = keeps_log(using) and has_log(connections[using])
    return captured + (seal_problems(using=using) if has_seals else [])


def seals(*, using: str = DEFAULT_DB_ALIAS) -> SealStatus | None:
    """Return how far a log is sealed and verified; None without the setting SEAL_KEY.

    `using` is the alias of the database. Raises `SealError` if the key cannot be read.
    """
    return seal_status(using=using)


def settled_lag(*, using: str = DEFAULT_DB_ALIAS) -> SettledLag:
    """Return how far the settled order of a log is behind, and who holds it back.

    `seconds` is the age of the oldest transaction that holds it back, and `transactions` names up
    to ten of them: `session`, `user`, `state` and `seconds`. `using` is the alias of the database.
    Raises `UnsupportedDatabaseError` if changes cannot be captured there.
    """
    return capture_lag.settled_lag(connections[using])
