"""The middleware: every change in a request bears its user, source and address."""

import sys
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from python_ipware.modern.parsers import parse_ip, split_unquoted

from django_customer_history.changes import Actor
from django_customer_history.conf import trusted_proxies
from django_customer_history.context import acting, as_actor

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class HistoryMiddleware:
    """Put the request into the context of all that is written while it is answered.

    User and source are looked up when something is written, not before: a request that writes
    nothing loads no session, and a user whom only the view finds out (as with the
    authentication of Django REST framework) is the one that the entries bear. To be placed
    after `AuthenticationMiddleware`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request with its context in force."""
        if self._is_async:
            return self._answer_async(request)
        with acting(origin=RequestOrigin(request), ip=client_address(request)):
            return self.get_response(request)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with acting(origin=RequestOrigin(request), ip=client_address(request)):
            return await cast("Awaitable[HttpResponseBase]", self.get_response(request))


class RequestOrigin:
    """A request, asked for user and source at the moment of a write."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._user: Any = None
        self._actor: Actor | None = None
        self._is_asking = False

    def actor(self) -> Actor | None:
        """Return the user of the request as it is now; None for nobody."""
        user = getattr(self._request, "user", None)
        if user is self._user and self._actor is not None:
            return self._actor
        if self._is_asking:
            return None  # Finding the user out writes something itself.
        self._is_asking = True
        try:
            self._user, self._actor = user, as_actor(user)
        finally:
            self._is_asking = False
        return self._actor

    def source(self) -> str:
        """Return "admin", "api" or "web", by the view that answers."""
        match = self._request.resolver_match
        if match is None:
            return "web"
        if "admin" in match.app_names:
            return "admin"
        return "api" if _is_api_view(match.func) else "web"


def client_address(request: HttpRequest) -> str | None:
    """Return the address of the client, or None where it cannot be known.

    It is `REMOTE_ADDR`, unless that is one of `TRUSTED_PROXIES`: then the last address of
    `X-Forwarded-For` that is no trusted proxy. Everything before that one anybody could write.
    """
    networks = trusted_proxies()
    address = parse_ip(request.META.get("REMOTE_ADDR"))

    def is_trusted(one: IPv4Address | IPv6Address) -> bool:
        return any(one in network for network in networks)

    if address is None or not is_trusted(address):
        return None if address is None else str(address)
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    for token in reversed(split_unquoted(forwarded, ",")) if forwarded else ():
        address = parse_ip(token)
        if address is None or not is_trusted(address):
            break
    return None if address is None else str(address)


def _is_api_view(view: object) -> bool:
    # A project without the framework never imported it; so there is nothing to ask for.
    framework = sys.modules.get("rest_framework.views")
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return (
        framework is not None
        and isinstance(view_class, type)
        and issubclass(view_class, framework.APIView)
    )
