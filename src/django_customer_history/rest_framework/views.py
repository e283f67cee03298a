"""The read-only endpoints: entries of all or of one subject, one entry, facets, exports."""

from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from rest_framework.request import Request
from rest_framework.response import Response

from django_customer_history.export.streaming import (
    WantedExport,
    wanted_export,
)
from django_customer_history.point_in_time.record import record_as_of
from django_customer_history.reading.facets import facets
from django_customer_history.reading.reveal import reveal_request
from django_customer_history.reading.timeline import Timeline
from django_customer_history.rest_framework.base import (
    HistoryAPIView,
    OverAll,
    OverOneSubject,
    answer,
    in_the_readers_zone,
    page_of,
)
from django_customer_history.rest_framework.parameters import (
    FORMAT,
    asked,
    check_that_nothing_is_asked,
)
from django_customer_history.rest_framework.serializers import (
    EntrySerializer,
    FacetsSerializer,
    RecordAsOfSerializer,
)
from django_customer_history.rest_framework.throttling import HistoryExportThrottle


class EntryListView(OverAll, HistoryAPIView):
    """Entries over all subjects that the reader may see, newest first."""

    @in_the_readers_zone
    def get(self, request: Request, **kwargs: Any) -> Any:
        """Answer with a page: `next`, `previous` and `results`."""
        timeline = self.timeline(request)
        page, shown = page_of(request, timeline)
        if not page.entries:
            self.check_existence(timeline)
        return answer(request, shown)


class SubjectEntryListView(OverOneSubject, EntryListView):
    """Entries of one subject, also of one that is deleted."""


class FacetsView(OverAll, HistoryAPIView):
    """What occurs in the history, for the menus of filters."""

    @in_the_readers_zone
    def get(self, request: Request, **kwargs: Any) -> Any:
        """Answer with the values that filters can be given."""
        timeline = self.timeline(request)
        self.check_existence(timeline)
        found = facets(asked(request).of(timeline))
        return answer(request, FacetsSerializer(found).data)


class SubjectFacetsView(OverOneSubject, FacetsView):
    """What occurs in the history of one subject."""


class ExportView(OverAll, HistoryAPIView):
    """The history as a file: CSV, NDJSON or XLSX, streamed."""

    throttle_class = HistoryExportThrottle

    @in_the_readers_zone
    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """Answer with the file; that it was exported is an entry of the history."""
        wanted = self._wanted(request)
        export = wanted.started()
        pieces = export.pieces() if isinstance(request._request, ASGIRequest) else export
        return StreamingHttpResponse(pieces, headers=_headers(wanted))

    @in_the_readers_zone
    def head(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """Answer as `get` would, without the file; nothing is exported, so nothing recorded."""
        return HttpResponse(headers=_headers(self._wanted(request)))

    def _wanted(self, request: Request) -> WantedExport:
        timeline = self.timeline(request)
        self.check_existence(timeline)
        wanted = asked(request, FORMAT)
        return wanted_export(wanted.of(timeline), format_name=wanted.values["format"])


class SubjectExportView(OverOneSubject, ExportView):
    """The history of one subject as a file."""


class EntryView(HistoryAPIView):
    """One entry, under a link that stays."""

    @in_the_readers_zone
    def get(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Answer with the entry, or 404 where there is none that the reader may see."""
        entry_key = _key(key)
        entry = Timeline.of_entry(request.user, entry_key).entry(entry_key)
        if entry is None:
            raise Http404
        check_that_nothing_is_asked(request)
        return answer(request, EntrySerializer(entry).data)


class RecordAsOfView(HistoryAPIView):
    """The record that an entry tells of, just before it and just after it."""

    def get(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Answer with the record, or 404 where there is none that the reader may see."""
        record = record_as_of(request.user, _key(key))
        check_that_nothing_is_asked(request)
        return answer(request, RecordAsOfSerializer(record).data)


class RevealView(HistoryAPIView):
    """One entry with the confidential values that the reader may see; the look is recorded."""

    @in_the_readers_zone
    def get(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Answer with the entry; 403 for a reader who may see none of its hidden values."""
        look = reveal_request(request.user, _key(key))
        check_that_nothing_is_asked(request)
        return answer(request, EntrySerializer(look.recorded()).data)

    @in_the_readers_zone
    def head(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Answer without the entry, to whom `get` would show it; nothing is recorded."""
        reveal_request(request.user, _key(key))
        check_that_nothing_is_asked(request)
        return Response()


def _key(text: str) -> UUID:
    try:
        key = UUID(text)
    except ValueError:
        raise Http404 from None
    if str(key) != text.lower():
        raise Http404
    return key


def _headers(export: WantedExport) -> dict[str, str]:
    disposition = content_disposition_header(as_attachment=True, filename=export.file_name)
    return {
        "Content-Type": export.format.media_type,
        "Content-Disposition": str(disposition),
    }
