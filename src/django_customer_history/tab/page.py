"""The History tab as its templates take it: entries by day, the filter bar, links, errors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import cache
from http import HTTPStatus
from types import MappingProxyType
from typing import cast
from uuid import UUID

from django.http import Http404, HttpRequest
from django.utils import timezone

from django_customer_history.access.permissions import Reader, may_export
from django_customer_history.conf import LARGEST_PAGE
from django_customer_history.exceptions import (
    InvalidCursorError,
    InvalidFilterError,
    TimeLimitError,
)
from django_customer_history.reading.entries import Page, TimelineEntry
from django_customer_history.reading.facets import menu_facets
from django_customer_history.reading.filter_values import field_name_of
from django_customer_history.reading.filters import (
    NO_FILTERS,
    Filters,
)
from django_customer_history.reading.reveal import reveal
from django_customer_history.reading.time_limit import with_time_limit
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.chart import StepChart, build_chart
from django_customer_history.tab.days import Day, DayBuilder, Moment, describe_moment
from django_customer_history.tab.filter_bar import FilterBar, build_filter_bar
from django_customer_history.tab.query import TabQuery, entry_to_reveal
from django_customer_history.tab.runs import fold_runs
from django_customer_history.tab.seals import TabSeal, build_seal
from django_customer_history.tab.undo_links import UndoLinks
from django_customer_history.tab.urls import ENTRY_ID, route_url, url_of_entry
from django_customer_history.tab.user_links import link_to_user
from django_customer_history.tab.watch_links import WatchLinks, watch_links

_STATUS: Mapping[str | None, HTTPStatus] = {
    None: HTTPStatus.OK,
    "permission": HTTPStatus.FORBIDDEN,
    "export": HTTPStatus.FORBIDDEN,
    "reveal": HTTPStatus.FORBIDDEN,
    "site": HTTPStatus.FORBIDDEN,
    "filter": HTTPStatus.BAD_REQUEST,
    "cursor": HTTPStatus.BAD_REQUEST,
    "entry": HTTPStatus.NOT_FOUND,
    "time": HTTPStatus.SERVICE_UNAVAILABLE,
}

_EMPTY_PAGE = Page(entries=(), older=None)

_POSITION = ("before", "entry")
"""The parameters that say where a page starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One page of a History tab for one reader."""

    error: str | None = None
    """Why no entries are shown: `permission`, `export`, `site` (another one started the download),
    `reveal`, `filter`, `cursor`, `entry`, `time`."""
    filter_errors: Mapping[str, str]
    """What is wrong with a filter, by the filter's name."""
    page: Page = _EMPTY_PAGE
    filters: Filters = NO_FILTERS
    days: tuple[Day, ...] = ()
    chart: StepChart | None = None
    """The values over time of the one field by which the page is filtered; None: there is none."""
    filter_bar: FilterBar | None = None
    """None where there is nothing to filter."""
    zone: str
    """The name of the reader's time zone."""
    now: Moment
    reader: str
    url: str | None = None
    """The URL of the `HistoryView` that reveals and exports; None if there is none."""
    reveal_link: str = ""
    """Where the form that reveals values is sent. The answer is this page."""
    newest_link: str = "?"
    older_link: str | None = None
    newer_link: str | None = None
    print_link: str = "?"
    export_link: str | None = None
    """The URL of the CSV file; None if the reader may not export."""
    exports_by_form: bool = False
    """Whether a form is sent to that URL, as a POST, instead of a link."""
    user_link: str | None = None
    """The page of the one user by whom the tab is filtered; None: there is none."""
    names_subjects: bool = False
    """Whether the entries are of several subjects, which each row must name."""
    undo_request_link: str | None = None
    """The page that undoes the request by which the tab is filtered; None: the reader may not."""
    restore_link: str | None = None
    """The page that restores the deleted record; None: it exists, or the reader may not."""
    watch: WatchLinks | None = None
    seal: TabSeal | None = None
    """The seal of the entry that the link names; None: there is no such entry, or no seal."""
    is_print_view: bool = False
    """Whether the page is for printing, with all values open."""
    tracking_started: Moment | None = None
    """Set on the last page of a record that is older than its tracking."""
    is_first_page: bool = True
    is_last_page: bool = False

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status of a page that shows this tab."""
        return _STATUS[self.error]

    @property
    def can_reveal(self) -> bool:
        """Whether the page has masked values that the reader can reveal."""
        return self.url is not None and any(
            entry.can_reveal for day in self.days for entry in day.entries
        )

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is active that the reader can remove."""
        return self.filter_bar is not None and bool(self.filter_bar.chips)


