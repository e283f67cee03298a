"""What all endpoints share: authentication, problems, throttles, renderers, no shared caching."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rest_framework.exceptions import NotAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from django_customer_history.reading.time_zones import in_time_zone_of
from django_customer_history.rest_framework.problems import problem_exception_handler
from django_customer_history.rest_framework.renderers import history_renderers
from django_customer_history.rest_framework.throttling import HistoryThrottle

if find_spec("drf_spectacular") is not None:
    # drf-spectacular finds extensions when they are imported.
    import_module("django_customer_history.rest_framework.openapi")

if TYPE_CHECKING:
    ViewSet = GenericViewSet[Any]
    _Base = ViewSet
else:
    ViewSet = GenericViewSet
    _Base = object

Method = TypeVar("Method", bound=Callable[..., Any])


def in_reader_time_zone(method: Method) -> Method:
    """Run a view's method in the time zone of the user who reads.

    Dates in the query are days in that zone, and displayed moments are in it.
    """

    @wraps(method)
    def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        with in_time_zone_of(request.user):
            return method(view, request, *args, **kwargs)

    return cast("Method", wrapper)


class HistoryContract(_Base):
    """The contract of the endpoints, whatever the project's settings for REST framework are."""

    history_throttle_class: type[BaseThrottle] = HistoryThrottle

    def is_history(self) -> bool:
        """Return whether the route of the request belongs to the history."""
        return True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse other methods first; require a user and apply the throttle of the history last.

        The framework refuses methods after authentication, where a session without a CSRF token
        gets a 403. A project's viewset can override its permissions and throttles; these hold.
        """
        if self.is_history() and request.method not in self.allowed_methods:
            self.format_kwarg = self.get_format_suffix(**kwargs)  # To negotiate the problem.
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)
        if self.is_history():
            self._check_user(request)

    def _check_user(self, request: Request) -> None:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        throttle = self.history_throttle_class()
        if not throttle.allow_request(request, self):
            self.throttled(request, throttle.wait() or 0)

    def get_renderers(self) -> list[BaseRenderer]:
        """Return JSON for the history, and the browsable API if the viewset has it."""
        if self.is_history():
            # The browsable API reads this attribute too.
            self.renderer_classes = history_renderers(self.renderer_classes)
        return list(super().get_renderers())

    def get_exception_handler(self) -> Any:
        """Return the handler that makes problem documents."""
        return problem_exception_handler if self.is_history() else super().get_exception_handler()

    def get_authenticate_header(self, request: Request) -> Any:
        """Return how to authenticate, so that the answer is a 401 also with sessions alone."""
        if not self.is_history():
            return super().get_authenticate_header(request)
        headers = (one.authenticate_header(request) for one in self.get_authenticators())
        return next(filter(None, headers), 'Session realm="history"')

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid caches to store what this reader may see."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if self.is_history():
            final["Cache-Control"] = "private, no-store"
        return final
