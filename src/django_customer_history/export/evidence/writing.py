"""Write the evidence: one zip file, made beside its place and moved there when it is whole.

Its files are those of `verify.MEMBERS`, in the same order and with the same bytes for the same
entries. The manifest is a signed note with the digests of the others.
"""

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.utils import timezone

from django_customer_history.exceptions import HistoryError, NotSealedError, SealError
from django_customer_history.export.evidence.lines import EvidenceLines
from django_customer_history.export.evidence.summary import Summary, record_text
from django_customer_history.export.streaming import ENTRIES_AT_ONCE, filters_text, recorded
from django_customer_history.feed.seals.comparison import last_key
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.proofs import SealedLog
from django_customer_history.feed.seals.sealing import log_name_of
from django_customer_history.models import Seal
from django_customer_history.reading.timeline import Timeline
from django_customer_history.values.rendering import utc_text
from django_customer_history.verify import EVIDENCE, LARGEST_MEMBER, LONGEST_LINE

_FORMAT = "evidence"
_TIME = (1980, 1, 1, 0, 0, 0)
"""The time of each file in the zip, so that the same entries make the same bytes."""


@dataclass(kw_only=True)
class Evidence:
    """Writes the evidence of a timeline; afterwards it has `count` and `sha256`."""

    timeline: Timeline
    key: SealKey
    maker: str
    """Who makes it, as text."""
    progress: Callable[[int], object] = lambda _count: None
    """Is called with the number of entries written so far."""
    count: int = 0
    sha256: str = ""
    _digests: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Record the export and write the file. Nothing is left at the path on an error.

        Raises `PermissionDenied` if the reader may not export the timeline, `NotSealedError` if
        entries are not sealed yet, `SealError` if an entry or a seal is not right, `HistoryError`
        if the file would be too large, and `OSError`.
        """
        exported = self.timeline.exported()
        self._check_sealed(exported)
        with _replacing(path) as file:
            made = timezone.now()
            entries = recorded(exported, format_name=_FORMAT)
            with ZipFile(file, "w", ZIP_DEFLATED) as archive, tempfile.TemporaryFile() as rows:
                summary = Summary(timeline=exported, maker=self.maker, made=made, file=rows)
                sizes = self._write_entries(archive, entries, summary)
                notes = self._write_checkpoints(archive, sizes)
                page = summary.content(
                    key=str(self.key.verifier), notes=notes, digests={**self._digests}
                )
                with self._member(archive, "summary.html") as write:
                    for content in page:
                        write(content)
                self._write_manifest(archive, made)
            file.seek(0)
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def _log(self) -> SealedLog:
        return SealedLog(key=self.key, using=self._using)

    @property
    def _using(self) -> str:
        return self.timeline.queryset.db

    @property
    def _log_name(self) -> str:
        return log_name_of(self.key, using=self._using)

    def _check_sealed(self, timeline: Timeline) -> None:
        log, end = self._log, last_key(self._log_name, using=self._using)
        keys = (one.id for chunk in timeline.chunks(ENTRIES_AT_ONCE) for one in chunk)
        count = sum(1 for key in keys if key > end or not log.has(key))
        if count:
            raise NotSealedError(
                f"{count} of the entries are not sealed yet. Run history_seal first, or leave them"
                " out with --to. Entries that an import wrote need history_seal --late."
            )

    def _write_entries(
        self, archive: ZipFile, timeline: Timeline, summary: Summary
    ) -> Sequence[int]:
        lines = EvidenceLines(log=self._log)
        sizes = set()
        with self._member(archive, "entries.ndjson") as write:
            for chunk in timeline.chunks(ENTRIES_AT_ONCE):
                for entry in lines.of(chunk):
                    content = _json_line(entry.content)
                    if len(content) >= LONGEST_LINE:
                        raise HistoryError(
                            f"Entry {entry.shown.id} is too large for evidence. Leave it out with"
                            " filters, and prove it with history_prove."
                        )
                    write(content)
                    sizes.add(entry.size)
                    summary.add(entry)
                self.count += len(chunk)
                self.progress(self.count)
        return sorted(sizes)

    def _write_checkpoints(self, archive: ZipFile, sizes: Sequence[int]) -> Sequence[str]:
        """Write the checkpoints of some sizes; return the first and the last one."""
        log = self._log
        notes: list[str] = []
        seals = Seal.objects.using(self._using).filter(log_name=self._log_name).defer("index")
        with self._member(archive, "checkpoints.ndjson") as write:
            former = 0
            for size in sizes:
                seal = seals.filter(size=size).order_by("id").first()
                if seal is None:
                    raise SealError(f"The seal of {size} entries is missing. Run history_verify.")
                growth = log.consistency_proof(self._log_name, old_size=former, new_size=size)
                write(
                    _json_line(
                        {
                            "checkpoint": seal.checkpoint,
                            "cosignatures": seal.cosignatures,
                            "timestamp": None
                            if seal.timestamp_token is None
                            else base64.b64encode(seal.timestamp_token).decode(),
                            "made": utc_text(seal.timestamp),
                            "growth": [base64.b64encode(one).decode() for one in growth],
                        }
                    )
                )
                notes, former = [*notes[:1], seal.checkpoint], size
        return notes

    def _write_manifest(self, archive: ZipFile, made: datetime) -> None:
        timeline = self.timeline
        manifest = {
            "made": utc_text(made),
            "by": self.maker,
            "record": record_text(timeline),
            "filters": filters_text(timeline),
            "entries": self.count,
            "sha256": self._digests,
        }
        note = self.key.signed(f"{EVIDENCE}\n{json.dumps(manifest)}\n")
        with self._member(archive, "manifest") as write:
            write(note.encode())

    @contextmanager
    def _member(self, archive: ZipFile, name: str) -> Iterator[Callable[[bytes], None]]:
        """Yield the function that writes to a new file of the zip."""
        info = ZipInfo(name, _TIME)
        info.compress_type, info.external_attr = ZIP_DEFLATED, 0o644 << 16
        digest, size = hashlib.sha256(), 0

        def write(content: bytes) -> None:
            nonlocal size
            size += len(content)
            if size >= LARGEST_MEMBER:
                raise HistoryError(
                    f"The evidence is too large: {name} would have more than {LARGEST_MEMBER}"
                    " bytes. Make several files, each for a shorter period."
                )
            digest.update(content)
            member.write(content)

        with archive.open(info, "w") as member:
            yield write
        self._digests[name] = digest.hexdigest()


def _json_line(content: Any) -> bytes:
    try:
        return f"{json.dumps(content, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:  # Half a surrogate pair has no form in UTF-8.
        return f"{json.dumps(content)}\n".encode()


@contextmanager
def _replacing(path: Path) -> Iterator[Any]:
    """Yield a new file that only its owner may read; it gets the name at the end of the block."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
