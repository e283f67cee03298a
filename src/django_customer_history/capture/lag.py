"""How far the settled order is behind, and which transactions hold it back."""

from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history import conf
from django_customer_history.backends import settling_of
from django_customer_history.backends.settling import OpenTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledLag:
    """How far the settled order of a log is behind."""

    seconds: float
    """The age of the oldest transaction that holds it back; 0.0 if there is none. All entries
    from before it are settled."""
    transactions: tuple[OpenTransaction, ...] = ()
    """At most ten transactions that hold it back, the oldest first."""


def settled_lag(connection: BaseDatabaseWrapper) -> SettledLag:
    """Return how far the settled order is behind, as far as the role may see it."""
    found = settling_of(connection).open_transactions(connection)
    return SettledLag(
        seconds=max((one.seconds for one in found), default=0.0), transactions=tuple(found)
    )


def lag_problem(connection: BaseDatabaseWrapper) -> str | None:
    """Return what is wrong if a transaction holds back the feed for too long; else None."""
    lag = settled_lag(connection)
    if not lag.transactions or lag.seconds < conf.settled_lag_limit():
        return None
    oldest = max(lag.transactions, key=lambda one: one.seconds)
    about = ", ".join(filter(None, [oldest.user and f"user {oldest.user}", oldest.state]))
    return (
        f"the feed has no entries of the last {lag.seconds:.0f} seconds, because the transaction"
        f" of session {oldest.session}{about and f' ({about})'} is open since then"
    )
