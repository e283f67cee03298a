"""Fixtures that contain the log: `dumpdata`, `loaddata` and `serialized_rollback`.

Such a fixture has the rows and the entries about them. Triggers must not log the rows once more.
"""

import functools
import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

from django.apps import apps
from django.core import serializers
from django.core.management.commands.loaddata import Command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import SUPPORTED_VENDORS
from django_customer_history.capture.events import paused
from django_customer_history.capture.triggers import has_log, keeps_log
from django_customer_history.context.current import pausing
from django_customer_history.keys import microseconds_in
from django_customer_history.registration.own_models import own_model

_REASON = "loaddata of a fixture with the log itself"
# As JSON, as YAML and as XML.
_ENTRY = re.compile(rb"""\bmodel["']?\s*[:=]\s*["']?customer_history\.entry\b""")
_BLOCK, _OVERLAP = 1 << 20, 100


@functools.cache
def patch_loaddata() -> None:
    """Pause the history while `loaddata` reads fixtures that contain it; once in a process."""
    load = Command.loaddata

    @functools.wraps(load)
    def loaddata(self: Any, fixture_labels: Sequence[str]) -> None:
        with _pause_for(self, fixture_labels):
            load(self, fixture_labels)

    Command.loaddata = loaddata  # type: ignore[method-assign]


def patch_deserialization(connection: BaseDatabaseWrapper) -> None:
    """Log nothing while a test case with `serialized_rollback` restores the rows and the log."""
    creation: Any = connection.creation
    if connection.vendor not in SUPPORTED_VENDORS or hasattr(creation, "_unpatched_deserialize"):
        return
    creation._unpatched_deserialize = creation.deserialize_db_from_string

    def deserialize_db_from_string(data: str) -> None:
        # Rows without the entries about them are written as any others.
        with pausing() if _has_entry(iter([data.encode()])) else nullcontext():
            creation._unpatched_deserialize(data)

    creation.deserialize_db_from_string = deserialize_db_from_string


def restore_microseconds(*, instance: Any, raw: bool, **_kwargs: Any) -> None:
    """Give an entry of a fixture its exact timestamp; JSON has milliseconds only.

    The key of the entry has the microseconds.
    """
    if not raw:
        return
    microsecond = microseconds_in(instance.id) % 1_000_000
    if instance.timestamp.microsecond == microsecond // 1000 * 1000:
        instance.timestamp = instance.timestamp.replace(microsecond=microsecond)


def _pause_for(command: Any, labels: Sequence[str]) -> AbstractContextManager[Any]:
    using = command.using
    model = own_model("Entry") if apps.is_installed(_PACKAGE) else None
    if (
        model is None
        or model in command.excluded_models
        or model._meta.app_config in command.excluded_apps
        or connections[using].vendor not in SUPPORTED_VENDORS
        or not (keeps_log(using) and has_log(connections[using]))
    ):
        return nullcontext()
    command.serialization_formats = serializers.get_public_serializer_formats()
    if any(_has_entry(blocks) for label in labels for blocks in _fixtures(command, label)):
        return paused(reason=_REASON, using=using)
    return nullcontext()


_PACKAGE = "django_customer_history"


def _fixtures(command: Any, label: str) -> Iterator[Iterator[bytes]]:
    """Yield the content of each fixture file of a label, in blocks."""
    for path, _folder, _name in command.find_fixtures(label):
        _, _, compression = command.parse_name(Path(path).name)
        open_file, mode = command.compression_formats[compression]
        if mode is None:
            # Standard input can be read once only.
            text = sys.stdin.read()
            command.compression_formats["stdin"] = (lambda *_, text=text: io.StringIO(text), None)
            yield iter([text.encode()])
            continue
        with open_file(path, mode) as file:
            if compression == "zip":
                # Django's reader of the one file in it takes no size.
                yield iter([file.read()])
                continue
            yield cast("Iterator[bytes]", iter(functools.partial(file.read, _BLOCK), b""))


def _has_entry(blocks: Iterator[bytes]) -> bool:
    tail = b""
    for block in blocks:
        if _ENTRY.search(tail + block):
            return True
        tail = block[-_OVERLAP:]
    return False