def build_tab(
    request: HttpRequest,
    timeline: Timeline,
    *,
    url: str | None,
    allow_other_parameters: bool = False,
    has_filter_bar: bool = True,
    reveals: bool = False,
    in_admin: bool = False,
    fixed: Mapping[str, str] = MappingProxyType({}),
) -> Tab:
    """Return the tab that a request asks for, with times in the reader's time zone.

    `url` is the URL of the `HistoryView` of this history. With `allow_other_parameters`, names in
    the query that are not filters belong to the page around the tab and are ignored.

    `fixed` are filters that the page always has, such as the user of the page of one user. They
    have no menus and no chips.

    `in_admin` says that links to undo changes lead to the pages of the admin.

    With `reveals`, the tab shows the confidential values of the entry that the form names, and
    logs that they were revealed. This raises `Http404` if the timeline does not have the entry,
    and `PermissionDenied` if the entry has no value that the reader may reveal.
    """
    query = TabQuery.read(request.GET).without(fixed)
    zone = reader_time_zone(request.user)
    with timezone.override(zone):
        try:
            filters = query.filters(allow_other_parameters=allow_other_parameters, fixed=fixed)
            return _TabBuilder(
                request=request,
                timeline=timeline,
                query=query,
                filters=filters,
                zone=zone,
                now=timezone.now(),
                url=url,
                has_filter_bar=has_filter_bar,
                undo_links=UndoLinks(timeline, in_admin=in_admin),
                fixed=fixed,
            ).build(entry_to_reveal(request.POST) if reveals else None)
        except InvalidFilterError as error:
            return filter_error_tab(request, timeline, errors=error.errors)
        except TimeLimitError:
            return error_tab(request, "time")


def filter_error_tab(request: HttpRequest, timeline: Timeline, *, errors: Mapping[str, str]) -> Tab:
    """Return a tab that says which filters are wrong, with the filter bar and the other filters."""
    query = TabQuery.read(request.GET).without(errors)
    zone = reader_time_zone(request.user)
    bar = build_filter_bar(
        query,
        facets=menu_facets(timeline),
        today=timezone.now().astimezone(zone).date(),
        zone=zone,
    )
    tab = error_tab(request, "filter", filter_errors=errors)
    return replace(tab, filter_bar=bar, newest_link=query.link())


