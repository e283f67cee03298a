"""A middleware that records which pages and endpoints refused a user."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase

from django_customer_history.contrib.authentication.events import record_attempt

_FORBIDDEN = 403
GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class PermissionDeniedMiddleware:
    """Record "Permission Denied" with method and path for each response with the status 403.

    Place it after `HistoryMiddleware`, which knows the user. The path has no query string.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request."""
        if self._is_async:
            return self._answer_async(request)
        response = cast("HttpResponseBase", self.get_response(request))
        if response.status_code == _FORBIDDEN:
            _record(request)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        if response.status_code == _FORBIDDEN:
            await sync_to_async(_record)(request)
        return response


def _record(request: HttpRequest) -> None:
    user: Any = getattr(request, "user", None)
    name = user.get_username() if getattr(user, "is_authenticated", False) else None
    changes = {"method": request.method or "", "path": request.path}
    record_attempt("Permission Denied", name, changes=changes)
