"""The formats of exports: each turns chunks of entries into bytes."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import Any

from django.utils.translation import gettext

from django_customer_history.exceptions import UnknownFormatError
from django_customer_history.reading.entries import (
    RecordName,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.reading.presentation import TYPES_WITH_DISPLAY
from django_customer_history.reading.serialization import entry_json, json_text

Chunks = Iterable[Sequence[TimelineEntry]]

COLUMNS = (
    "timestamp",
    "user",
    "action",
    "entity",
    "entity_id",
    "field",
    "old_value",
    "new_value",
    "source",
    "ip_address",
    "customer",
    "reason",
    "entry_id",
    "kind",
    "primary_id",
)

_FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""The last four are the full-width forms of the first four; some spreadsheets accept them too."""
_ROWS_PER_SHEET = 1_048_576
_LONGEST_CELL = 32_767
_CHUNK_SIZE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format: its name in `?format=`, its media type and its writer."""

    name: str
    media_type: str
    write: Callable[[Chunks], Iterator[bytes]]
    has_all_displays: bool = False
    """Whether the file has a display text of each value."""


def get_format(name: str) -> Format:
    """Return the format with a name.

    Raises `UnknownFormatError` if there is none, or if it needs a package that is not installed.
    """
    if name not in FORMATS:
        raise UnknownFormatError(
            gettext("Give one of: %(values)s.") % {"values": ", ".join(FORMATS)}
        )
    if name == "xlsx" and find_spec("xlsxwriter") is None:
        raise UnknownFormatError(
            gettext("XLSX needs the extra: install django-customer-history[xlsx].")
        )
    return FORMATS[name]


def entry_rows(
    entry: TimelineEntry, cells: Callable[[Sequence[str]], Sequence[str]] = tuple
) -> Iterator[tuple[str, ...]]:
    """Yield a row for each change of an entry; one row for an entry without changes.

    `cells` makes the contents of cells from texts.
    """
    head: Sequence[str] = (
        entry.timestamp.isoformat(timespec="microseconds"),
        _user(entry),
        entry.action,
        _entity(entry.entity),
        entry.entity.id,
    )
    tail: Sequence[str] = (
        entry.source.label,
        entry.ip_address or "",
        "" if entry.subject is None else entry.subject.label or f"#{entry.subject.id}",
        entry.reason or "",
        str(entry.id),
        entry.kind,
        "" if entry.primary_id is None else str(entry.primary_id),
    )
    head, tail = cells(head), cells(tail)
    for change in entry.changes:
        old = _text(change, change.old, change.old_display)
        new = _text(change, change.new, change.new_display)
        yield (*head, *cells((change.label, old, new)), *tail)
    if not entry.changes:
        yield (*head, "", "", "", *tail)


def formula_safe(texts: Sequence[str]) -> Sequence[str]:
    """Return texts that no spreadsheet runs as formulas."""
    return [f"'{text}" if text[:1] in _FORMULA_STARTS else text for text in texts]


def _write_csv(chunks: Chunks) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    yield _take(buffer)
    for chunk in chunks:
        for entry in chunk:
            writer.writerows(entry_rows(entry, formula_safe))
        yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    content = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return content


def _write_ndjson(chunks: Chunks) -> Iterator[bytes]:
    for chunk in chunks:
        yield "".join([f"{json_text(entry_json(entry))}\n" for entry in chunk]).encode()


def _write_xlsx(chunks: Chunks) -> Iterator[bytes]:
    from xlsxwriter import Workbook  # noqa: PLC0415 - an optional third party

    with TemporaryFile() as file:
        # Rows are written to the disk at once. `write_string` makes no formula and no link.
        with Workbook(file, {"constant_memory": True}) as workbook:
            for number, row in enumerate(_all_rows(chunks)):
                row_number = number % (_ROWS_PER_SHEET - 1)
                if row_number == 0:
                    sheet = workbook.add_worksheet()
                    _write_row(sheet, 0, COLUMNS)
                _write_row(sheet, row_number + 1, row)
            if not workbook.worksheets():
                _write_row(workbook.add_worksheet(), 0, COLUMNS)
        file.seek(0)
        while content := file.read(_CHUNK_SIZE):
            yield content


def _all_rows(chunks: Chunks) -> Iterator[tuple[str, ...]]:
    for chunk in chunks:
        for entry in chunk:
            yield from entry_rows(entry)


def _write_row(sheet: Any, number: int, row: Iterable[str]) -> None:
    for column, text in enumerate(row):
        sheet.write_string(number, column, _cell(text))


def _cell(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _user(entry: TimelineEntry) -> str:
    if entry.user is None:
        return "System"
    if entry.impersonator is not None:
        return f"{entry.impersonator.label} (as {entry.user.label})"
    return entry.user.label


def _entity(entity: RecordName) -> str:
    name = entity.name[:1].upper() + entity.name[1:]
    return f"{name} {entity.label}" if entity.label else name


def _text(change: TimelineChange, value: Any, display: str | None) -> str:
    if change.type == "secret":
        return "(not stored)"
    if change.masked or change.type in TYPES_WITH_DISPLAY:
        return display or ""
    if value is None:
        return ""
    return (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
    )


FORMATS: Mapping[str, Format] = {
    "csv": Format(name="csv", media_type="text/csv; charset=utf-8", write=_write_csv),
    "ndjson": Format(
        name="ndjson", media_type="application/x-ndjson", write=_write_ndjson, has_all_displays=True
    ),
    "xlsx": Format(
        name="xlsx",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        write=_write_xlsx,
    ),
}