def error_tab(
    request: HttpRequest, error: str, *, filter_errors: Mapping[str, str] | None = None
) -> Tab:
    """Return a tab without entries that says what is wrong; see `Tab.error`."""
    zone = reader_time_zone(request.user)
    query = TabQuery.read(request.GET)
    return Tab(
        error=error,
        filter_errors=filter_errors or {},
        zone=str(zone),
        now=describe_moment(timezone.now(), zone=zone, now=timezone.now()),
        reader=str(request.user),
        newest_link=query.link(keep_filters=error != "filter"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _TabBuilder:
    """Builds the tab of one request whose filters are valid."""

    request: HttpRequest
    timeline: Timeline
    query: TabQuery
    filters: Filters
    zone: tzinfo
    now: datetime
    url: str | None
    has_filter_bar: bool
    undo_links: UndoLinks
    fixed: Mapping[str, str]

    @with_time_limit
    def build(self, reveal_key: UUID | None) -> Tab:
        """Return the tab, or a tab with an error.

        `reveal_key` is the id of the entry whose values are to be revealed.
        """
        filtered, target = self.timeline.filtered(self.filters), self.query.entry
        cursor = self.query.value("before") if target is None else filtered.cursor_at(target)
        try:
            if reveal_key is not None:
                return self._build_revealed(filtered, cursor, reveal_key)
            page = filtered.page(cursor=cursor, limit=self._limit)
        except InvalidCursorError:
            return error_tab(self.request, "cursor")
        if target is not None and not _contains(page, target):
            return error_tab(self.request, "entry")
        return self._build_page(page, cursor)

    def _build_revealed(self, filtered: Timeline, cursor: str | None, key: UUID) -> Tab:
        # Everything that can fail is checked before the reveal is logged.
        if cursor is not None:
            filtered.check_cursor(cursor)
        if filtered.entry(key) is None:
            raise Http404
        revealed = reveal(cast("Reader", self.request.user), key)
        page = filtered.page(cursor=cursor, limit=self._limit)
        if not _contains(page, key):
            # The entry is on an older page, perhaps because the logged reveal, now the newest
            # entry, moved it there.
            cursor = filtered.cursor_at(key)
            page = filtered.page(cursor=cursor, limit=self._limit)
        entries = tuple(revealed if one.id == key else one for one in page.entries)
        return self._build_page(replace(page, entries=entries), cursor, revealed=key)

    def _build_page(self, page: Page, cursor: str | None, *, revealed: UUID | None = None) -> Tab:
        query = self.query
        return Tab(
            filter_errors={},
            page=page,
            filters=self.filters,
            days=self._days(page, revealed),
            chart=self._chart(page),
            filter_bar=self._filter_bar() if self.has_filter_bar else None,
            zone=str(self.zone),
            now=self._moment(self.now),
            reader=str(self.request.user),
            url=self.url,
            reveal_link=self._view_link(keep=_POSITION),
            newest_link=query.link(),
            older_link=self._page_link(page.older),
            newer_link=self._page_link(page.newer),
            print_link=query.link({"print": ["yes"]}, keep=_POSITION),
            export_link=self._view_link({"format": ["csv"]}) if self._may_export() else None,
            user_link=link_to_user(self.timeline, query.parameters.get("user", ())),
            names_subjects=self.timeline.model is None,
            undo_request_link=self.undo_links.of_request(query.value("request_id")),
            restore_link=self.undo_links.of_deletion(),
            watch=watch_links(
                self.request, self.timeline, [*query.filter_values, *self.fixed.items()]
            ),
            seal=self._seal(),
            is_print_view=self._is_print_view,
            tracking_started=self._tracking_started(page),
            is_first_page=cursor is None,
            is_last_page=page.older is None,
        )

    def _seal(self) -> TabSeal | None:
        if self.query.entry is None:
            return None
        url = self.url if self._may_export() else None
        return build_seal(self.timeline, self.query.entry, url=url, zone=self.zone, now=self.now)

    @property
    def _is_print_view(self) -> bool:
        return self.query.value("print") is not None

    @property
    def _limit(self) -> int | None:
        return LARGEST_PAGE if self._is_print_view else None

    def _days(self, page: Page, revealed: UUID | None) -> tuple[Day, ...]:
        here = self.query.link(keep_filters=False)
        separator = "" if here == "?" else "&"
        record_url = url_of_entry("customer_history:record")
        builder = DayBuilder(
            zone=self.zone,
            now=self.now,
            link=lambda key: f"{here}{separator}entry={key}#{ENTRY_ID}",
            request_link=lambda key: f"{here}{separator}request_id={key}",
            undo_link=self.undo_links.of_entry,
            record_link=record_url,
            filter_link=cache(self._filter_link) if self.has_filter_bar else None,
            subject=self._subject,
            subject_url=lambda record: record.url or route_url(record.model, record.id),
            first_fields=frozenset(
                field_name_of(one)[1] for one in self.query.parameters.get("field", ())
            ),
            has_older=page.older is not None,
            target=self.query.entry,
            revealed=revealed,
        )
        days = builder.days(page.entries, first_continues_request=page.continues_request)
        return tuple(replace(day, entries=fold_runs(day.entries)) for day in days)

    def _filter_bar(self) -> FilterBar:
        # Facets cost a statement, so they are only read when the reader opens the filters.
        is_open = bool(self.query.filter_values) or self.query.value("filter") is not None
        timeline = self.timeline
        if self.fixed:
            timeline = timeline.filtered(Filters.read({k: [v] for k, v in self.fixed.items()}))
        return build_filter_bar(
            self.query,
            facets=menu_facets(timeline) if is_open else None,
            left_out=tuple(self.fixed),
            today=self.now.astimezone(self.zone).date(),
            zone=self.zone,
        )

    def _tracking_started(self, page: Page) -> Moment | None:
        if page.older is not None or self.filters or self.timeline.subject is None:
            return None
        if any(_starts_history(entry) for entry in page.entries):
            return None
        started = self.timeline.tracked_since()
        return None if started is None else self._moment(started)

    def _moment(self, moment: datetime) -> Moment:
        return describe_moment(moment, zone=self.zone, now=self.now)

    @property
    def _subject(self) -> tuple[str, str] | None:
        model, key = self.timeline.model, self.timeline.key
        return None if model is None or key is None else (model._meta.label_lower, key)

    def _chart(self, page: Page) -> StepChart | None:
        fields = self.query.parameters.get("field", ())
        if len(fields) != 1:
            return None
        return build_chart(page.entries, field_name_of(fields[0])[1], zone=self.zone)

    def _filter_link(self, name: str, value: str) -> str:
        return self.query.link({name: [value]})

    def _page_link(self, cursor: str | None) -> str | None:
        return None if cursor is None else self.query.link({"before": [cursor]}, keep=("print",))

    def _view_link(
        self, changes: Mapping[str, list[str]] | None = None, *, keep: tuple[str, ...] = ()
    ) -> str:
        """Return a link to the `HistoryView`, which knows only filters and its own parameters."""
        return f"{self.url}{self.query.link(changes, keep_other_parameters=False, keep=keep)}"

    def _may_export(self) -> bool:
        model, subject = self.timeline.model, self.timeline.subject
        return (
            self.url is not None
            and model is not None
            and may_export(self.timeline.reader, model, subject=subject)
        )


def _contains(page: Page, key: UUID) -> bool:
    return any(entry.id == key for entry in page.entries)


def _starts_history(entry: TimelineEntry) -> bool:
    """Return whether nothing of the subject can be missing before this entry."""
    subject = entry.subject
    return (
        (entry.kind == "create" or entry.is_baseline)
        and subject is not None
        and (entry.entity.model, entry.entity.id) == (subject.model, subject.id)
    )
