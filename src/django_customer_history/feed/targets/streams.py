"""What the streams share: the last message is the position."""

from uuid import UUID

from django_customer_history.exceptions import StateFileError, TargetError
from django_customer_history.feed.targets.base import Destination


def stream_position(
    destination: Destination, stream: str, *, entry: str | None, mark: str | None
) -> UUID:
    """Return the id of the entry in the last message.

    Raises `StateFileError` if the message is not from this package, or is of another reader,
    database or filter.
    """
    try:
        position = UUID(entry or "")
    except ValueError as error:
        raise StateFileError(
            f"The last message of {stream} is not an entry of the history. Use a stream of its own."
        ) from error
    if mark != destination.mark:
        raise StateFileError(
            f"The messages of {stream} belong to another reader, database, format or filter."
            " Use a stream for each."
        )
    return position


def emptied(stream: str) -> TargetError:
    """Return the error for a stream that had messages, and has none any more."""
    return TargetError(
        f"{stream} has no message any more, so its position is lost. Give --after with the id of"
        " the last entry that its consumers have, or delete the stream to begin with the oldest."
    )
