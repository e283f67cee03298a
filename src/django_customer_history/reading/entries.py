"""The frozen values that doors show: entries and their changes, ready for one reader."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django_customer_history.context.resolved import NamedUser


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordName:
    """A record as an entry speaks of it."""

    model: str
    id: str
    label: str | None
    name: str
    """What records of the model are called: "invoice"."""
    url: str | None = None
    """Where the host shows the record; None where it does not, or where the record is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySource:
    """Where a change came from."""

    code: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineChange:
    """One field of an entry, ready to be shown to the reader it was made for."""

    field: str
    label: str
    type: str
    old: Any
    new: Any
    old_display: str | None
    new_display: str | None
    masked: bool = False
    permission: str | None = None
    """The permission that would show a masked value; None: nothing would."""
    revealable: bool = False
    """Whether the reader has that permission, and the value waits for an explicit look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One entry, ready to be shown to the reader it was made for."""

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
    is_baseline: bool = False
    """Whether it tells what was there when tracking began: its changes have no old values,
    and when the new ones were set is not known, but that it was before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some entries, newest first, and the cursors of those before and after them."""

    entries: tuple[TimelineEntry, ...]
    older: str | None
    newer: str | None = None
    follows: bool = False
    """Whether the first entry belongs to the request of the one above it, on the page before."""
    subject_label: str | None = None
    """The name of the one subject that was asked about; None where it is gone, or of several."""
    withheld: tuple[str, ...] = ()
    """The names of the fields that an export would mask for this reader."""
