"""Exports: a whole timeline as a file, streamed, and each of them an entry of the log."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone, translation

from django_customer_history.capture.events import record_access
from django_customer_history.export.formats import (
    Format,
    format_called,
)
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.timeline import Timeline

ACTION = "History Exported"

PIECE = 64 * 1024
"""Bytes of a file that are sent at once."""

_WITHHELD = ("q", "-q")
"""Filters whose text may itself be a confidential value: the log does not keep it."""


@dataclass(kw_only=True)
class Export:
    """One export under way: iterate over it for the bytes, then ask for count and digest."""

    chunks: Callable[[], Iterator[Sequence[TimelineEntry]]]
    format: Format
    file_name: str
    total: Callable[[], int | None]
    """Counts the entries that it will have, when called; None: that cannot be told before."""
    progress: Callable[[int], object] | None = None
    count: int = 0
    """Entries written so far."""
    _digest: Any = field(default_factory=hashlib.sha256, repr=False)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the file, in pieces of one size.

        Pieces that end with what was read at once would tell of entries that were left out.
        """
        for piece in _of_one_size(self.format.write(self._counted())):
            self._digest.update(piece)
            yield piece

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the file for ASGI, the database being asked in a thread."""
        unread = iter(self)
        while (piece := await sync_to_async(lambda: next(unread, None))()) is not None:
            yield piece

    @property
    def sha256(self) -> str:
        """The digest, in hexadecimal digits, of what was yielded so far."""
        return str(self._digest.hexdigest())

    def _counted(self) -> Iterator[Sequence[TimelineEntry]]:
        for chunk in self.chunks():
            self.count += len(chunk)
            yield chunk
            if self.progress is not None:
                self.progress(self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedExport:
    """An export that a reader may make, and that is not recorded yet."""

    timeline: Timeline
    format: Format

    @property
    def file_name(self) -> str:
        """A name for the file."""
        return f"history-{_name(self.timeline)}.{self.format.name}"

    def started(self) -> Export:
        """Record that the history is exported and return the export, of what was there before."""
        entry = record_access(
            ACTION,
            subject=_subject(self.timeline),
            changes={
                "format": (None, self.format.name),
                "filters": (None, _filters(self.timeline)),
            },
            using=self.timeline.queryset.db_of_writing,
        )
        exported = self.timeline.up_to(entry.id)
        return Export(
            chunks=_in_the_same_words(exported),
            total=exported.total,
            format=self.format,
            file_name=self.file_name,
        )


def wanted_export(timeline: Timeline, *, format_name: str) -> WantedExport:
    """Return the export that a reader asks for.

    Raises `UnknownFormatError`, and `PermissionDenied` for a reader who may not export it.
    """
    return WantedExport(format=format_called(format_name), timeline=timeline.exported())


def start_export(timeline: Timeline, *, format_name: str) -> Export:
    """Record that the history is exported and return the export, of what was there before.

    Raises `UnknownFormatError`, and `PermissionDenied` for a reader who may not export it.
    """
    return wanted_export(timeline, format_name=format_name).started()


def _of_one_size(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        whole = len(held) // PIECE * PIECE
        for start in range(0, whole, PIECE):
            yield bytes(held[start : start + PIECE])
        del held[:whole]
    if held:
        yield bytes(held)


def _in_the_same_words(timeline: Timeline) -> Callable[[], Iterator[Sequence[TimelineEntry]]]:
    """Return what reads the timeline in the language and time zone of now.

    A response is streamed when those of its request may be gone.
    """
    language, zone = translation.get_language(), timezone.get_current_timezone()

    def chunks() -> Iterator[Sequence[TimelineEntry]]:
        unread = timeline.chunks()
        while True:
            with translation.override(language), timezone.override(zone):
                chunk = next(unread, None)
            if chunk is None:
                return
            yield chunk

    return chunks


def _name(timeline: Timeline) -> str:
    return "all" if timeline.model is None else f"{timeline.model._meta.label_lower}-{timeline.key}"


def _subject(timeline: Timeline) -> tuple[str, str] | None:
    if timeline.model is None or timeline.key is None:
        return None
    return timeline.model._meta.label_lower, timeline.key


def _filters(timeline: Timeline) -> str | None:
    asked = [
        f"{name}={'*****' if name in _WITHHELD else value}"
        for name, values in timeline.filters.asked
        for value in values
    ]
    return "; ".join(asked) or None
