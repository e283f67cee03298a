"""What all endpoints share: log-in, problem documents, throttles, no caching by others."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import Http404
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView, exception_handler

from django_customer_history.conf import LARGEST_PAGE, page_size
from django_customer_history.exceptions import (
    InvalidCursorError,
    InvalidFilterError,
    OutOfReachError,
    UnknownFormatError,
)
from django_customer_history.filters import Filters
from django_customer_history.registry import registry
from django_customer_history.rest_framework.problems import InvalidParameters, problem_response
from django_customer_history.rest_framework.throttling import HistoryThrottle
from django_customer_history.timeline import Timeline


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

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the host's throttles and that of the history."""
        return [*super().get_throttles(), self.throttle_class()]

    def get_exception_handler(self) -> Any:
        """Return the framework's own: these documents are part of the contract."""
        return exception_handler

    def get_authenticate_header(self, request: Request) -> str:
        """Return how to log in, so that strangers get a 401 also where sessions are all."""
        headers = (one.authenticate_header(request) for one in self.get_authenticators())
        return next((header for header in headers if header), 'Session realm="history"')

    def handle_exception(self, exc: Exception) -> Response:
        """Answer with a problem document (RFC 9457)."""
        exc = _translated(exc)
        return problem_response(super().handle_exception(exc), exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid shared caches to keep what this reader may see."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "private, no-store"
        return final

    def answer(self, request: Request, data: Any) -> Any:
        """Answer with data, or with 304 where the client has the very same."""
        text = json.dumps(data, cls=JSONEncoder, sort_keys=True)
        etag = quote_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
        response = Response(data, headers={"ETag": etag})
        return get_conditional_response(request._request, etag=etag, response=response)


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
        key, subject = self.kwargs["key"], self.kwargs.get("subject")
        return Timeline.of_subject(request.user, registration.model, key, subject=subject)

    def check_existence(self, timeline: Timeline) -> None:
        """Answer 404 where there never was such a subject."""
        if not timeline.is_of_something():
            raise Http404


def filters_of(request: Request, *, besides: Sequence[str] = ()) -> Filters:
    """Return the filters of a request; parameters in `besides` are left to others."""
    repeated = {
        name: "Given too often." for name in besides if len(request.query_params.getlist(name)) > 1
    }
    if repeated:
        raise InvalidParameters(repeated)
    return Filters.read(request.query_params, besides=besides)


def limit_of(request: Request) -> int:
    """Return how many entries a page shall have."""
    text = request.query_params.get("limit")
    if text is None:
        return page_size()
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LARGEST_PAGE:
        raise InvalidParameters({"limit": f"Give a whole number from 1 to {LARGEST_PAGE}."})
    return int(text)


def _translated(error: Exception) -> Exception:
    if isinstance(error, InvalidFilterError):
        return InvalidParameters(error.errors)
    if isinstance(error, InvalidCursorError):
        return InvalidParameters({"cursor": str(error)})
    if isinstance(error, UnknownFormatError):
        return InvalidParameters({"format": str(error)})
    return Http404() if isinstance(error, OutOfReachError) else error
