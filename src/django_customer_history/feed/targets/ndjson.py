"""A file with one JSON object on each line.

Exactly once: the state file beside it has the position and the length of the file. What a killed
shipper wrote after that is cut off.
"""

import os
from typing import IO
from uuid import UUID

from django_customer_history.exceptions import StateFileError, TargetError
from django_customer_history.feed.state import StateFile
from django_customer_history.feed.targets.base import Destination, Target
from django_customer_history.reading.entries import FeedPage


class NdjsonFile(Target):
    """Appends to a file. `file:/var/log/history.ndjson`."""

    has_state_file = True

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination)
        self._path = destination.path
        beside = self._path.with_name(f"{self._path.name}.state")
        self._state = StateFile(path=destination.state or beside, question=destination.question)
        self._file: IO[bytes] | None = None

    def position(self) -> UUID | None:
        """Return the position, and cut the file to what belongs to it."""
        state = self._state.load()
        length = 0 if state is None else _length(self._state, state.details.get("length"))
        try:
            file = self._open()
        except OSError as error:
            raise TargetError(f"{self._path} cannot be written: {error}.") from error
        found = file.seek(0, os.SEEK_END)
        if state is None and found:
            raise TargetError(
                f"{self._path} has content, but there is no {self._state.path}. Restore that file,"
                " or give the path of a new file."
            )
        if found < length:
            raise TargetError(
                f"{self._path} has {found} bytes, but {self._state.path} says {length}: it was cut"
                " or replaced. Restore it, or remove both files to begin with the oldest entry."
            )
        file.truncate(length)
        file.seek(length)
        return None if state is None else state.position

    def write(self, page: FeedPage) -> None:
        """Append the lines; then the state file makes them count."""
        file = self._open()
        encoded = self.destination.format.encoded
        try:
            file.write(b"".join(encoded(entry) + b"\n" for entry in page.entries))
            file.flush()
            os.fsync(file.fileno())
            self._state.write(page.position, length=file.seek(0, os.SEEK_CUR))
        except OSError as error:
            raise TargetError(f"{self._path} cannot be written: {error}.") from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> IO[bytes]:
        if self._file is None:
            # For reading and writing; it is made if it does not exist.
            number = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
            self._file = os.fdopen(number, "r+b")
        return self._file


def _length(state: StateFile, value: object) -> int:
    if isinstance(value, int) and value >= 0:
        return value
    raise StateFileError(
        f"{state.path} has no length of the file, so it is damaged or belongs to another target."
        " Restore it from a backup, or remove it with the file to begin with the oldest entry."
    )
