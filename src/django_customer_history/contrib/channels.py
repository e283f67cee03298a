"""Consumers: what one writes bears the user and the address of its connection.

Works for Channels and for any other ASGI application; nothing of Channels is imported.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.http import HttpRequest

from django_customer_history.context.current import (
    Context,
    new_context,
    use_context,
)
from django_customer_history.context.requests import RequestContextProvider

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class HistoryConsumerMiddleware:
    """Put a connection into the context of all that is written while it is open.

    To be placed around a consumer: `HistoryConsumerMiddleware(Consumer.as_asgi())`. Its scope
    is then asked for the user at each write, so that one who logs in half-way is followed. It is
    for WebSockets and for consumers of HTTP, which Django's own middleware never sees. What a
    consumer of a channel in the background writes is a task's, called like the channel. Other
    scopes pass through.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Run the application with the connection's context in force."""
        begin = _BEGINNINGS.get(scope["type"], nullcontext)
        with begin(scope):
            await self.application(scope, receive, send)


class _ConnectionRequest(HttpRequest):
    """The handshake of a connection, for whoever is asked about a request."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope
        self.method = scope.get("method", "GET")
        self.path = self.path_info = scope.get("path", "")
        self.META = {**_headers(scope), "REMOTE_ADDR": (scope.get("client") or ("",))[0]}

    @property
    def user(self) -> Any:  # type: ignore[override]  # Who it is may change with the scope.
        return self.scope.get("user")

    @property
    def session(self) -> Any:  # type: ignore[override]
        return self.scope.get("session")


def _begin_connection(scope: Scope) -> AbstractContextManager[Any]:
    return new_context(provider=RequestContextProvider(_ConnectionRequest(scope)))


def _begin_background(scope: Scope) -> AbstractContextManager[Any]:
    # One consumer takes all messages of a channel, whoever sent them: they are no one request.
    return use_context(Context(source="task", extra={"task": scope["channel"]}))


_BEGINNINGS: Mapping[str, Callable[[Scope], AbstractContextManager[Any]]] = {
    "http": _begin_connection,
    "websocket": _begin_connection,
    "channel": _begin_background,
}
"""What is in force while a consumer works, by the type of its scope."""


def _headers(scope: Scope) -> Mapping[str, str]:
    """Return the headers as a server of WSGI would name them; those given twice are joined."""
    found: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        if b"_" in name:
            continue  # It would pass for the header with a dash, which a proxy watches over.
        key = "HTTP_" + name.decode("latin1").upper().replace("-", "_")
        text = value.decode("latin1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found
