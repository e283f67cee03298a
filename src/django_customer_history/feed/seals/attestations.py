"""What others confirm of a seal before it is saved: a timestamp, and the cosignatures of witnesses.

Nobody can add them later, as seals are append-only. A seal is made without what is not there in
time. The next one makes up for it: its tree begins with this one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django_customer_history import conf
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals.copies import shown_url
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.ledger import leaf_hashes, manifest_of
from django_customer_history.feed.seals.merkle import GrownTree, RightEdge
from django_customer_history.feed.seals.proofs import SealedLog
from django_customer_history.feed.seals.timestamps import (
    check_timestamp,
    timestamp_of,
)
from django_customer_history.feed.seals.witnesses import cosignature_of, cosigned, witnesses
from django_customer_history.models import Seal
from django_customer_history.verify import VerificationError


@dataclass(kw_only=True)
class Attestations:
    """Gets the attestations of seals, one after the other. Who fails once is not asked again."""

    key: SealKey
    using: str
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong, by URL."""

    def add(self, seal: Seal, *, before: RightEdge) -> None:
        """Give a seal that is not saved what others confirm; `before` is the edge before it."""
        authority, asked = conf.seal_timestamp_url(), witnesses()
        if authority is not None:
            token = self._tried(authority, partial(timestamp_of, seal.checkpoint, url=authority))
            seal.timestamp_token = token
        if asked:
            log = SealedLog(key=self.key, using=self.using)
            tree = GrownTree.of(before, leaf_hashes(seal))

            def growth(old_size: int) -> list[bytes]:
                return log.growth(seal.log_name, old_size=old_size, new=tree)

            sizes = {"old_size": before.size, "size": seal.size}
            lines = [
                self._tried(
                    url,
                    partial(
                        cosignature_of,
                        seal.checkpoint,
                        url=url,
                        witness=witness,
                        growth=growth,
                        **sizes,
                    ),
                )
                for url, witness in asked
            ]
            seal.cosignatures = "".join(filter(None, lines)) or None
        if authority is not None or asked:
            seal.manifest = self.key.signed(manifest_of(seal))

    def raise_problems(self, seal: Seal) -> None:
        """Raise `SealError` that names each authority and each witness that did not confirm."""
        if self.problems:
            found = "; ".join(f"{shown_url(url)}: {text}" for url, text in self.problems.items())
            raise SealError(f"The seal of {seal.size} entries is made, but {found}.")

    def _tried(self, url: str, ask: Callable[[], Any]) -> Any:
        if url in self.problems:
            return None
        try:
            return ask()
        except SealError as error:
            self.problems[url] = str(error)
            return None


def missing_attestations(seal: Seal) -> list[str]:
    """Return what the last seal lacks that the settings ask for, as problems."""
    problems = []
    authority = conf.seal_timestamp_url()
    if authority is not None and seal.timestamp_token is None:
        problems.append(
            f"The last seal, of {seal.size} entries, has no timestamp of {shown_url(authority)}."
        )
    try:
        found = cosigned(seal.checkpoint, seal.cosignatures)
    except (SealError, VerificationError) as error:
        return [*problems, f"The last seal, of {seal.size} entries: {error}"]
    problems += [
        f"The last seal, of {seal.size} entries, has no signature of the witness {shown_url(url)}."
        for url in conf.seal_witnesses()
        if url not in found
    ]
    return problems


def check_attestations(seal: Seal, *, roots: Sequence[Any]) -> None:
    """Raise `VerificationError` if a timestamp or a cosignature of a seal is not right.

    Without `roots` no timestamp is checked, and only witnesses of the settings are.
    """
    cosigned(seal.checkpoint, seal.cosignatures)
    if roots and seal.timestamp_token is not None:
        check_timestamp(bytes(seal.timestamp_token), seal.checkpoint, roots=roots)
