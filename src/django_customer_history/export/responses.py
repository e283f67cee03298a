"""The HTTP response to a download, for the History tab and for REST."""

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from django_customer_history.export.streaming import PreparedExport


def export_response(request: HttpRequest, *, export: PreparedExport) -> HttpResponseBase:
    """Record the export and return its file as a streamed response.

    The response to a HEAD request has the same headers and no file; nothing is recorded.
    """
    disposition = content_disposition_header(as_attachment=True, filename=export.file_name)
    headers = {
        "Content-Type": export.format.media_type,
        "Content-Disposition": str(disposition),
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    started = export.start()
    content = started.stream() if isinstance(request, ASGIRequest) else started
    return StreamingHttpResponse(content, headers=headers)
