"""A tab as its templates take it: days of entries, the filter bar, what is refused and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from http import HTTPStatus
from typing import cast
from uuid import UUID

from django.http import Http404, HttpRequest
from django.utils import timezone

from django_customer_history.access.permissions import (
    Reader,
    may_export,
)
from django_customer_history.conf import LARGEST_PAGE
from django_customer_history.exceptions import (
    InvalidCursorError,
    InvalidFilterError,
)
from django_customer_history.reading.entries import (
    Page,
    TimelineEntry,
)
from django_customer_history.reading.facets import facets
from django_customer_history.reading.filters import (
    NO_FILTERS,
    Filters,
)
from django_customer_history.reading.reveal import reveal
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.bar import (
    Bar,
    bar_of,
)
from django_customer_history.tab.days import (
    Day,
    Moment,
    days_of,
    moment_of,
)
from django_customer_history.tab.query import TabQuery

_STATUS: Mapping[str | None, HTTPStatus] = {
    None: HTTPStatus.OK,
    "permission": HTTPStatus.FORBIDDEN,
    "export": HTTPStatus.FORBIDDEN,
    "reveal": HTTPStatus.FORBIDDEN,
    "filter": HTTPStatus.BAD_REQUEST,
    "cursor": HTTPStatus.BAD_REQUEST,
    "entry": HTTPStatus.NOT_FOUND,
}

_NOTHING = Page(entries=(), older=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One page of a History tab, ready for one reader."""

    refusal: str | None = None
    """Why nothing is shown: `permission`, `export`, `reveal`, `filter`, `cursor` or `entry`."""
    wrong_filters: Mapping[str, str]
    page: Page = _NOTHING
    filters: Filters = NO_FILTERS
    days: tuple[Day, ...] = ()
    bar: Bar | None = None
    """None where there is nothing to be filtered."""
    zone: str
    now: Moment
    reader: str
    address: str | None = None
    """Where this history can be revealed and exported; None: nowhere."""
    reveal_link: str = ""
    """Where a form reveals, and this same page comes back."""
    newest_link: str = "?"
    older_link: str | None = None
    newer_link: str | None = None
    print_link: str = "?"
    export_link: str | None = None
    """Where the file is; None for who may not have it."""
    is_printed: bool = False
    """Whether everything is open, for paper."""
    begins: Moment | None = None
    """When tracking began, on the last page of a record that is older than that."""
    is_first_page: bool = True
    is_last_page: bool = False

    @property
    def status(self) -> HTTPStatus:
        """The status with which a page of its own answers."""
        return _STATUS[self.refusal]

    @property
    def is_revealable(self) -> bool:
        """Whether any value waits for an explicit look that the reader may take."""
        return self.address is not None and any(
            group.is_revealable for day in self.days for group in day.groups
        )

    @property
    def is_filtered(self) -> bool:
        """Whether filters are in force."""
        return bool(self.filters)


def tab_of(
    request: HttpRequest,
    timeline: Timeline,
    *,
    address: str | None,
    leaves_others: bool = False,
    has_bar: bool = True,
    reveals: bool = False,
) -> Tab:
    """Return the tab that a request asks for, in the reader's time zone.

    `address` is where a `HistoryView` answers for this history. With `leaves_others` names in
    the query that are no filters belong to the host. With `reveals` the confidential values
    of the entry that a form names are shown, and that they were is recorded: `Http404` for what
    is no entry of this list, `PermissionDenied` where it has no value that the reader may see.
    """
    query = TabQuery.read(request.GET)
    zone = reader_time_zone(request.user)
    with timezone.override(zone):
        try:
            filters = query.filters(leaves_others=leaves_others)
        except InvalidFilterError as error:
            return refused(request, "filter", wrong_filters=error.errors)
        return _Asked(
            request=request,
            timeline=timeline,
            query=query,
            filters=filters,
            zone=zone,
            now=timezone.now(),
            address=address,
            has_bar=has_bar,
        ).tab(_entry_to_reveal(request) if reveals else None)


def refused(
    request: HttpRequest, refusal: str, *, wrong_filters: Mapping[str, str] | None = None
) -> Tab:
    """Return the tab that shows nothing and says why."""
    zone = reader_time_zone(request.user)
    query = TabQuery.read(request.GET)
    return Tab(
        refusal=refusal,
        wrong_filters=wrong_filters or {},
        zone=str(zone),
        now=moment_of(timezone.now(), zone=zone, now=timezone.now()),
        reader=str(request.user),
        newest_link=query.link(keeps_filters=refusal != "filter"),
    )


