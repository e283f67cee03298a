"""Values as the tab shows them: each in its state, long ones in pieces."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from django_customer_history.reading.entries import (
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.tab.differences import (
    Piece,
    Pieces,
    excerpt_of,
    json_lines,
    word_difference,
)
from django_customer_history.values.rendering import json_value
from django_customer_history.values.types import ValueType

_LONGEST_WHOLE = 280
"""Characters of a text that is shown as it is; of a longer one an excerpt is."""
_MOST_LINES = 5
_SHORTEST_COMPARED = 24
_PREVIEWED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One side of a change."""

    state: str
    """`value`, `null`, `blank`, `masked`, `secret`, or `untracked`: before tracking began."""
    text: str = ""
    pieces: Pieces = ()
    excerpt: Pieces = ()
    """What stands for a long value until it is opened; empty for a short one."""
    lines: Pieces = ()
    """The members of a JSON value or a list; empty for what is none."""
    first_lines: Pieces = ()
    """What stands for many members until they are opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field of an entry."""

    change: TimelineChange
    old: Cell
    new: Cell

    @property
    def revealing(self) -> Cell:
        """The side on which the button stands that reveals both."""
        return self.new if self.new.state == "masked" else self.old


def lines_of(entry: TimelineEntry) -> tuple[Line, ...]:
    """Return the fields of an entry, in their order."""
    lines = (_line(change) for change in entry.changes)
    if not entry.is_baseline:
        return tuple(lines)
    return tuple(replace(line, old=Cell(state="untracked")) for line in lines)


def preview_of(entry: TimelineEntry) -> str:
    """Return the most telling values of an entry whose fields are not open."""
    side = "old_display" if entry.kind == "delete" else "new_display"
    subject = None if entry.subject is None else entry.subject.label

    def told() -> Iterator[str]:
        for change in entry.changes:
            text = getattr(change, side)
            if text and change.type not in ("secret", "json") and text != subject:
                yield f"{change.label}: {' '.join(text.split())[:80]}"

    return " · ".join(islice(told(), _PREVIEWED))


def _line(change: TimelineChange) -> Line:
    old, new = change.old_display, change.new_display
    if _is_structured(change, old, new):
        before, after = json_lines(_parsed(old), _parsed(new))
        return Line(
            change=change,
            old=_cell(change, old, lines=before),
            new=_cell(change, new, lines=after),
        )
    compared = _compared(change, old, new)
    return Line(
        change=change,
        old=_cell(change, old, pieces=compared[0]),
        new=_cell(change, new, pieces=compared[1]),
    )


def _compared(change: TimelineChange, old: str | None, new: str | None) -> tuple[Pieces, Pieces]:
    if change.type == "text" and not change.masked and old and new:
        longest = max(old, new, key=len)
        if len(longest) >= _SHORTEST_COMPARED and " " in longest.strip():
            return word_difference(old, new) or ((), ())
    return (), ()


def _cell(
    change: TimelineChange, text: str | None, *, pieces: Pieces = (), lines: Pieces = ()
) -> Cell:
    state = _state(change, text)
    if lines:
        first = lines[:_MOST_LINES] if len(lines) > _MOST_LINES + 1 else ()
        return Cell(state=state, text=text or "", lines=lines, first_lines=first)
    pieces = pieces or ((Piece(text),) if text else ())
    excerpt = excerpt_of(pieces, length=_LONGEST_WHOLE, lines=_MOST_LINES)
    return Cell(state=state, text=text or "", pieces=pieces, excerpt=excerpt)


def _state(change: TimelineChange, text: str | None) -> str:
    if change.type == "secret":
        return "secret"
    if text is None:
        return "null"
    if text == "":
        return "blank"
    return "masked" if change.masked else "value"


def _is_structured(change: TimelineChange, old: str | None, new: str | None) -> bool:
    # Of a masked value a part may show: the display is what the reader may see of it.
    return change.type == "json" and any(
        isinstance(_parsed(one), dict | list) and _parsed(one) for one in (old, new)
    )


def _parsed(text: str | None) -> Any:
    return json_value(text, ValueType.JSON)
