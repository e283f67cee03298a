"""The entries of a tab as a file, with its filters."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from django_customer_history.exceptions import (
    ForeignRequestError,
    InvalidFilterError,
    UnknownFormatError,
)
from django_customer_history.export.foreign_requests import is_from_another_site
from django_customer_history.export.responses import export_response
from django_customer_history.export.streaming import prepare_export
from django_customer_history.reading.time_zones import in_time_zone_of
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.query import TabQuery
from django_customer_history.tab.seals import is_proof, proof_download


def is_download(request: HttpRequest) -> bool:
    """Return whether a request asks for a file instead of the page."""
    return TabQuery.read(request.GET).value("format") is not None


def download(request: HttpRequest, timeline: Timeline) -> HttpResponseBase:
    """Return the entries that match as a streamed file, or the proof of one; record the export.

    The response to a HEAD request has no file, and nothing is recorded. Raises
    `InvalidFilterError`, also for an unknown format, `NotFoundError` for an entry that the reader
    cannot see, `PermissionDenied` if the reader may not export the timeline, and
    `ForeignRequestError` if another site started the download.
    """
    query = TabQuery.read(request.GET)
    if is_proof(query):
        return proof_download(request, timeline, query.entry)
    if is_from_another_site(request):
        raise ForeignRequestError("Another site started this download.")
    with in_time_zone_of(request.user):
        filtered = timeline.filtered(query.filters(allow_other_parameters=False))
        try:
            export = prepare_export(filtered, format_name=query.value("format") or "")
        except UnknownFormatError as error:
            raise InvalidFilterError({"format": str(error)}) from error
        return export_response(request, export=export)
