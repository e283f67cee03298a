"""Frozen values that the tab, REST, the admin and the exports show: made for one reader.

Each entry has several, so those are named tuples: Python makes one in a third of the time of a
frozen dataclass.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django_customer_history.context.resolved import NamedUser


class RecordName(NamedTuple):
    """A record that an entry refers to."""

    model: str
    """The label of the model: `crm.invoice`."""
    id: str
    """The key of the record, as text."""
    label: str | None
    """The label of the record, masked for the reader; None: it has none."""
    name: str
    """What a record of the model is called: "invoice"."""
    url: str | None = None
    """The project's page for the record; None: there is no page, or the record is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySource:
    """The part of the system that caused a change."""

    code: str
    label: str


class TimelineChange(NamedTuple):
    """One field of an entry, made for one reader."""

    field: str
    label: str
    type: str
    old: Any
    new: Any
    old_display: str | None
    new_display: str | None
    masked: bool = False
    permission: str | None = None
    """The permission that shows a masked value; None: no permission does."""
    permission_name: str | None = None
    """What people call that permission: `Permission.name`."""
    revealable: bool = False
    """Whether the reader has that permission and may reveal the value."""
    is_truncated: bool = False
    """Whether the values are only parts of long ones, as texts."""


class TimelineEntry(NamedTuple):
    """One entry, made for one reader. `timestamp` is in UTC."""

    id: UUID
    timestamp: datetime
    user: NamedUser | None
    impersonator: NamedUser | None
    action: str
    kind: str
    subject: RecordName | None
    entity: RecordName
    changes: tuple[TimelineChange, ...]
    source: EntrySource
    ip_address: str | None
    request_id: UUID | None
    reason: str | None
    omitted_changes: int = 0
    """How many changes are left out of a list because there are very many."""
    is_baseline: bool = False
    """Whether the entry has what the record held when tracking began. Its changes have no old
    values, and the new values were set at some time before."""
    primary_id: UUID | None = None
    """The entry of the same change for another subject; None: this one counts for the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """Settled entries in the order of their keys, and the position behind them."""

    entries: tuple["TimelineEntry", ...]
    position: UUID
    """Where the next page begins. It moves on even if the page has no entries."""
    has_more: bool
    """Whether there are further settled entries now."""
    settled_until: datetime
    """No entry from before this moment can appear any more, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some entries, newest first, and the cursors of the pages beside them."""

    entries: tuple[TimelineEntry, ...]
    older: str | None
    """The cursor of the page with older entries; None: there are none."""
    newer: str | None = None
    """The cursor of the page with newer entries; None: there are none."""
    continues_request: bool = False
    """Whether the first entry has the same request as the last entry of the newer page."""
    subject_label: str | None = None
    """The label of the timeline's subject, for a deleted one its last label; None: there are
    several subjects, or the log has no label of it."""
    masked_fields: tuple[str, ...] = ()
    """The labels of the fields that an export masks for this reader."""
