"""Values as the tab shows them: the state of each, differences, and excerpts of long ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from django_customer_history.reading.entries import (
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.tab.diff import (
    UNCHANGED,
    Segment,
    Segments,
    excerpt,
    json_diff,
    text_diff,
)
from django_customer_history.values.rendering import json_value
from django_customer_history.values.types import ValueType

_MAX_TEXT_LENGTH = 200
"""In characters. A longer text is collapsed to an excerpt."""
_MAX_LINES = 4
"""In lines of a text, or members of a JSON value."""
_MIN_DIFF_LENGTH = 24
"""In characters. In shorter texts the differences are obvious."""
_PREVIEW_FIELDS = 3
_PREVIEW_LENGTH = 80
"""In characters, for each field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The old or the new value of a change."""

    state: str
    """`value`, `null`, `blank`, `masked`, `secret`, or `untracked` (before tracking started)."""
    text: str = ""
    segments: Segments = ()
    excerpt: Segments = ()
    """What a collapsed long value shows; empty for a short one."""
    members: Segments = ()
    """The members of a JSON object or a list; empty for other values."""
    first_members: Segments = ()
    """The members that a collapsed value shows; empty if all are shown."""
    is_truncated: bool = False
    """Whether it is only a part of a long value."""

    @property
    def is_plain(self) -> bool:
        """Whether it is a short text without marks, as most values are."""
        return (
            self.state == "value"
            and len(self.segments) == 1
            and self.segments[0].kind == UNCHANGED
            and not (self.excerpt or self.is_truncated)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TabChange:
    """A change as the tab shows it: one row of the table."""

    change: TimelineChange
    old: Cell
    new: Cell
    link: str = ""
    """The link that filters by the field; empty on pages without a filter bar."""
    is_deletion: bool = False

    @property
    def shown(self) -> Cell:
        """The cell that a created or deleted record shows."""
        return self.old if self.is_deletion else self.new

    @property
    def reveal_cell(self) -> Cell:
        """The cell that has the button that reveals both values."""
        return self.new if self.new.state == "masked" else self.old


def build_changes(
    entry: TimelineEntry, *, link: Callable[[str], str] | None = None
) -> tuple[TabChange, ...]:
    """Return the changes of an entry, in their order. `link` returns the link of a field."""
    is_deletion = entry.kind == "delete"
    changes = [
        build_change(
            change, link="" if link is None else link(change.field), is_deletion=is_deletion
        )
        for change in entry.changes
    ]
    if not entry.is_baseline:
        return tuple(changes)
    return tuple(replace(change, old=Cell(state="untracked")) for change in changes)


def value_preview(entry: TimelineEntry) -> str:
    """Return the first few values of an entry, as one line of text."""
    side = "old_display" if entry.kind == "delete" else "new_display"
    subject = None if entry.subject is None else entry.subject.label

    def values() -> Iterator[str]:
        for change in entry.changes:
            text = getattr(change, side)
            if text and change.type not in ("secret", "json") and text != subject:
                yield f"{change.label}: {' '.join(text.split())[:_PREVIEW_LENGTH]}"

    return " · ".join(islice(values(), _PREVIEW_FIELDS))


def build_change(change: TimelineChange, *, link: str = "", is_deletion: bool = False) -> TabChange:
    """Return one change with its values compared. `link` is the one that filters by the field."""
    old, new = change.old_display, change.new_display
    if _is_structured(change, old, new):
        old_members, new_members = json_diff(_parsed(old), _parsed(new))
        old_cell = _cell(change, old, members=old_members)
        new_cell = _cell(change, new, members=new_members)
    else:
        old_segments, new_segments = _compared(change, old, new)
        old_cell = _cell(change, old, segments=old_segments)
        new_cell = _cell(change, new, segments=new_segments)
    return TabChange(change=change, old=old_cell, new=new_cell, link=link, is_deletion=is_deletion)


def _compared(
    change: TimelineChange, old: str | None, new: str | None
) -> tuple[Segments, Segments]:
    if change.type == "text" and not change.masked and old and new:
        longest = max(old, new, key=len)
        if len(longest) >= _MIN_DIFF_LENGTH and " " in longest.strip():
            return text_diff(old, new) or ((), ())
    return (), ()


def _cell(
    change: TimelineChange, text: str | None, *, segments: Segments = (), members: Segments = ()
) -> Cell:
    state = _state(change, text)
    if members:
        # One member more is shown rather than a link that opens it.
        first = members[:_MAX_LINES] if len(members) > _MAX_LINES + 1 else ()
        return Cell(
            state=state,
            text=text or "",
            members=members,
            first_members=first,
            is_truncated=change.is_truncated,
        )
    segments = segments or ((Segment(text),) if text else ())
    return Cell(
        state=state,
        text=text or "",
        segments=segments,
        excerpt=excerpt(segments, length=_MAX_TEXT_LENGTH, lines=_MAX_LINES),
        is_truncated=change.is_truncated and text is not None,
    )


def _state(change: TimelineChange, text: str | None) -> str:
    if change.type == "secret":
        return "secret"
    if text is None:
        return "null"
    if text == "":
        return "blank"
    return "masked" if change.masked else "value"


def _is_structured(change: TimelineChange, old: str | None, new: str | None) -> bool:
    # A part of a masked JSON value can be visible: the display text is what the reader may see.
    return change.type == "json" and any(
        isinstance(_parsed(text), dict | list) and _parsed(text) for text in (old, new)
    )


def _parsed(text: str | None) -> Any:
    return json_value(text, ValueType.JSON)
