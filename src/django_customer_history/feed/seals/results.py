"""The results of verifications, which are entries of the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django_customer_history.capture.events import record_about_history
from django_customer_history.feed.seals.sealing import log_name_of
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.models import Entry
from django_customer_history.values.moments import in_utc

VERIFIED = "Log Verified"
KIND = "customer_history.seal"
"""The label of the entity of the entries; its key is the name of the log."""


def record_verification(verification: Verification, *, findings: int) -> None:
    """Write an entry with the result of a verification of the whole log."""
    counts = {
        "entries": verification.entries,
        "seals": verification.seals,
        "unsealed": verification.unsealed,
        "findings": findings,
    }
    record_about_history(
        VERIFIED,
        about=(KIND, log_name_of(verification.key, using=verification.using)),
        changes={name: [None, str(count)] for name, count in counts.items()},
        using=verification.using,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """The result of a verification of the whole log."""

    timestamp: datetime
    """When it ended, in UTC."""
    findings: int | None
    """How much was wrong; None: the entry does not say it."""

    @classmethod
    def last(cls, log_name: str, *, using: str) -> Self | None:
        """Return the result of the last verification of a log; None: it was never verified."""
        entries = Entry.objects.using(using).filter(
            entity_model=KIND, entity_id=log_name, action=VERIFIED
        )
        entry = entries.order_by("-id").first()
        if entry is None:
            return None
        _old, text = entry.changes.get("findings", (None, None))
        findings = int(text) if text and text.isascii() and text.isdecimal() else None
        return cls(timestamp=in_utc(entry.timestamp), findings=findings)
