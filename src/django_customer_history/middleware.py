"""The middleware: entries of a request get its user, source, IP address and reason."""

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

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from django_customer_history.context.blocks import ContextBlock
from django_customer_history.context.current import (
    RequestContext,
    use_context,
)
from django_customer_history.context.requests import RequestContextProvider

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class HistoryMiddleware:
    """Set the context of everything that is written while a request is answered.

    Place it after `AuthenticationMiddleware`. It reads user and source only when something is
    written. So a request that writes nothing loads no session, and a user that only the view
    authenticates (as with Django REST framework) is the user of the entries.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request in its context."""
        if self._is_async:
            return self._answer_async(request)
        provider = RequestContextProvider(request)
        context = RequestContext(provider)
        with use_context(context):
            response = cast("HttpResponseBase", self.get_response(request))
            for write in provider.after_response:
                write()
        return _stream_in(context, response)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        provider = RequestContextProvider(request)
        context = RequestContext(provider)
        with use_context(context):
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
            for write in provider.after_response:
                await sync_to_async(write)()
        return _stream_in(context, response)


def _stream_in(context: RequestContext, response: HttpResponseBase) -> HttpResponseBase:
    """Produce the content of a streaming response in the context of its request."""
    if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
        content = response.streaming_content
        if isinstance(content, AsyncIterable):
            response.streaming_content = _each_async(context, content)
        else:
            response.streaming_content = _each(context, content)
            # A generator that nobody reads to its end runs its last part when it is closed.
            close = ContextBlock(partial(use_context, context))(response.close)
            response.close = close  # type: ignore[method-assign]
    return response


def _each(context: RequestContext, content: Iterable[bytes]) -> Iterator[bytes]:
    # A generator has no context of its own: a context set in it would stay set in its caller.
    chunks = iter(content)
    while True:
        with use_context(context):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


async def _each_async(
    context: RequestContext, content: AsyncIterable[bytes]
) -> AsyncIterator[bytes]:
    chunks = aiter(content)
    try:
        while True:
            with use_context(context):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            with use_context(context):
                await chunks.aclose()
