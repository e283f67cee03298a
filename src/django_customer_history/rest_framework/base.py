"""What all endpoints share: log-in, problem documents, throttles, no caching by others."""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar, cast

from django.http import Http404, HttpResponseNotModified
from django.utils import timezone
from django.utils.http import parse_etags, quote_etag
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView, exception_handler

from django_customer_history.exceptions import NotFoundError
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import (
    Page,
    Timeline,
)
from django_customer_history.registration.registry import registry
from django_customer_history.rest_framework.parameters import (
    PAGING,
    asked,
)
from django_customer_history.rest_framework.problems import (
    PreconditionFailed,
    problem_response,
)
from django_customer_history.rest_framework.serializers import EntrySerializer
from django_customer_history.rest_framework.throttling import HistoryThrottle

if find_spec("drf_spectacular") is not None:
    # Extensions of drf-spectacular are known by being imported.
    import_module("django_customer_history.rest_framework.openapi")

CACHING = "private, no-store"
"""No cache but the reader's own may keep what this reader may see, and none on a disk."""


Method = TypeVar("Method", bound=Callable[..., Any])


def in_the_readers_zone(method: Method) -> Method:
    """Let a view's method take days, and show moments, in the time zone of who asks."""

    @wraps(method)
    def within(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        with timezone.override(reader_time_zone(request.user)):
            return method(view, request, *args, **kwargs)

    return cast("Method", within)


class OneFormat(BaseContentNegotiation):
    """Every endpoint has one format; `format` in a query is a parameter like others."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        """Return the first parser: nothing is ever sent."""
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> Any:
        """Return the only renderer."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class HistoryAPIView(APIView):
    """The base of all endpoints."""

    permission_classes = (IsAuthenticated,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = OneFormat
    http_method_names = ("get", "head", "options")
    throttle_class: type[BaseThrottle] = HistoryThrottle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse other methods before anything else, whoever asks and however."""
        refuse_other_methods(self, request)
        super().initial(request, *args, **kwargs)

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the host's throttles and that of the history."""
        return [*super().get_throttles(), self.throttle_class()]

    def get_exception_handler(self) -> Any:
        """Return the framework's own: these documents are part of the contract."""
        return exception_handler

    def get_authenticate_header(self, request: Request) -> str:
        """Return how to log in, so that strangers get a 401 also where sessions are all."""
        return way_to_log_in(one.authenticate_header(request) for one in self.get_authenticators())

    def handle_exception(self, exc: Exception) -> Response:
        """Answer with a problem document (RFC 9457)."""
        exc = Http404() if isinstance(exc, NotFoundError) else exc
        return problem_response(super().handle_exception(exc), exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid shared caches to keep what this reader may see."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = CACHING
        return final


class OverAll:
    """Endpoints about all that the reader may see."""

    def timeline(self, request: Request) -> Timeline:
        """Return the entries in question."""
        return Timeline.of_everything(request.user)

    def check_existence(self, timeline: Timeline) -> None:
        """Accept: there is always an everything."""


class OverOneSubject:
    """Endpoints about one subject, which may be deleted."""

    kwargs: dict[str, Any]

    def timeline(self, request: Request) -> Timeline:
        """Return the entries in question; 404 for what can be no subject."""
        registration = registry.find(self.kwargs["model"].lower())
        if registration is None or not registration.is_subject:
            raise Http404
        return Timeline.of_subject(request.user, registration.model, self.kwargs["key"])

    def check_existence(self, timeline: Timeline) -> None:
        """Answer 404 where there never was such a subject."""
        if not timeline.is_known():
            raise Http404


def page_of(request: Request, timeline: Timeline) -> tuple[Page, dict[str, Any]]:
    """Return the page that a request asks for, and it as JSON."""
    wanted = asked(request, PAGING)
    page = wanted.of(timeline).page(**wanted.values)
    shown = {
        "next": _link(request, page.older),
        "previous": _link(request, page.newer),
        "results": EntrySerializer(page.entries, many=True).data,
    }
    return page, shown


def answer(request: Request, data: Any) -> Any:
    """Answer with data, or with 304 where the client has the very same.

    Raises `PreconditionFailed` where the client wants this answer only if it is another.
    """
    text = json.dumps(data, cls=JSONEncoder, sort_keys=True, allow_nan=False)
    etag = quote_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
    required, known = (
        parse_etags(request.headers.get(name, "")) for name in ("If-Match", "If-None-Match")
    )
    if required and required != ["*"] and etag not in required:
        raise PreconditionFailed
    if known == ["*"] or etag in [one.removeprefix("W/") for one in known]:
        return HttpResponseNotModified(headers={"ETag": etag})
    return Response(data, headers={"ETag": etag})


def refuse_other_methods(view: APIView, request: Request) -> None:
    """Answer 405 to a method that a view does not have.

    The framework looks for it only after the log-in, where a session without the token against
    forgery gets a 403.
    """
    if request.method not in view.allowed_methods:
        view.http_method_not_allowed(request)


def _link(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def way_to_log_in(headers: Iterable[str | None]) -> str:
    """Return the first of the given ways; one also where sessions are all, for a 401."""
    return next((header for header in headers if header), 'Session realm="history"')
