"""The entries of a page as the tab shows them: by days, with the words for time and people."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.tab.values import (
    Line,
    lines_of,
    preview_of,
)

_ACTORS: Mapping[str, str] = {"api": "program", "integration": "program", "import": "import"}
"""By source, whose hand it was where somebody acted; else a person's."""

_MEANS: Mapping[str, str | Promise] = {
    "program": gettext_lazy("through a program"),
    "import": gettext_lazy("through an import"),
}

_FOLDED = ("create", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something happened, in the words of the reader."""

    iso: str
    clock: str
    relative: str
    exact: str
    """Date, time to the second, and the zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who did something: `person`, `program`, `import` or `system`."""

    kind: str
    name: str
    in_the_name_of: str | None = None
    """Who was impersonated while `name` acted."""

    @property
    def means(self) -> str:
        """What the icon says: through what they acted; empty for a person's own hand."""
        return str(_MEANS.get(self.kind, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One entry: what belongs together as it was saved together."""

    entry: TimelineEntry
    lines: tuple[Line, ...]
    action: str
    moment: Moment
    person: Person
    link: str
    request_link: str | None
    about_link: str | None = None
    """Where the entry stands that this one is about, as a look at its values is."""
    preview: str = ""
    is_folded: bool = False
    """Whether its values show when it is opened."""
    is_target: bool = False
    """Whether the reader came to see just this one."""
    is_revealed: bool = False
    follows: bool = False
    """Whether it belongs to the request of the entry above it."""

    @property
    def is_revealable(self) -> bool:
        """Whether values wait for an explicit look that the reader may take."""
        return any(line.change.revealable for line in self.lines)

    @property
    def number_of_rows(self) -> int:
        """How many rows of the table it takes."""
        return 1 if self.is_folded else max(1, len(self.lines))

    @property
    def permissions(self) -> tuple[str, ...]:
        """The permissions that would show what is masked."""
        changes: Iterable[TimelineChange] = (line.change for line in self.lines)
        return tuple(dict.fromkeys(one.permission for one in changes if one.permission))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day in the reader's zone, and what happened on it."""

    iso: str
    name: str
    groups: tuple[Group, ...]


def days_of(
    entries: Sequence[TimelineEntry],
    *,
    zone: tzinfo,
    now: datetime,
    link: Callable[[UUID], str],
    request_link: Callable[[UUID], str],
    target: UUID | None,
    revealed: UUID | None,
    first_follows: bool = False,
) -> tuple[Day, ...]:
    """Return entries by days, newest first; links are made by the functions given.

    `first_follows` tells that the first one belongs to the request of one on the page before.
    """
    above = (None, *entries)
    groups = [
        (
            entry.timestamp.astimezone(zone).date(),
            _group(
                entry,
                moment=moment_of(entry.timestamp, zone=zone, now=now),
                link=link(entry.id),
                request_link=request_link(entry.request_id) if entry.request_id else None,
                about_link=link(UUID(entry.entity.id)) if _is_about_an_entry(entry) else None,
                is_target=entry.id == target,
                is_revealed=entry.id == revealed,
                follows=first_follows
                if previous is None
                else entry.request_id is not None and previous.request_id == entry.request_id,
            ),
        )
        for previous, entry in zip(above, entries, strict=False)
    ]
    today = now.astimezone(zone).date()
    return tuple(
        Day(
            iso=day.isoformat(),
            name=_day_name(day, today),
            groups=tuple(group for _, group in several),
        )
        for day, several in groupby(groups, key=lambda pair: pair[0])
    )


def moment_of(moment: datetime, *, zone: tzinfo, now: datetime) -> Moment:
    """Return a moment in the words of the reader's language and zone."""
    local = moment.astimezone(zone)
    return Moment(
        iso=local.isoformat(timespec="seconds"),
        clock=formats.time_format(local, "TIME_FORMAT"),
        relative=_relative(moment, now),
        exact=f"{formats.date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S} {local:%Z}",
    )


def _group(
    entry: TimelineEntry,
    *,
    moment: Moment,
    link: str,
    request_link: str | None,
    about_link: str | None,
    is_target: bool,
    is_revealed: bool,
    follows: bool,
) -> Group:
    is_whole = entry.kind in _FOLDED or entry.is_baseline
    is_folded = is_whole and len(entry.changes) > 1
    return Group(
        entry=entry,
        lines=lines_of(entry),
        action=action_label(entry.action),
        moment=moment,
        person=_person(entry),
        link=link,
        request_link=request_link,
        about_link=about_link,
        preview=preview_of(entry) if is_folded else "",
        is_folded=is_folded,
        is_target=is_target,
        is_revealed=is_revealed,
        follows=follows,
    )


def _is_about_an_entry(entry: TimelineEntry) -> bool:
    # An export is about all of them: "*".
    return entry.entity.model == Entry._meta.label_lower and entry.entity.id != "*"


def _person(entry: TimelineEntry) -> Person:
    if entry.user is None:
        return Person(kind="system", name=system_label())
    kind = _ACTORS.get(entry.source.code, "person")
    if entry.impersonator is not None:
        return Person(kind=kind, name=entry.impersonator.label, in_the_name_of=entry.user.label)
    return Person(kind=kind, name=entry.user.label)


def _day_name(day: date, today: date) -> str:
    name = capfirst(f"{formats.date_format(day, 'l')}, {formats.date_format(day, 'DATE_FORMAT')}")
    if day == today:
        return gettext("Today · %(day)s") % {"day": name}
    if (today - day).days == 1:
        return gettext("Yesterday · %(day)s") % {"day": name}
    return str(name)


def _relative(moment: datetime, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for length, write in _UNITS:
        if seconds >= length:
            count = seconds // length
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
