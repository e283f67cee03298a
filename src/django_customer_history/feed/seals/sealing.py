"""Seal the log: the settled entries after the last seal become leaves of the tree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from django_customer_history.capture.events import record_about_history
from django_customer_history.exceptions import SealError
from django_customer_history.feed.locks import only_sealer
from django_customer_history.feed.seals.attestations import Attestations
from django_customer_history.feed.seals.comparison import compared, last_key
from django_customer_history.feed.seals.copies import folders, publish
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.leaves import LeafFormat
from django_customer_history.feed.seals.ledger import checked, entries_after, last_seal, new_seal
from django_customer_history.feed.seals.merkle import RightEdge
from django_customer_history.models import Entry, Seal
from django_customer_history.reading.feed import settled_entries
from django_customer_history.verify import Checkpoint, VerificationError, leaf_hash, opened

SEAL_SIZE = 8_192
"""How many entries a seal has at most; more are several seals."""
PATIENCE = 5.0
"""In seconds: how long to wait for open transactions."""


def log_name_of(key: SealKey, *, using: str) -> str:
    """Return the name of the log of a database. Each database has a log of its own."""
    return key.name if using == DEFAULT_DB_ALIAS else f"{key.name}/{using}"


def seal_log(key: SealKey, *, using: str, is_new_tree: bool = False) -> Iterator[Seal]:
    """Seal the settled entries that are not sealed yet; yield each seal.

    The last checkpoint is published at the end, also one that could not be published before.
    `is_new_tree` begins a new tree beside those of other names, and logs it.

    Raises `SealError` if another process seals the log, the log lacks what was sealed, the last
    seal is not right, a checkpoint was not published, or an authority for timestamps or a witness
    did not confirm it; and what `Timeline.feed` raises.
    """
    with only_sealer(using):
        sealer = _Sealer.of(key, using=using)
        _check_log_name(sealer, is_new_tree=is_new_tree)
        yield from sealer.run(sealer.settled())


def seal_late(key: SealKey, *, using: str) -> Iterator[Seal]:
    """Seal entries that were added behind the last seal, such as by an import; yield each seal.

    Raises `SealError` as `seal_log` does.
    """
    with only_sealer(using):
        sealer = _Sealer.of(key, using=using)
        yield from sealer.run(sealer.late(), is_late=True)


@dataclass(kw_only=True)
class _Sealer:
    key: SealKey
    using: str
    log_name: str
    last: Seal | None
    edge: RightEdge

    @classmethod
    def of(cls, key: SealKey, *, using: str) -> "_Sealer":
        """Return the sealer after the last seal, if the log still has what was sealed."""
        log_name = log_name_of(key, using=using)
        last = last_seal(log_name, using=using)
        edge = RightEdge()
        if last is not None:
            try:
                edge = checked(last, key)
            except VerificationError as error:
                raise SealError(
                    f"The last seal, of {last.size} entries, is not right: {error} Run"
                    " history_verify."
                ) from error
        sealer = cls(key=key, using=using, log_name=log_name, last=last, edge=edge)
        sealer.check_whole()
        return sealer

    def check_whole(self) -> None:
        """Raise `SealError` if the log or its seals became less than what was published."""
        position = last_key(self.log_name, using=self.using)
        is_there = Entry.objects.using(self.using).filter(id=position).exists()
        if self.edge.size and not is_there:
            raise SealError(
                f"The log has shrunk: entry {position}, the last one that was sealed, is missing."
                " Run history_verify."
            )
        for folder in folders():
            copy = folder.newest(self.log_name)
            if copy is None:
                continue
            try:
                published = Checkpoint.read(opened(copy.note, self.key.verifiers))
            except VerificationError as error:
                raise SealError(f"{copy.place} is not right: {error}") from error
            if published.size > self.edge.size:
                raise SealError(
                    f"The log has shrunk: {copy.place} says {published.size} entries, and the last"
                    f" seal {self.edge.size}. Was a backup restored? Run history_verify."
                )

    def settled(self) -> Iterator[Entry]:
        """Yield the settled entries after the last seal, in the order of keys."""
        position, is_limited = last_key(self.log_name, using=self.using), True
        while is_limited:
            settled = settled_entries(
                self.using, after=position, limit=SEAL_SIZE, patience=PATIENCE
            )
            start, end = position, UUID(int=max(settled.before.int - 1, 0))
            for entry in entries_after(position, using=self.using, up_to=end):
                position = entry.id
                yield entry
            is_limited = settled.is_limited and position != start

    def late(self) -> Iterator[Entry]:
        """Yield the entries behind the last seal that no seal has, in the order of keys."""
        if self.last is None:
            return
        end = last_key(self.log_name, using=self.using)
        for pair in compared(self.log_name, using=self.using, up_to=end, newest=self.last.pk):
            if pair.place is None and pair.entry is not None:
                yield pair.entry

    def run(self, entries: Iterator[Entry], *, is_late: bool = False) -> Iterator[Seal]:
        """Save a seal for each `SEAL_SIZE` entries, and publish the last checkpoint."""
        form, former = LeafFormat(secret=self.key.secret), self.last
        attestations = Attestations(key=self.key, using=self.using)
        while leaves := [
            (entry.id, leaf_hash(form.leaf(entry))) for entry in islice(entries, SEAL_SIZE)
        ]:
            self.last = self._seal(leaves, attestations, is_late=is_late)
            yield self.last
        if self.last is not None:
            publish(self.last, is_new=self.last is not former)
            attestations.raise_problems(self.last)

    def _seal(
        self, leaves: list[tuple[UUID, bytes]], attestations: Attestations, *, is_late: bool
    ) -> Seal:
        seal = new_seal(
            self.key,
            log_name=self.log_name,
            before=self.edge,
            leaves=leaves,
            # A fixture in JSON has no more.
            timestamp=_in_milliseconds(timezone.now()),
            is_late=is_late,
        )
        attestations.add(seal, before=self.edge)
        seal.save(using=self.using)
        self.edge = RightEdge.read(bytes(seal.edge), size=seal.size)
        return seal


def _in_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _check_log_name(sealer: _Sealer, *, is_new_tree: bool) -> None:
    """Raise `SealError` if a new tree would begin and nobody asked for it."""
    if sealer.last is not None:
        return
    others = Seal.objects.using(sealer.using).order_by("-id")
    other = others.values_list("log_name", flat=True).first()
    if other is None:
        return
    if not is_new_tree:
        raise SealError(
            f"The log has seals of {other}, and the key is for {sealer.log_name}. Name the right"
            " key in SEAL_KEY. To begin a new tree, as after a restored backup, add --new-tree."
        )
    record_about_history(
        "Seals Restarted",
        about=("customer_history.seal", sealer.log_name),
        changes={"log_name": [other, sealer.log_name]},
        using=sealer.using,
    )
