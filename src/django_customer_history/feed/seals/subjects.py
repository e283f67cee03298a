"""Verify the entries of one subject, without reading all others."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django_customer_history.exceptions import NotSealedError, SealError
from django_customer_history.feed.seals.comparison import last_key
from django_customer_history.feed.seals.findings import Finding
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.proofs import SealedLog
from django_customer_history.feed.seals.sealing import log_name_of
from django_customer_history.models import EntryQuerySet


@dataclass(kw_only=True)
class SubjectVerification:
    """Compares the entries of one subject with their seals; `run` yields what is wrong.

    An entry of the subject that was removed is not found: a seal does not say whose its entries
    are.
    """

    key: SealKey
    using: str
    log: EntryQuerySet
    """All entries of the subject."""
    entries: int = 0
    unsealed: int = 0
    """Entries after the last seal. Nothing is stated about them yet."""

    def run(self) -> Iterator[Finding]:
        """Yield what is wrong, and count what was verified."""
        sealed = SealedLog(key=self.key, using=self.using)
        last = last_key(log_name_of(self.key, using=self.using), using=self.using)
        problems = set()
        for entry in self.log.using(self.using).order_by("id").iterator():
            self.entries += 1
            try:
                is_right = sealed.is_as_sealed(entry)
            except NotSealedError:
                self.unsealed += entry.id > last
                if entry.id <= last:
                    text = f"Entry {entry.id} was inserted: it is in no seal."
                    yield Finding(kind="inserted", text=text, entry=entry.id)
                continue
            except SealError as error:
                if str(error) not in problems:
                    problems.add(str(error))
                    yield Finding(kind="forged", text=str(error))
                continue
            if not is_right:
                yield _altered(entry.id)


def _altered(key: UUID) -> Finding:
    return Finding(kind="altered", text=f"Entry {key} was altered.", entry=key)
