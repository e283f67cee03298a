"""Copies of checkpoints outside of the database.

Somebody who owns the database can remove the last seals with their entries. A copy that they
cannot reach shows it.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.core.mail import EmailMessage

from django_customer_history import conf
from django_customer_history.exceptions import SealError
from django_customer_history.feed.targets.requests import post
from django_customer_history.models import Seal
from django_customer_history.values.moments import in_utc

_SUFFIX = ".checkpoint"
_LARGEST = 64 * 1024
"""Bytes of a checkpoint; a file that is larger is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A checkpoint that was published, and where."""

    place: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFolder:
    """A folder of a storage: one file for each checkpoint, in a folder for its month.

    Files are added and never replaced, so that a storage with object lock takes them.
    """

    storage: Storage
    path: str
    url: str

    def publish(self, seal: Seal) -> None:
        """Add a checkpoint, unless it is there."""
        for suffix, content in _files(seal):
            path = self._path(seal, suffix)
            if not self.storage.exists(path):
                self.storage.save(path, ContentFile(content))

    def has(self, seal: Seal) -> bool:
        """Return whether there is a copy of the checkpoint of a seal. Its content is not read."""
        return self.storage.exists(self._path(seal, _SUFFIX))

    def newest(self, log_name: str) -> Copy | None:
        """Return the copy of the largest tree of a log; None: there is none."""
        for month in sorted(self._names(self._of(log_name), folders=True), reverse=True):
            folder = self._join(self._of(log_name), month)
            if names := self._checkpoints(folder):
                return self._copy(self._join(folder, names[-1]))
        return None

    def copies(self, log_name: str, *, after: int = 0) -> Iterator[Copy]:
        """Yield the copies of the checkpoints of a log, the oldest first.

        `after` leaves out those of trees up to this size, by the names of the files.
        """
        for month in sorted(self._names(self._of(log_name), folders=True)):
            folder = self._join(self._of(log_name), month)
            for name in self._checkpoints(folder):
                if after and name <= f"{after:020d}{_SUFFIX}":
                    continue
                yield self._copy(self._join(folder, name))

    def _path(self, seal: Seal, suffix: str) -> str:
        month = f"{in_utc(seal.timestamp):%Y-%m}"
        return self._join(self._of(seal.log_name), month, f"{seal.size:020d}{suffix}")

    def _of(self, log_name: str) -> str:
        # A percent sign in the name of a file is another character for some servers.
        return self._join(self.path, quote(log_name, safe="").replace("%", "="))

    def _checkpoints(self, folder: str) -> list[str]:
        names = self._names(folder, folders=False)
        return sorted(one for one in names if one.endswith(_SUFFIX))

    def _names(self, folder: str, *, folders: bool) -> list[str]:
        try:
            found = self.storage.listdir(folder)
        except FileNotFoundError:
            return []
        return list(found[0] if folders else found[1])

    def _copy(self, path: str) -> Copy:
        with self.storage.open(path) as file:
            content = file.read(_LARGEST)
        return Copy(place=f"{self.url}: {path}", note=content.decode("utf-8", "replace"))

    @staticmethod
    def _join(*parts: str) -> str:
        return "/".join(part for part in parts if part)


def publish(seal: Seal, *, is_new: bool) -> None:
    """Send the checkpoint of a seal to each place of the setting SEAL_TARGETS.

    One that is not new goes only where it can be seen that it is missing.

    Raises `SealError` that names each place that did not take it, after all others were tried.
    """
    problems = []
    for url in conf.seal_targets():
        if not (is_new or _is_folder(url)):
            continue
        try:
            _publish(url, seal)
        except Exception as error:  # noqa: BLE001 - what the library of a storage raises
            problems.append(f"{shown_url(url)}: {error}")
    if problems:
        raise SealError(
            f"The seal of {seal.size} entries is made, but its checkpoint was not published to"
            f" {'; '.join(problems)}."
        )


def folders() -> list[CheckpointFolder]:
    """Return the places of the setting SEAL_TARGETS whose copies can be read again."""
    return [_folder(url) for url in conf.seal_targets() if _is_folder(url)]


def missing_copies(seal: Seal) -> Iterator[str]:
    """Yield a text for each folder without a copy of the checkpoint of a seal."""
    for folder in folders():
        try:
            has_copy = folder.has(seal)
        except Exception as error:  # noqa: BLE001 - what the library of a storage raises
            yield f"{shown_url(folder.url)} cannot be read: {error}"
            continue
        if not has_copy:
            place = shown_url(folder.url)
            yield f"{place} has no copy of the last checkpoint, of {seal.size} entries"


def copies_in(paths: Sequence[str]) -> Iterator[Copy]:
    """Yield the copies in files, such as from e-mails. Raise `SealError` for one without."""
    for path in paths:
        try:
            yield Copy(place=path, note=Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SealError(f"The checkpoint cannot be read: {error}.") from error


def _publish(url: str, seal: Seal) -> None:
    if _is_folder(url):
        _folder(url).publish(seal)
        return
    scheme, _, address = url.partition(":")
    if scheme == "mailto":
        subject = f"Checkpoint of {seal.log_name}: {seal.size} entries"
        EmailMessage(subject, seal.checkpoint + (seal.cosignatures or ""), to=[address]).send()
        return
    shown = {"checkpoint": seal.checkpoint}
    if seal.timestamp_token is not None:
        shown["timestamp"] = base64.b64encode(seal.timestamp_token).decode()
    if seal.cosignatures is not None:
        shown["cosignatures"] = seal.cosignatures
    content = json.dumps(shown).encode()
    headers = {"Content-Type": "application/json"}
    # The setting is the operator's own.
    post(urlsplit(url), content, headers, allows_private=True).check()


def _files(seal: Seal) -> Iterator[tuple[str, bytes]]:
    """Yield the endings and the contents of the files of a seal. The checkpoint comes last."""
    if seal.timestamp_token is not None:
        yield ".tsr", bytes(seal.timestamp_token)
    if seal.cosignatures is not None:
        yield ".cosigned", (seal.checkpoint + seal.cosignatures).encode()
    yield _SUFFIX, seal.checkpoint.encode()


def _is_folder(url: str) -> bool:
    return url.partition(":")[0] in ("storage", "file")


def _folder(url: str) -> CheckpointFolder:
    scheme, _, place = url.partition(":")
    if scheme == "file":
        return CheckpointFolder(storage=FileSystemStorage(location=place), path="", url=url)
    alias, _, path = place.partition("/")
    return CheckpointFolder(storage=storages[alias], path=path, url=url)


def shown_url(url: str) -> str:
    """Return the URL of a place without its password and its parameters."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
