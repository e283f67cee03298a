"""The middleware: every change in a request bears its user, source and address."""

import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from django_customer_history import conf
from django_customer_history.addresses import client_address
from django_customer_history.changes import Actor
from django_customer_history.context import Context, as_actor, beginning, in_force, known_source

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
        with beginning(origin=RequestOrigin(request), ip=client_address(request.META)) as context:
            response = cast("HttpResponseBase", self.get_response(request))
        return _streamed_in(context, response)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with beginning(origin=RequestOrigin(request), ip=client_address(request.META)) as context:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        return _streamed_in(context, response)


class RequestOrigin:
    """A request, asked for user and source at the moment of a write."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._actor: tuple[Any, Actor | None] = (None, None)
        self._impersonator: tuple[Any, Actor | None] = (None, None)
        self._is_asking = False

    def actor(self) -> Actor | None:
        """Return the user of the request as it is now; None for nobody."""
        user = self._user()
        if (user is not self._actor[0] or self._actor[1] is None) and not self._is_asking:
            with self._asking():
                self._actor = (user, as_actor(user))
        return self._actor[1] if user is self._actor[0] else None

    def impersonator(self) -> Actor | None:
        """Return the user who acts as the request's user, by the function of the settings."""
        find, user = conf.impersonator_finder(), self._user()
        if find is None:
            return None
        if user is not self._impersonator[0] and not self._is_asking:
            with self._asking():
                self._impersonator = (user, as_actor(find(self._request)))
        return self._impersonator[1] if user is self._impersonator[0] else None

    def source(self) -> str:
        """Return the source that the project's own function says, else the view that answers."""
        choose = conf.source_chooser()
        chosen = None if choose is None else choose(self._request)
        return self._source_by_view() if chosen is None else known_source(chosen)

    def reason(self) -> str | None:
        """Return what the header or the form field of the settings says, if it says anything."""
        header, field = conf.reason_header(), conf.reason_field()
        given = self._request.headers.get(header) if header else None
        if not given and field:
            given = self._form_value(field)
        return given.strip() or None if given else None

    def _user(self) -> Any:
        return getattr(self._request, "user", None)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        # What finding a user out writes itself is nobody's.
        self._is_asking = True
        try:
            yield
        finally:
            self._is_asking = False

    def _source_by_view(self) -> str:
        match = self._request.resolver_match
        if match is None:
            return "web"
        if "admin" in match.app_names:
            return "admin"
        return "api" if _is_api_view(match.func) else "web"

    def _form_value(self, field: str) -> str | None:
        if self._request.method != "POST":
            return None
        try:
            return self._request.POST.get(field)
        except (MultiPartParserError, UnreadablePostError, SuspiciousOperation, BadRequest):
            return None  # A form that cannot be read says nothing; the view finds out itself.


def _streamed_in(context: Context, response: HttpResponseBase) -> HttpResponseBase:
    """Let what a response streams later be made in the context of its request."""
    if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
        content = response.streaming_content
        if isinstance(content, AsyncIterable):
            response.streaming_content = _each_async(context, content)
        else:
            response.streaming_content = _each(context, content)
    return response


def _each(context: Context, content: Iterable[bytes]) -> Iterator[bytes]:
    # A generator has no context of its own: what it sets would be in force outside of it.
    chunks = iter(content)
    while True:
        with in_force(context):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


async def _each_async(context: Context, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    chunks = aiter(content)
    while True:
        with in_force(context):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield chunk


def _is_api_view(view: object) -> bool:
    # A project without the framework never imported it; so there is nothing to ask for.
    framework = sys.modules.get("rest_framework.views")
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return (
        framework is not None
        and isinstance(view_class, type)
        and issubclass(view_class, framework.APIView)
    )
