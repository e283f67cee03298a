"""A stream of NATS JetStream.

Exactly once: the last message of the subject is the position, and each message names the sequence
number of the one before it. `Nats-Msg-Id` is the id of the entry.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from django_customer_history.feed.targets.base import Destination, Target, imported
from django_customer_history.feed.targets.streams import emptied, stream_position
from django_customer_history.reading.entries import FeedPage, TimelineEntry

_EXTRA = "nats"
_MESSAGE = "Nats-Msg-Id"
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_MARK = "History-Mark"
_TIMEOUT = 10.0
"""In seconds: to connect, and for each answer."""


class NatsStream(Target):
    """Publishes on a subject. `nats://localhost:4222/history.entries?stream=HISTORY`."""

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination)
        self._nats: Any = imported("nats", extra=_EXTRA)
        self._errors: Any = imported("nats.errors", extra=_EXTRA)
        self._stream_errors: Any = imported("nats.js.errors", extra=_EXTRA)
        self._subject = destination.url.path.strip("/") or "history.entries"
        self._stream = destination.parameters.get("stream", "HISTORY")
        self._loop = asyncio.new_event_loop()
        self._client: Any = None
        self._context: Any = None
        self._last = 0
        """The sequence number of the last message of the subject."""

    def position(self) -> UUID | None:
        """Return the entry of the last message. Create the stream if it does not exist."""
        position: UUID | None = self._run(self._position())
        return position

    async def _position(self) -> UUID | None:
        server = self.destination.url._replace(path="", query="").geturl()
        self._client = await self._nats.connect(
            server,
            connect_timeout=_TIMEOUT,
            allow_reconnect=False,
            # The first connection is tried as often too: by default for two minutes.
            max_reconnect_attempts=2,
            reconnect_time_wait=1,
            error_cb=_ignored,
        )
        self._context = self._client.jetstream(timeout=_TIMEOUT)
        try:
            info = await self._context.stream_info(self._stream)
        except self._stream_errors.NotFoundError:
            info = await self._context.add_stream(name=self._stream, subjects=[self._subject])
        try:
            found = await self._context.get_last_msg(self._stream, self._subject)
        except self._stream_errors.NotFoundError:
            if info.state.last_seq and not self.is_continued:
                raise emptied(f"Stream {self._stream}") from None
            return None
        self._last = found.seq
        headers = found.headers or {}
        return stream_position(
            self.destination,
            f"stream {self._stream}",
            entry=headers.get(_MESSAGE),
            mark=headers.get(_MARK),
        )

    def write(self, page: FeedPage) -> None:
        """Publish the messages one after the other. The last one that arrived is the position."""
        if page.entries:
            self._run(self._publish(page.entries))

    async def _publish(self, entries: tuple[TimelineEntry, ...]) -> None:
        for entry in entries:
            headers = {
                _MESSAGE: str(entry.id),
                _MARK: self.destination.mark,
                _EXPECTED: str(self._last),
            }
            content = self.destination.format.encoded(entry)
            stored = await self._context.publish(
                self._subject, content, stream=self._stream, headers=headers
            )
            self._last = stored.seq

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._loop.run_until_complete(self._client.close())
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return self._loop.run_until_complete(work)
        except (self._errors.Error, OSError, TimeoutError) as error:
            raise self.refused(str(error) or type(error).__name__) from error


async def _ignored(error: Exception) -> None:
    """Do nothing: each call raises its own error."""
