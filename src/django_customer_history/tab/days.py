"""The entries of a page by day, with the texts that the tab shows for times and users."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cache, partial
from itertools import groupby
from uuid import UUID

from django.utils import formats
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy, ngettext

from django_customer_history.context.current import SOURCES
from django_customer_history.labels import (
    action_label,
    system_label,
)
from django_customer_history.models import Entry
from django_customer_history.reading.entries import (
    RecordName,
    TimelineEntry,
)
from django_customer_history.reading.filters import BY_NAME, SYSTEM
from django_customer_history.registration.registry import registry
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
"""By source, the icon of a user. With any other source it is a person.

It says how the user worked, and not who it is: in a single-page application, people work through
the API.
"""

_THROUGH: Mapping[str, str | Promise] = {
    "api": gettext_lazy("via the API"),
    "integration": gettext_lazy("via an integration"),
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
    """How long ago it was; empty if it was before yesterday."""
    exact: str
    """Date, time with seconds, and time zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabUser:
    """The user of an entry."""

    kind: str
    """The icon: `person`, `program`, `import` or `system`."""
    name: str
    value: str
    """The value of the filter `user` that finds the entries of this user."""
    impersonated: str | None = None
    """The user whom `name` impersonated."""

    through: str = ""
    """What the icon means, for screen readers; empty for a person or the system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterLinks:
    """Links that narrow the page to one value of an entry. Empty on pages without a filter bar."""

    user: str = ""
    action: str = ""
    source: str = ""


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
    """The changes of the same request; None: the page has all of them, and it is only this."""
    links: FilterLinks
    """Links that filter by a value of the entry."""
    subject_link: str | None = None
    """On a page of several subjects, the history of the one that the entry belongs to; None: the
    entry is about the subject itself, or no page shows its history."""
    is_own: bool = False
    """Whether it is about the record whose tab this is, which needs no name."""
    undo_link: str | None = None
    """The page that undoes the entry; None: the reader may not, or nothing can be undone."""
    record_link: str | None = None
    """The page that shows the record as it was then."""
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
    run: tuple["TabEntry", ...] = ()
    """The edits, newest first, that this entry stands for; empty: it is one entry."""

    @property
    def is_recorded_event(self) -> bool:
        """Whether a program recorded it about a record of the project: it is not a change."""
        is_own = self.entry.entity.model.startswith(f"{Entry._meta.app_label}.")
        return self.entry.kind == "event" and not self.entry.is_baseline and not is_own

    @property
    def can_reveal(self) -> bool:
        """Whether it has masked values that the reader can reveal."""
        return any(change.change.revealable for change in self.changes)

    @property
    def rows(self) -> tuple[TabChange | None, ...]:
        """The changes that have a row each; None stands for a row without one."""
        return (None,) if self.is_collapsed or not self.changes else self.changes

    @property
    def row_count(self) -> int:
        """How many rows of the table it takes."""
        has_note = self.entry.omitted_changes > 0
        return 1 if self.is_collapsed else max(1, len(self.changes) + has_note + bool(self.run))


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
    undo_link: Callable[[TimelineEntry], str | None]
    """Returns the page that undoes an entry."""
    record_link: Callable[[UUID], str | None]
    """Returns the page that shows the record as it was at an entry."""
    filter_link: Callable[[str, str], str] | None
    """Returns the link that filters by a value; None: the page has no filters."""
    subject: tuple[str, str] | None
    """The model and key of the record whose tab it is; None: it is of many records."""
    subject_url: Callable[[RecordName], str | None]
    """Returns the page of a subject, or of its history if it is deleted."""
    first_fields: frozenset[str]
    """The fields by which the page is filtered: entries with many values show these first."""
    has_older: bool
    """Whether there is an older page, on which the request of the last entry may continue."""
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
        sizes = Counter(one.request_id for one in entries)
        ends = {one.request_id for one in entries[-1:] if self.has_older}
        ends |= {one.request_id for one in entries[:1] if first_continues_request}
        describe = partial(
            describe_moment, zone=self.zone, now=self.now, date_name=cache(name_of_date)
        )
        for at, entry in enumerate(entries):
            if at:
                request_above = entries[at - 1].request_id
                continues_request = request_above is not None and entry.request_id == request_above
            request = entry.request_id
            has_others = sizes[request] > 1 or request in ends
            link = self.request_link(request) if request is not None and has_others else None
            shown.append(
                self._entry(
                    entry,
                    moment=describe(entry.timestamp),
                    continues_request=continues_request,
                    request_link=link,
                )
            )
        return shown

    def _entry(
        self,
        entry: TimelineEntry,
        *,
        moment: Moment,
        continues_request: bool,
        request_link: str | None,
    ) -> TabEntry:
        has_whole_row = entry.kind in _COLLAPSED_KINDS or entry.is_baseline
        is_view = entry.kind == "view"
        if self.first_fields and len(entry.changes) > 1:
            wanted = sorted(entry.changes, key=lambda one: one.field not in self.first_fields)
            entry = entry._replace(changes=tuple(wanted))
        has_record = entry.kind != "event" or entry.is_baseline
        is_collapsed = is_view or (has_whole_row and len(entry.changes) > 1)
        user = _user(entry)
        return TabEntry(
            entry=entry,
            changes=self._changes(entry),
            action=action_label(entry.action),
            moment=moment,
            user=user,
            link=self.link(entry.id),
            request_link=request_link,
            links=self._filter_links(entry, user),
            subject_link=self._subject_link(entry),
            is_own=(entry.entity.model, entry.entity.id) == self.subject,
            undo_link=None if entry.kind == "event" else self.undo_link(entry),
            record_link=self.record_link(entry.id) if has_record else None,
            entity_link=self.link(UUID(entry.entity.id)) if _is_about_an_entry(entry) else None,
            preview=value_preview(entry) if is_collapsed and not is_view else "",
            is_collapsed=is_collapsed,
            is_target=entry.id == self.target,
            is_revealed=entry.id == self.revealed,
            continues_request=continues_request,
        )

    def _subject_link(self, entry: TimelineEntry) -> str | None:
        of = entry.subject
        if self.subject is not None or of is None:
            return None
        is_itself = (of.model, of.id) == (entry.entity.model, entry.entity.id)
        return None if is_itself and of.url else self.subject_url(of)

    def _filter_links(self, entry: TimelineEntry, user: TabUser) -> FilterLinks:
        if self.filter_link is None:
            return FilterLinks()
        code = entry.source.code
        return FilterLinks(
            user=self.filter_link("user", user.value),
            action=self.filter_link("action", entry.action),
            source=self.filter_link("source", code) if code in SOURCES else "",
        )

    def _changes(self, entry: TimelineEntry) -> tuple[TabChange, ...]:
        link = self.filter_link
        if link is None:
            return build_changes(entry)
        model = entry.entity.model
        prefix = f"{model}:" if registry.find(model) is not None else ""
        return build_changes(entry, link=lambda field: link("field", f"{prefix}{field}"))


def describe_moment(
    moment: datetime, *, zone: tzinfo, now: datetime, date_name: Callable[[date], str] | None = None
) -> Moment:
    """Return a time in the active language and the given time zone.

    `date_name` returns the name of a day, if the caller has it for many times.
    """
    local = moment.astimezone(zone)
    clock = f"{local:%H:%M:%S}"
    day = (date_name or name_of_date)(local.date())
    return Moment(
        iso=local.isoformat(timespec="seconds"),
        clock=formats.time_format(local, "TIME_FORMAT"),
        relative=_relative(moment, now) if _is_recent(local, now.astimezone(zone)) else "",
        exact=f"{day}, {clock} {local.tzname()}",
    )


def name_of_date(day: date) -> str:
    """Return a date in the active language."""
    return str(formats.date_format(day, "DATE_FORMAT"))


def _is_recent(moment: datetime, now: datetime) -> bool:
    return (now.date() - moment.date()).days <= 1


def _is_about_an_entry(entry: TimelineEntry) -> bool:
    return entry.entity.model == Entry._meta.label_lower and entry.entity.id != _EVERY_ENTRY


def _user(entry: TimelineEntry) -> TabUser:
    if entry.user is None:
        return TabUser(kind="system", name=system_label(), value=SYSTEM)
    kind = _KIND_OF_USER.get(entry.source.code, "person")
    through = str(_THROUGH.get(entry.source.code, ""))
    value = entry.user.id or f"{BY_NAME}{entry.user.label}"
    if entry.impersonator is None:
        return TabUser(kind=kind, name=entry.user.label, value=value, through=through)
    name, other = entry.impersonator.label, entry.user.label
    return TabUser(kind=kind, name=name, value=value, impersonated=other, through=through)


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
    (86_400, lambda n: ngettext("%(count)d day ago", "%(count)d days ago", n)),
    (3_600, lambda n: ngettext("%(count)d hour ago", "%(count)d hours ago", n)),
    (60, lambda n: ngettext("%(count)d minute ago", "%(count)d minutes ago", n)),
)
"""Seconds of a unit, from the longest, with the text for a number of them."""
