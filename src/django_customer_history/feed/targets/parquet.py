"""Parquet files in a folder, or in a storage of Django such as S3.

Exactly once: the name of a file has the positions before and after its entries, and a file appears
whole or not at all. The newest name is the position.
"""

import io
import os
import re
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InvalidStorageError, Storage, storages

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.exceptions import StateFileError, TargetError
from django_customer_history.feed.targets.base import Destination, Target, imported
from django_customer_history.feed.targets.columns import EXTRA, table_of
from django_customer_history.reading.entries import FeedPage

_NAME = re.compile(r"entries-([0-9a-f]{32})-([0-9a-f]{32})\.parquet")
_QUESTION = b"customer_history"
"""The key of the question in the metadata of a file."""


class Folder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Return the names of all files."""
        self._path.mkdir(parents=True, exist_ok=True)
        return [path.name for path in self._path.iterdir()]

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self._path / name).read_bytes()

    def save(self, name: str, content: bytes) -> None:
        """Write a file that appears when the disk has all of it."""
        beside = self._path / ".new"
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path / name)


class Stored:
    """A folder in a storage of Django that saves files as a whole, as object stores do."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self._storage = storage
        self._folder = folder

    def names(self) -> list[str]:
        """Return the names of all files."""
        try:
            return list(self._storage.listdir(self._folder)[1])
        except FileNotFoundError:
            return []

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self._storage.open(self._place(name)) as file:
            return bytes(file.read())

    def save(self, name: str, content: bytes) -> None:
        """Save a file under exactly this name."""
        saved = self._storage.save(self._place(name), ContentFile(content))
        if saved != self._place(name):
            self._storage.delete(saved)
            raise TargetError(f"The storage has {name} already. Does another process ship to it?")

    def _place(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name


def _place_of(destination: Destination) -> Folder | Stored:
    if destination.url.scheme == "parquet":
        return Folder(destination.path)
    alias, folder = destination.url.netloc, destination.url.path.strip("/")
    try:
        storage = storages[alias]
    except InvalidStorageError as error:
        raise TargetError(
            f"There is no storage {alias!r} in the setting STORAGES. Write the target as"
            " parquet+storage://ALIAS/folder."
        ) from error
    if isinstance(storage, FileSystemStorage):
        # It would write a file piece by piece.
        return Folder(Path(storage.path(folder or ".")))
    return Stored(storage, folder)


class ParquetFiles(Target):
    """Writes a file for each batch. `parquet:/folder`, `parquet+storage://ALIAS/folder`."""

    batch = 20_000
    has_columns = True

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination)
        self._parquet: Any = imported("pyarrow.parquet", extra=EXTRA)
        self._place = _place_of(destination)
        self._position: UUID | None = None

    def position(self) -> UUID | None:
        """Return the position in the newest name."""
        try:
            matches = map(_NAME.fullmatch, self._place.names())
            found = [(match[2], match[0]) for match in matches if match]
            if not found:
                return None
            position, name = max(found)
            self._check(name)
        except OSError as error:
            raise self.unusable(error) from error
        self._position = UUID(position)
        return self._position

    def write(self, page: FeedPage) -> None:
        """Write a file, unless the page has no entries."""
        if not page.entries:
            return
        content = io.BytesIO()
        metadata = {_QUESTION: self.destination.question.encode()}
        table = table_of(page.entries).replace_schema_metadata(metadata)
        self._parquet.write_table(table, content, compression="zstd")
        start = LOWEST_KEY if self._position is None else self._position
        try:
            self._place.save(f"entries-{start.hex}-{page.position.hex}.parquet", content.getvalue())
        except OSError as error:
            raise self.unusable(error) from error
        self._position = page.position

    def _check(self, name: str) -> None:
        content = self._place.read(name)
        try:
            metadata = self._parquet.read_schema(io.BytesIO(content)).metadata or {}
        except (OSError, ValueError) as error:
            raise StateFileError(
                f"{name} is damaged: {error}. Remove it; its entries come again."
            ) from error
        question = metadata.get(_QUESTION, b"").decode()
        if question != self.destination.question:
            raise StateFileError(
                f"The files in {self.destination.name} belong to another reader, database or filter"
                f" ({question}). Use a folder for each."
            )
