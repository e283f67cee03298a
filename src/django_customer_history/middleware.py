"""The middleware: every change in a request bears its user, source and address."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from functools import partial
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from django_customer_history.context.blocks import ContextBlock
from django_customer_history.context.current import (
    Context,
    beginning,
    in_force,
)
from django_customer_history.context.requests import RequestContextProvider

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
        with beginning(provider=RequestContextProvider(request)) as context:
            response = cast("HttpResponseBase", self.get_response(request))
        return _streamed_in(context, response)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with beginning(provider=RequestContextProvider(request)) as context:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        return _streamed_in(context, response)


def _streamed_in(context: Context, response: HttpResponseBase) -> HttpResponseBase:
    """Let what a response streams later be made in the context of its request."""
    if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
        content = response.streaming_content
        if isinstance(content, AsyncIterable):
            response.streaming_content = _each_async(context, content)
        else:
            response.streaming_content = _each(context, content)
            # What a generator still does when nobody reads on, it does when it is closed.
            close = ContextBlock(partial(in_force, context))(response.close)
            response.close = close  # type: ignore[method-assign]
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
    try:
        while True:
            with in_force(context):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            with in_force(context):
                await chunks.aclose()
