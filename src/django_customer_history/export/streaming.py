"""Exports: a timeline as a streamed file. The log has an entry for each export."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone, translation

from django_customer_history.capture.events import record_access
from django_customer_history.export.formats import (
    Format,
    get_format,
)
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.timeline import Timeline

ACTION = "History Exported"

CHUNK_SIZE = 64 * 1024
"""Bytes of a file that are sent at once."""

ENTRIES_AT_ONCE = 4_000
"""Entries that are read at once. Each reading loads the marks and the records again."""

_SEARCHES = ("q", "-q")
"""Filters whose text can be a confidential value: the log does not store it."""


@dataclass(kw_only=True)
class Export:
    """A started export: iterate over it for the bytes, then read `count` and `sha256`."""

    chunks: Callable[[], Iterator[Sequence[TimelineEntry]]]
    format: Format
    file_name: str
    total: Callable[[], int | None]
    """Returns the number of entries in the file; None if it is not known before the end."""
    progress: Callable[[int], object] | None = None
    """Called with the number of entries written so far."""
    count: int = 0
    """Entries written so far."""
    _digest: Any = field(default_factory=hashlib.sha256, repr=False)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the content of the file, in chunks of one size.

        Chunks of different sizes would disclose entries that were read and left out.
        """
        for content in _of_one_size(self.format.write(self._counted())):
            self._digest.update(content)
            yield content

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the content of the file for ASGI. A thread reads the database."""
        unread = iter(self)
        while (content := await sync_to_async(lambda: next(unread, None))()) is not None:
            yield content

    @property
    def sha256(self) -> str:
        """The digest of the content yielded so far, in hexadecimal digits."""
        return str(self._digest.hexdigest())

    def _counted(self) -> Iterator[Sequence[TimelineEntry]]:
        for chunk in self.chunks():
            self.count += len(chunk)
            yield chunk
            if self.progress is not None:
                self.progress(self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedExport:
    """An export that its reader may make, before it is recorded and started."""

    timeline: Timeline
    format: Format

    @property
    def file_name(self) -> str:
        """A name for the file."""
        return f"history-{_name(self.timeline)}.{self.format.name}"

    def start(self) -> Export:
        """Record the export and return it. It has the entries that were there before its own."""
        exported = recorded(self.timeline, format_name=self.format.name)
        return Export(
            chunks=_in_current_language(exported, self.format),
            total=exported.total,
            format=self.format,
            file_name=self.file_name,
        )


def prepare_export(timeline: Timeline, *, format_name: str) -> PreparedExport:
    """Return an export that is not started yet.

    Raises `UnknownFormatError`, and `PermissionDenied` if the reader may not export the timeline.
    """
    return PreparedExport(format=get_format(format_name), timeline=timeline.exported())


def start_export(timeline: Timeline, *, format_name: str) -> Export:
    """Record an export and return it. It has the entries that were there before its own.

    Raises `UnknownFormatError`, and `PermissionDenied` if the reader may not export the timeline.
    """
    return prepare_export(timeline, format_name=format_name).start()


def recorded(timeline: Timeline, *, format_name: str) -> Timeline:
    """Record an export, and return the entries that were there before that of the export."""
    entry = record_access(
        ACTION,
        subject=subject_of(timeline),
        changes={"format": (None, format_name), "filters": (None, filters_text(timeline))},
        using=timeline.queryset.db_of_writing,
    )
    return timeline.up_to(entry.id)


def _of_one_size(contents: Iterator[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for content in contents:
        buffer += content
        whole = len(buffer) // CHUNK_SIZE * CHUNK_SIZE
        for start in range(0, whole, CHUNK_SIZE):
            yield bytes(buffer[start : start + CHUNK_SIZE])
        del buffer[:whole]
    if buffer:
        yield bytes(buffer)


def _in_current_language(
    timeline: Timeline, file_format: Format
) -> Callable[[], Iterator[Sequence[TimelineEntry]]]:
    """Return a function that reads the timeline in the current language and time zone.

    A response is streamed after its request, when Django has deactivated both.
    """
    language, zone = translation.get_language(), timezone.get_current_timezone()

    def chunks() -> Iterator[Sequence[TimelineEntry]]:
        unread = timeline.chunks(ENTRIES_AT_ONCE, has_all_displays=file_format.has_all_displays)
        while True:
            with translation.override(language), timezone.override(zone):
                chunk = next(unread, None)
            if chunk is None:
                return
            yield chunk

    return chunks


def _name(timeline: Timeline) -> str:
    return "all" if timeline.model is None else f"{timeline.model._meta.label_lower}-{timeline.key}"


def subject_of(timeline: Timeline) -> tuple[str, str] | None:
    """Return the model and the key of the subject of a timeline; None: it is of all subjects."""
    if timeline.model is None or timeline.key is None:
        return None
    return timeline.model._meta.label_lower, timeline.key


def filters_text(timeline: Timeline) -> str | None:
    """Return the filters of a timeline as text, without texts that can be confidential."""
    shown = [f"{name}={'*****' if name in _SEARCHES else text}" for name, text in timeline.filters]
    return "; ".join(shown) or None
