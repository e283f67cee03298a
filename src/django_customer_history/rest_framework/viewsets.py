"""`HistoryMixin`: `/customers/{id}/history/` on a viewset of the host's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, QueryDict
from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler
from rest_framework.viewsets import GenericViewSet

from django_customer_history.exceptions import NotFoundError
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from django_customer_history.rest_framework.base import (
    CACHING,
    OneFormat,
    answer,
    page_of,
    refuse_other_methods,
    way_to_log_in,
)
from django_customer_history.rest_framework.problems import problem_response
from django_customer_history.rest_framework.throttling import HistoryThrottle

if TYPE_CHECKING:
    _ViewSet = GenericViewSet[Any]
else:
    _ViewSet = object


class HistoryMixin(_ViewSet):
    """Adds the history of its objects to a viewset of a model registered as a subject.

    Which objects there are, the viewset decides: what its queryset, its filter backends or its
    permissions keep from a user has no history here either. Users authenticate as for the
    viewset, and its throttles hold. All else, errors included, is as at the subject's own
    endpoint: filters, pages, problem documents, its throttle, and a log-in always.
    """

    @action(
        detail=True,
        methods=["get"],
        url_path="history",
        url_name="history",
        renderer_classes=[JSONRenderer],
        content_negotiation_class=OneFormat,
    )
    def history(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Answer with a page of the object's history."""
        if not request.user.is_authenticated:
            raise NotAuthenticated
        throttle = HistoryThrottle()
        if not throttle.allow_request(request, self):
            self.throttled(request, throttle.wait() or 0)
        with _without_parameters(request):
            subject = self.get_object()
        model = type(subject)._meta.concrete_model
        if not registry.of(model).is_subject:
            raise ImproperlyConfigured(
                f'HistoryMixin needs a model that is registered with subject="self": not'
                f" {model._meta.label}."
            )
        timeline = Timeline.of_subject(request.user, model, subject.pk, subject=subject)
        with timezone.override(reader_time_zone(request.user)):
            return answer(request, page_of(request, timeline)[1])

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse other methods of the history before anything else."""
        if _is_history(self):
            refuse_other_methods(self, request)
        super().initial(request, *args, **kwargs)

    def get_exception_handler(self) -> Any:
        """Return the framework's own for the history: its problems are part of the contract."""
        return exception_handler if _is_history(self) else super().get_exception_handler()

    def get_authenticate_header(self, request: Request) -> Any:
        """Return how to log in; the history tells strangers so in any case."""
        header = super().get_authenticate_header(request)
        return way_to_log_in([header]) if _is_history(self) else header

    def handle_exception(self, exc: Exception) -> Response:
        """Answer with a problem document where the history is asked for."""
        if not _is_history(self):
            host: Response = super().handle_exception(exc)
            return host
        exc = Http404() if isinstance(exc, NotFoundError) else exc
        return problem_response(super().handle_exception(exc), exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kw: Any) -> Any:
        """Forbid shared caches to keep the history."""
        final = super().finalize_response(request, response, *args, **kw)
        if _is_history(self):
            final["Cache-Control"] = CACHING
        return final


def _is_history(viewset: Any) -> bool:
    # `action` is None for a method that the route does not have.
    return HistoryMixin.history.__name__ in getattr(viewset, "action_map", {}).values()


@contextmanager
def _without_parameters(request: Request) -> Iterator[None]:
    """Let the host find the object as at its own address.

    Its filter backends would take the filters of the history for their own.
    """
    given = request._request.GET
    request._request.GET = QueryDict()
    try:
        yield
    finally:
        request._request.GET = given
