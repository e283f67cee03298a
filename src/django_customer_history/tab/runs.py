"""Runs: many edits of one field, one after the other, that the tab folds into one line."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django_customer_history.tab.days import TabEntry
from django_customer_history.tab.values import build_change

_MAX_PAUSE = timedelta(minutes=10)
"""Between two edits of a run."""
_MIN_EDITS = 3
"""Two edits are as easy to read as the line that would open them."""


def fold_runs(entries: Sequence[TabEntry]) -> tuple[TabEntry, ...]:
    """Return the entries of a day, newest first, with each run as one entry.

    A run is a number of edits of the same field of the same record by the same user, from the
    same place and within minutes. Each begins with the value that the one before left.
    """
    shown: list[TabEntry] = []
    for run in _runs(entries):
        shown += [_folded(run)] if len(run) >= _MIN_EDITS else run
    return tuple(shown)


def _runs(entries: Sequence[TabEntry]) -> Iterator[Sequence[TabEntry]]:
    start = 0
    for at, (newer, older) in enumerate(pairwise(entries), start=1):
        if not _continues(newer, older):
            yield entries[start:at]
            start = at
    if entries:
        yield entries[start:]


def _continues(newer: TabEntry, older: TabEntry) -> bool:
    if not (_is_foldable(newer) and _is_foldable(older) and _place(newer) == _place(older)):
        return False
    before, after = newer.entry.changes[0], older.entry.changes[0]
    return (before.old, before.old_display) == (
        after.new,
        after.new_display,
    ) and newer.entry.timestamp - older.entry.timestamp <= _MAX_PAUSE


def _is_foldable(shown: TabEntry) -> bool:
    """Return whether an entry is one edit with values that the reader may see whole.

    The entry of an opened permalink is shown by itself.
    """
    entry = shown.entry
    if entry.kind != "update" or entry.is_baseline or len(entry.changes) != 1:
        return False
    change = entry.changes[0]
    is_whole = not (change.masked or change.is_truncated or change.type == "secret")
    return is_whole and not (shown.is_target or shown.is_revealed or entry.omitted_changes)


def _place(shown: TabEntry) -> tuple[Any, ...]:
    entry = shown.entry
    return (
        entry.entity.model,
        entry.entity.id,
        entry.changes[0].field,
        entry.action,
        entry.user,
        entry.impersonator,
        entry.source.code,
        entry.ip_address,
        entry.reason,
        entry.request_id if shown.request_link else None,
    )


def _folded(run: Sequence[TabEntry]) -> TabEntry:
    newest, oldest = run[0], run[-1]
    first, last = oldest.entry.changes[0], newest.entry.changes[0]
    whole = last._replace(old=first.old, old_display=first.old_display)
    change = build_change(whole, link=newest.changes[0].link)
    return replace(newest, changes=(change,), run=tuple(run), undo_link=None)
