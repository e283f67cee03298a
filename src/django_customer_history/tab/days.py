"""The entries of a page by day, with the texts that the tab shows for times and users."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import groupby
from uuid import UUID

from django.utils import formats
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy, ngettext

from django_customer_history.labels import (
    action_label,
    system_label,
)
from django_customer_history.models import Entry
from django_customer_history.reading.entries import (
    TimelineEntry,
)
from django_customer_history.tab.values import (
    TabChange,
    build_changes,
    value_preview,
)

_KIND_OF_USER: Mapping[str, str] = {
    "api": "program",
    "integration": "program",
    "import": "import",
}
"""By source, what a user worked through. With any other source it is a person."""

_THROUGH: Mapping[str, str | Promise] = {
    "program": gettext_lazy("via a program"),
    "import": gettext_lazy("via an import"),
}

_COLLAPSED_KINDS = ("create", "delete")

_EVERY_ENTRY = "*"
"""The entity of an event that is about all entries, as an export is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time as the reader sees it: in the reader's language and time zone."""

    iso: str
    clock: str
    """The time of day."""
    relative: str
    """How long ago it was."""
    exact: str
    """Date, time with seconds, and time zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabUser:
    """The user of an entry."""

    kind: str
    """The icon: `person`, `program`, `import` or `system`."""
    name: str
    impersonated: str | None = None
    """The user whom `name` impersonated."""

    @property
    def through(self) -> str:
        """What the icon means, for screen readers; empty for a person or the system."""
        return str(_THROUGH.get(self.kind, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class TabEntry:
    """An entry as the tab shows it: a group of table rows, one for each change."""

    entry: TimelineEntry
    changes: tuple[TabChange, ...]
    action: str
    moment: Moment
    user: TabUser
    link: str
    """The permalink."""
    request_link: str | None
    """The changes of the same request."""
    entity_link: str | None = None
    """The entry that an event is about, such as the one whose values were revealed."""
    preview: str = ""
    """Some values of a collapsed entry."""
    is_collapsed: bool = False
    """Whether the changes are in one row that opens."""
    is_target: bool = False
    """Whether the permalink of this entry was opened."""
    is_revealed: bool = False
    continues_request: bool = False
    """Whether it belongs to the same request as the entry above it."""

    @property
    def can_reveal(self) -> bool:
        """Whether it has masked values that the reader can reveal."""
        return any(change.change.revealable for change in self.changes)

    @property
    def row_count(self) -> int:
        """How many rows of the table it takes."""
        return 1 if self.is_collapsed else max(1, len(self.changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day in the reader's time zone, with its entries."""

    iso: str
    name: str
    entries: tuple[TabEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBuilder:
    """Builds the days of one page."""

    zone: tzinfo
    now: datetime
    link: Callable[[UUID], str]
    """Returns the permalink of an entry."""
    request_link: Callable[[UUID], str]
    """Returns the link to the changes of a request."""
    target: UUID | None
    """The entry whose permalink was opened."""
    revealed: UUID | None
    """The entry whose values were just revealed."""

    def days(
        self, entries: Sequence[TimelineEntry], *, first_continues_request: bool = False
    ) -> tuple[Day, ...]:
        """Return the days of entries that are sorted from newest to oldest.

        `first_continues_request` says that the first entry belongs to the same request as the
        last one of the page before.
        """
        today = self.now.astimezone(self.zone).date()
        shown = self._entries(entries, first_continues_request=first_continues_request)
        return tuple(
            Day(iso=day.isoformat(), name=_day_name(day, today), entries=tuple(of_day))
            for day, of_day in groupby(
                shown, key=lambda one: one.entry.timestamp.astimezone(self.zone).date()
            )
        )

    def _entries(
        self, entries: Sequence[TimelineEntry], *, first_continues_request: bool
    ) -> list[TabEntry]:
        shown = []
        continues_request = first_continues_request
        for at, entry in enumerate(entries):
            if at:
                request_above = entries[at - 1].request_id
                continues_request = request_above is not None and entry.request_id == request_above
            shown.append(self._entry(entry, continues_request=continues_request))
        return shown

    def _entry(self, entry: TimelineEntry, *, continues_request: bool) -> TabEntry:
        has_whole_row = entry.kind in _COLLAPSED_KINDS or entry.is_baseline
        is_collapsed = has_whole_row and len(entry.changes) > 1
        return TabEntry(
            entry=entry,
            changes=build_changes(entry),
            action=action_label(entry.action),
            moment=describe_moment(entry.timestamp, zone=self.zone, now=self.now),
            user=_user(entry),
            link=self.link(entry.id),
            request_link=self.request_link(entry.request_id) if entry.request_id else None,
            entity_link=self.link(UUID(entry.entity.id)) if _is_about_an_entry(entry) else None,
            preview=value_preview(entry) if is_collapsed else "",
            is_collapsed=is_collapsed,
            is_target=entry.id == self.target,
            is_revealed=entry.id == self.revealed,
            continues_request=continues_request,
        )


def describe_moment(moment: datetime, *, zone: tzinfo, now: datetime) -> Moment:
    """Return a time in the active language and the given time zone."""
    local = moment.astimezone(zone)
    return Moment(
        iso=local.isoformat(timespec="seconds"),
        clock=formats.time_format(local, "TIME_FORMAT"),
        relative=_relative(moment, now),
        exact=f"{formats.date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S} {local:%Z}",
    )


def _is_about_an_entry(entry: TimelineEntry) -> bool:
    return entry.entity.model == Entry._meta.label_lower and entry.entity.id != _EVERY_ENTRY


def _user(entry: TimelineEntry) -> TabUser:
    if entry.user is None:
        return TabUser(kind="system", name=system_label())
    kind = _KIND_OF_USER.get(entry.source.code, "person")
    if entry.impersonator is not None:
        return TabUser(kind=kind, name=entry.impersonator.label, impersonated=entry.user.label)
    return TabUser(kind=kind, name=entry.user.label)


def _day_name(day: date, today: date) -> str:
    name = capfirst(f"{formats.date_format(day, 'l')}, {formats.date_format(day, 'DATE_FORMAT')}")
    if day == today:
        return gettext("Today · %(day)s") % {"day": name}
    if (today - day).days == 1:
        return gettext("Yesterday · %(day)s") % {"day": name}
    return str(name)


def _relative(moment: datetime, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, write in _UNITS:
        if seconds >= unit:
            count = seconds // unit
            return write(count) % {"count": count}
    return gettext("just now")


_UNITS: Sequence[tuple[int, Callable[[int], str]]] = (
    (365 * 86_400, lambda n: ngettext("%(count)d year ago", "%(count)d years ago", n)),
    (30 * 86_400, lambda n: ngettext("%(count)d month ago", "%(count)d months ago", n)),
    (7 * 86_400, lambda n: ngettext("%(count)d week ago", "%(count)d weeks ago", n)),
    (86_400, lambda n: ngettext("%(count)d day ago", "%(count)d days ago", n)),
    (3_600, lambda n: ngettext("%(count)d hour ago", "%(count)d hours ago", n)),
    (60, lambda n: ngettext("%(count)d minute ago", "%(count)d minutes ago", n)),
)
"""Seconds of a unit, from the longest, with the text for a number of them."""
