"""Channels: entries of a consumer get the user and the IP address of its connection.

It works for Channels and for any other ASGI application; Channels is not imported.
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
    """Set the context of everything that is written while a connection is open.

    Put it around a consumer: `HistoryConsumerMiddleware(Consumer.as_asgi())`. It reads the user
    from the scope at each write, so a log-in during the connection counts. It is for WebSockets
    and for HTTP consumers, which Django's middleware does not see. A consumer of a background
    channel is a task with the name of the channel. Other scopes pass through.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Run the application in the context of the connection."""
        open_context = _CONTEXTS.get(scope["type"], nullcontext)
        with open_context(scope):
            await self.application(scope, receive, send)


class _ConnectionRequest(HttpRequest):
    """The handshake of a connection as a request, for the resolvers of the project."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope
        self.method = scope.get("method", "GET")
        self.path = self.path_info = scope.get("path", "")
        self.META = {**_headers(scope), "REMOTE_ADDR": (scope.get("client") or ("",))[0]}

    @property
    def user(self) -> Any:  # type: ignore[override]  # It may change with the scope.
        return self.scope.get("user")

    @property
    def session(self) -> Any:  # type: ignore[override]
        return self.scope.get("session")


def _connection_context(scope: Scope) -> AbstractContextManager[Any]:
    return new_context(provider=RequestContextProvider(_ConnectionRequest(scope)))


def _background_context(scope: Scope) -> AbstractContextManager[Any]:
    # One consumer gets the messages of all senders, so there is no common request ID.
    return use_context(Context(source="task", extra={"task": scope["channel"]}))


_CONTEXTS: Mapping[str, Callable[[Scope], AbstractContextManager[Any]]] = {
    "http": _connection_context,
    "websocket": _connection_context,
    "channel": _background_context,
}
"""The context of a consumer by the type of its scope."""


def _headers(scope: Scope) -> Mapping[str, str]:
    """Return the headers with their WSGI names; repeated headers are joined."""
    found: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        if b"_" in name:
            continue  # It would get the name of the header with a dash, which proxies control.
        key = "HTTP_" + name.decode("latin1").upper().replace("-", "_")
        text = value.decode("latin1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found
