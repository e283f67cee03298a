"""The read-only endpoints: all entries, those of one subject, and one entry."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_customer_history.conf import LARGEST_PAGE, page_size
from django_customer_history.exceptions import InvalidCursorError
from django_customer_history.registry import registry
from django_customer_history.rest_framework.problems import (
    InvalidParameter,
    problem_response,
)
from django_customer_history.rest_framework.serializers import EntrySerializer
from django_customer_history.timeline import Timeline


class HistoryAPIView(APIView):
    """What all endpoints share: log-in, problem documents, no caching by others."""

    permission_classes = (IsAuthenticated,)
    http_method_names = ("get", "head", "options")

    def handle_exception(self, exc: Exception) -> Response:
        """Answer with a problem document (RFC 9457)."""
        return problem_response(super().handle_exception(exc), exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid shared caches to keep what this reader may see."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "private, no-store"
        return final


class EntryListView(HistoryAPIView):
    """Entries over all subjects that the reader may see, newest first."""

    def get(self, request: Request, **kwargs: Any) -> Response:
        """Answer with a page: `next`, `previous` and `results`."""
        parameters = _parameters(request)
        timeline = self.timeline(request)
        try:
            page = timeline.page(
                cursor=parameters.get("cursor"), limit=_limit(parameters.get("limit"))
            )
        except InvalidCursorError as error:
            raise InvalidParameter("cursor", str(error)) from error
        results = EntrySerializer(page.entries, many=True).data
        following = None if page.older is None else _link(request, page.older)
        return Response({"next": following, "previous": None, "results": results})

    def timeline(self, request: Request) -> Timeline:
        """Return the entries to list."""
        return Timeline.of_everything(request.user)


class SubjectEntryListView(EntryListView):
    """Entries of one subject, also of one that is deleted."""

    def timeline(self, request: Request) -> Timeline:
        """Return the entries of the subject of the URL."""
        model = _subject_model(self.kwargs["model"])
        try:
            return Timeline.of_subject(request.user, model, self.kwargs["key"])
        except (ValueError, ValidationError) as error:
            raise Http404 from error


class EntryView(HistoryAPIView):
    """One entry, under a link that stays."""

    def get(self, request: Request, key: UUID, **kwargs: Any) -> Response:
        """Answer with the entry, or 404 where there is none that the reader may see."""
        entry = Timeline.of_everything(request.user).entry(key)
        if entry is None:
            raise Http404
        return Response(EntrySerializer(entry).data)


def _subject_model(label: str) -> type[models.Model]:
    registration = registry.find(label.lower())
    if registration is None or not registration.is_subject:
        raise Http404
    return apps.get_model(label)


def _parameters(request: Request) -> dict[str, str]:
    known = ("cursor", "limit", "format")
    for name in request.query_params:
        if name not in known:
            raise InvalidParameter(name, f"Unknown parameter. Known ones: {', '.join(known)}.")
    return {name: str(value) for name, value in request.query_params.items()}


def _limit(text: str | None) -> int:
    if text is None:
        return page_size()
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LARGEST_PAGE:
        raise InvalidParameter("limit", f"Give a whole number from 1 to {LARGEST_PAGE}.")
    return int(text)


def _link(request: Request, cursor: str) -> str:
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
