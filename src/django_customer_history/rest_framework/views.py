"""The read-only endpoints: entries of all or of one subject, one entry, facets, exports."""

from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from django_customer_history.export import start_export
from django_customer_history.facets import facets
from django_customer_history.rest_framework.base import (
    HistoryAPIView,
    OverAll,
    OverOneSubject,
    filters_of,
    limit_of,
)
from django_customer_history.rest_framework.serializers import EntrySerializer, FacetsSerializer
from django_customer_history.rest_framework.throttling import HistoryExportThrottle
from django_customer_history.revealing import reveal
from django_customer_history.timeline import Timeline


class EntryListView(OverAll, HistoryAPIView):
    """Entries over all subjects that the reader may see, newest first."""

    def get(self, request: Request, **kwargs: Any) -> Any:
        """Answer with a page: `next`, `previous` and `results`."""
        filters, limit = filters_of(request, besides=("cursor", "limit")), limit_of(request)
        cursor = request.query_params.get("cursor")
        timeline = self.timeline(request)
        page = timeline.filtered(filters).page(cursor=cursor, limit=limit)
        if not page.entries:
            self.check_existence(timeline)
        shown = {
            "next": _link(request, page.older),
            "previous": _link(request, page.newer),
            "results": EntrySerializer(page.entries, many=True).data,
        }
        return self.answer(request, shown)


class SubjectEntryListView(OverOneSubject, EntryListView):
    """Entries of one subject, also of one that is deleted."""


class FacetsView(OverAll, HistoryAPIView):
    """What occurs in the history, for the menus of filters."""

    def get(self, request: Request, **kwargs: Any) -> Any:
        """Answer with the values that filters can be given."""
        filters = filters_of(request)
        timeline = self.timeline(request)
        self.check_existence(timeline)
        found = facets(timeline.filtered(filters))
        return self.answer(request, FacetsSerializer(found).data)


class SubjectFacetsView(OverOneSubject, FacetsView):
    """What occurs in the history of one subject."""


class ExportView(OverAll, HistoryAPIView):
    """The history as a file: CSV, NDJSON or XLSX, streamed."""

    throttle_class = HistoryExportThrottle

    def get(self, request: Request, **kwargs: Any) -> StreamingHttpResponse:
        """Answer with the file; that it was exported is an entry of the history."""
        filters = filters_of(request, besides=("format",))
        format_name = request.query_params.get("format", "csv")
        timeline = self.timeline(request)
        self.check_existence(timeline)
        export = start_export(timeline.filtered(filters), format_name=format_name)
        return StreamingHttpResponse(
            export.pieces() if isinstance(request._request, ASGIRequest) else export,
            content_type=export.format.media_type,
            headers={
                "Content-Disposition": content_disposition_header(
                    as_attachment=True, filename=export.file_name
                )
            },
        )


class SubjectExportView(OverOneSubject, ExportView):
    """The history of one subject as a file."""


class EntryView(HistoryAPIView):
    """One entry, under a link that stays."""

    def get(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Answer with the entry, or 404 where there is none that the reader may see."""
        filters_of(request)
        entry_key = _key(key)
        entry = Timeline.of_entry(request.user, entry_key).entry(entry_key)
        if entry is None:
            raise Http404
        return self.answer(request, EntrySerializer(entry).data)


class RevealView(HistoryAPIView):
    """One entry with the confidential values that the reader may see; the look is recorded."""

    def get(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Answer with the entry; 403 for a reader who may see none of its hidden values."""
        filters_of(request)
        return self.answer(request, EntrySerializer(reveal(request.user, _key(key))).data)


def _key(text: str) -> UUID:
    try:
        key = UUID(text)
    except ValueError:
        raise Http404 from None
    if str(key) != text.lower():
        raise Http404
    return key


def _link(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
