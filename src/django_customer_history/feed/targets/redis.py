"""A stream of Redis.

Exactly once: a batch is one transaction, and the id of a message is made from the key of its
entry. Redis refuses an id that is not above the last one.
"""

from typing import Any
from uuid import UUID

from django_customer_history.feed.targets.base import Destination, Target, imported
from django_customer_history.feed.targets.streams import emptied, stream_position
from django_customer_history.reading.entries import FeedPage

_EXTRA = "redis"
_TIMEOUT = 30.0
"""In seconds: for each answer."""


def message_id(key: UUID) -> str:
    """Return the id of a message: milliseconds and a number of 64 bits, in the order of the keys.

    The version and the variant of the key are left out, and the last ten of its random bits.
    """
    fraction, tail = key.int >> 64 & 0xFFF, key.int & (1 << 62) - 1
    return f"{key.int >> 80}-{fraction << 52 | tail >> 10}"


class RedisStream(Target):
    """Adds to a stream. `redis://localhost:6379/0?stream=history`."""

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination)
        self._redis: Any = imported("redis", extra=_EXTRA)
        self._stream = destination.parameters.get("stream", "customer_history")
        self._client = self._redis.Redis.from_url(
            destination.url._replace(query="").geturl(), socket_timeout=_TIMEOUT
        )

    def position(self) -> UUID | None:
        """Return the entry of the last message."""
        try:
            found = self._client.xrevrange(self._stream, count=1)
            is_emptied = not found and bool(self._client.exists(self._stream))
        except self._redis.RedisError as error:
            raise self.refused(error) from error
        if is_emptied and not self.is_continued:
            raise emptied(f"Stream {self._stream}")
        if not found:
            return None
        ((_id, fields),) = found
        entry, mark = (fields.get(name, b"").decode() for name in (b"id", b"mark"))
        return stream_position(self.destination, f"stream {self._stream}", entry=entry, mark=mark)

    def write(self, page: FeedPage) -> None:
        """Add the messages, all or none."""
        if not page.entries:
            return
        batch = self._client.pipeline(transaction=True)
        for entry in page.entries:
            fields = {
                "id": str(entry.id),
                "mark": self.destination.mark,
                "entry": self.destination.format.encoded(entry),
            }
            batch.xadd(self._stream, fields, id=message_id(entry.id))
        try:
            batch.execute()
        except self._redis.RedisError as error:
            raise self.refused(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
