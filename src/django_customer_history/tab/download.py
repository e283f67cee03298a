"""The entries of a tab as a file, with its filters."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from django_customer_history.exceptions import (
    InvalidFilterError,
    UnknownFormatError,
)
from django_customer_history.export.responses import export_response
from django_customer_history.export.streaming import prepare_export
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.query import TabQuery


def is_download(request: HttpRequest) -> bool:
    """Return whether a request asks for a file instead of the page."""
    return TabQuery.read(request.GET).value("format") is not None


def download(request: HttpRequest, timeline: Timeline) -> HttpResponseBase:
    """Return the entries that match as a streamed file, and record the export.

    The response to a HEAD request has no file, and nothing is recorded. Raises
    `InvalidFilterError`, also for an unknown format, and `PermissionDenied` if the reader may not
    export the timeline.
    """
    query = TabQuery.read(request.GET)
    with timezone.override(reader_time_zone(request.user)):
        filtered = timeline.filtered(query.filters(allow_other_parameters=False))
        try:
            export = prepare_export(filtered, format_name=query.value("format") or "")
        except UnknownFormatError as error:
            raise InvalidFilterError({"format": str(error)}) from error
        return export_response(request, export=export)