def _entry_to_reveal(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("reveal", ""))
    except ValueError as error:
        raise Http404 from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request for a tab, understood."""

    request: HttpRequest
    timeline: Timeline
    query: TabQuery
    filters: Filters
    zone: tzinfo
    now: datetime
    address: str | None
    has_bar: bool

    def tab(self, reveals: UUID | None) -> Tab:
        """Return the tab, or what is to be said in its place."""
        filtered, target = self.timeline.filtered(self.filters), self.query.entry
        cursor = self.query.value("before") if target is None else filtered.cursor_at(target)
        try:
            if reveals is not None:
                return self._revealing(filtered, cursor, reveals)
            page = filtered.page(cursor=cursor, limit=self._limit)
        except InvalidCursorError:
            return refused(self.request, "cursor")
        if target is not None and not _has(page, target):
            return refused(self.request, "entry")
        return self._shown(page, cursor)

    def _revealing(self, filtered: Timeline, cursor: str | None, key: UUID) -> Tab:
        # All that can be refused is, before the look is recorded.
        if cursor is not None:
            filtered.check_cursor(cursor)
        if filtered.entry(key) is None:
            raise Http404
        revealed = reveal(cast("Reader", self.request.user), key)
        page = filtered.page(cursor=cursor, limit=self._limit)
        if not _has(page, key):
            # It is on an older page, or the look, now the newest entry, has pushed it there.
            cursor = filtered.cursor_at(key)
            page = filtered.page(cursor=cursor, limit=self._limit)
        entries = tuple(revealed if one.id == key else one for one in page.entries)
        return self._shown(replace(page, entries=entries), cursor, revealed=key)

    @property
    def _limit(self) -> int | None:
        return LARGEST_PAGE if self.query.value("print") is not None else None

    def _shown(self, page: Page, cursor: str | None, *, revealed: UUID | None = None) -> Tab:
        query = self.query
        return Tab(
            wrong_filters={},
            page=page,
            filters=self.filters,
            days=self._days(page, revealed),
            bar=self._bar() if self.has_bar else None,
            zone=str(self.zone),
            now=self._moment(self.now),
            reader=str(self.request.user),
            address=self.address,
            reveal_link=self._elsewhere(keeps=("before", "entry")),
            newest_link=query.link(),
            older_link=self._place(page.older),
            newer_link=self._place(page.newer),
            print_link=query.link({"print": ["yes"]}, keeps=("before", "entry")),
            export_link=self._elsewhere({"format": ["csv"]}) if self._may_export() else None,
            is_printed=query.value("print") is not None,
            begins=self._beginning(page),
            is_first_page=cursor is None,
            is_last_page=page.older is None,
        )

    def _days(self, page: Page, revealed: UUID | None) -> tuple[Day, ...]:
        def link(key: UUID) -> str:
            place = self.query.link({"entry": [str(key)]}, keeps_filters=False)
            return f"{place}#entry-{key}"

        def request_link(key: UUID) -> str:
            return self.query.link({"request_id": [str(key)]}, keeps_filters=False)

        return days_of(
            page.entries,
            zone=self.zone,
            now=self.now,
            link=link,
            request_link=request_link,
            target=self.query.entry,
            revealed=revealed,
            first_follows=page.continues_request,
        )

    def _bar(self) -> Bar:
        # What occurs is asked for when somebody wants to choose, not on every page.
        is_open = bool(self.filters) or self.query.value("filter") is not None
        return bar_of(
            self.query,
            facets=facets(self.timeline) if is_open else None,
            today=self.now.astimezone(self.zone).date(),
            zone=self.zone,
        )

    def _beginning(self, page: Page) -> Moment | None:
        """Return when tracking began, where what was before it is missing."""
        if page.older is not None or self.filters or self.timeline.subject is None:
            return None
        if any(_is_birth(entry) for entry in page.entries):
            return None
        began = self.timeline.tracked_since()
        return None if began is None else self._moment(began)

    def _moment(self, moment: datetime) -> Moment:
        return moment_of(moment, zone=self.zone, now=self.now)

    def _place(self, cursor: str | None) -> str | None:
        return None if cursor is None else self.query.link({"before": [cursor]}, keeps=("print",))

    def _elsewhere(
        self, changes: Mapping[str, list[str]] | None = None, *, keeps: tuple[str, ...] = ()
    ) -> str:
        return f"{self.address}{self.query.link(changes, keeps_others=False, keeps=keeps)}"

    def _may_export(self) -> bool:
        model, subject = self.timeline.model, self.timeline.subject
        return (
            self.address is not None
            and model is not None
            and may_export(self.timeline.reader, model, subject=subject)
        )


def _has(page: Page, key: UUID) -> bool:
    return any(entry.id == key for entry in page.entries)


def _is_birth(entry: TimelineEntry) -> bool:
    subject = entry.subject
    return (
        (entry.kind == "create" or entry.is_baseline)
        and subject is not None
        and (entry.entity.model, entry.entity.id) == (subject.model, subject.id)
    )
