"""The filtered history of a tab as a file."""

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header

from django_customer_history.exceptions import (
    InvalidFilterError,
    UnknownFormatError,
)
from django_customer_history.export.streaming import wanted_export
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.query import TabQuery


def is_download(request: HttpRequest) -> bool:
    """Return whether a request asks for the file and not for the page."""
    return TabQuery.read(request.GET).value("format") is not None


def download(request: HttpRequest, timeline: Timeline) -> HttpResponseBase:
    """Return the entries that match the filters of a request, as a streamed file.

    The export is logged. A HEAD request gets the headers only, and nothing is logged.

    Raises `InvalidFilterError`, also for an unknown format, and `PermissionDenied` if the reader
    may not export this history.
    """
    query = TabQuery.read(request.GET)
    with timezone.override(reader_time_zone(request.user)):
        filtered = timeline.filtered(query.filters(allow_other_parameters=False))
        try:
            wanted = wanted_export(filtered, format_name=query.value("format") or "")
        except UnknownFormatError as error:
            raise InvalidFilterError({"format": str(error)}) from error
        export = None if request.method == "HEAD" else wanted.started()
    disposition = content_disposition_header(as_attachment=True, filename=wanted.file_name)
    headers = {
        "Content-Type": wanted.format.media_type,
        "Content-Disposition": str(disposition),
        "Cache-Control": "private, no-store",
    }
    if export is None:
        return HttpResponse(headers=headers)
    pieces = export.pieces() if isinstance(request, ASGIRequest) else export
    return StreamingHttpResponse(pieces, headers=headers)
