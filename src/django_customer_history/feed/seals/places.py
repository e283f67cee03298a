"""In which seal an entry is, for pages and for REST. Reading it takes no key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from django_customer_history.feed.seals.ledger import seal_with
from django_customer_history.values.moments import in_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceInLog:
    """The seal of one entry, as stored: `history_verify` checks it."""

    timestamp: datetime
    """When the entry was sealed, in UTC."""
    log_name: str
    size: int
    """The number of entries in the checkpoint of the seal."""
    leaf: int
    """Which leaf of the tree the entry is, from 0."""

    @classmethod
    def of(cls, key: UUID, *, using: str) -> Self | None:
        """Return the place of an entry in the log of a database; None: it is not sealed yet."""
        found = seal_with(key, using=using)
        if found is None:
            return None
        seal, leaf = found
        return cls(
            timestamp=in_utc(seal.timestamp), log_name=seal.log_name, size=seal.size, leaf=leaf
        )
