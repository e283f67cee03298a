"""The formats of exports: entries in, bytes out, a chunk at a time."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext

from django_customer_history.exceptions import UnknownFormatError
from django_customer_history.reading.entries import (
    RecordName,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.values.rendering import utc_text

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
)

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the first four in full width, which some spreadsheets take for the same."""
_SHOWN_AS_DISPLAYED = ("choice", "relation", "file")
_ROWS_OF_A_SHEET = 1_048_576
_LONGEST_CELL = 32_767
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A way to write entries into a file."""

    name: str
    media_type: str
    write: Callable[[Chunks], Iterator[bytes]]


def format_called(name: str) -> Format:
    """Return the format of that name.

    Raises `UnknownFormatError` for none, or for one that needs what is not installed.
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


def rows_of(entry: TimelineEntry) -> Iterator[tuple[str, ...]]:
    """Yield a row for each change of an entry, one for an entry without any."""
    head = (
        utc_text(entry.timestamp).replace("Z", "+00:00"),
        _user(entry),
        entry.action,
        _entity(entry.entity),
        entry.entity.id,
    )
    tail = (
        entry.source.label,
        entry.ip_address or "",
        "" if entry.subject is None else entry.subject.label or f"#{entry.subject.id}",
        entry.reason or "",
        str(entry.id),
    )
    for change in entry.changes:
        values = (change.label, *(_text(change, side) for side in ("old", "new")))
        yield (*head, *values, *tail)
    if not entry.changes:
        yield (*head, "", "", "", *tail)


def entry_json(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry in the shape that REST has for it."""
    return {
        "id": str(entry.id),
        "timestamp": utc_text(entry.timestamp),
        "user": _user_value(entry.user),
        "impersonator": _user_value(entry.impersonator),
        "action": entry.action,
        "kind": entry.kind,
        "subject": None
        if entry.subject is None
        else {name: getattr(entry.subject, name) for name in ("model", "id", "label")},
        "entity": {
            name: getattr(entry.entity, name) for name in ("model", "id", "label", "name", "url")
        },
        "changes": [_change_json(change) for change in entry.changes],
        "source": {"code": entry.source.code, "label": entry.source.label},
        "ip_address": entry.ip_address,
        "request_id": None if entry.request_id is None else str(entry.request_id),
        "reason": entry.reason,
        "is_baseline": entry.is_baseline,
    }


def formula_safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _write_csv(chunks: Chunks) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    yield _emptied(buffer)
    for chunk in chunks:
        for entry in chunk:
            writer.writerows([*map(formula_safe, row)] for row in rows_of(entry))
        yield _emptied(buffer)


def _emptied(buffer: io.StringIO) -> bytes:
    content = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return content


def _write_ndjson(chunks: Chunks) -> Iterator[bytes]:
    for chunk in chunks:
        lines = (
            json.dumps(
                entry_json(entry), cls=DjangoJSONEncoder, ensure_ascii=False, allow_nan=False
            )
            + "\n"
            for entry in chunk
        )
        yield "".join(lines).encode()


def _write_xlsx(chunks: Chunks) -> Iterator[bytes]:
    from xlsxwriter import Workbook  # noqa: PLC0415 - an optional third party

    with TemporaryFile() as file:
        # Rows go to the disk at once, and no text becomes a formula or a link.
        with Workbook(file, {"constant_memory": True}) as workbook:
            for number, row in enumerate(_all_rows(chunks)):
                place = number % (_ROWS_OF_A_SHEET - 1)
                if place == 0:
                    sheet = workbook.add_worksheet()
                    _write_row(sheet, 0, COLUMNS)
                _write_row(sheet, place + 1, row)
            if not workbook.worksheets():
                _write_row(workbook.add_worksheet(), 0, COLUMNS)
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def _all_rows(chunks: Chunks) -> Iterator[tuple[str, ...]]:
    for chunk in chunks:
        for entry in chunk:
            yield from rows_of(entry)


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


def _text(change: TimelineChange, side: str) -> str:
    value, shown = getattr(change, side), getattr(change, f"{side}_display")
    if change.type == "secret":
        return "(not stored)"
    if change.masked or change.type in _SHOWN_AS_DISPLAYED:
        return shown or ""
    if value is None:
        return ""
    return (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
    )


def _user_value(user: Any) -> dict[str, str] | None:
    return None if user is None else {"id": user.id, "name": user.label}


def _change_json(change: TimelineChange) -> dict[str, Any]:
    names = ("field", "label", "type", "old", "new", "old_display", "new_display", "masked")
    shown = {name: getattr(change, name) for name in names}
    if change.permission is not None:
        shown["permission"] = change.permission
    return shown


FORMATS: Mapping[str, Format] = {
    "csv": Format(name="csv", media_type="text/csv; charset=utf-8", write=_write_csv),
    "ndjson": Format(name="ndjson", media_type="application/x-ndjson", write=_write_ndjson),
    "xlsx": Format(
        name="xlsx",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        write=_write_xlsx,
    ),
}
