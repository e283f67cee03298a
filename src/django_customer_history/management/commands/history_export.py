"""`manage.py history_export`: the history of one record or of all records as a file."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from django_customer_history.access.permissions import (
    EXPORT_EVERYTHING,
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    VIEW_EVERYTHING,
    Reader,
    subject_models,
)
from django_customer_history.context.current import (
    acting,
    current,
)
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import HistoryError
from django_customer_history.export.formats import FORMATS
from django_customer_history.export.streaming import (
    Export,
    start_export,
)
from django_customer_history.management.progress import ProgressBar
from django_customer_history.reading.filters import (
    DEFINITIONS,
    Filters,
)
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry

_FILTER = "filter "
"""Precedes the name of a filter among the options."""


class CommandReader:
    """The user of the shell: may read everything; sees confidential values with `--unmasked`."""

    is_superuser = True

    def __init__(self, *, is_unmasking: bool) -> None:
        self._permissions = {VIEW_EVERYTHING, EXPORT_EVERYTHING}
        if is_unmasking:
            self._permissions.add(VIEW_EVERY_CONFIDENTIAL_VALUE)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the command has a permission."""
        return perm in self._permissions


class Command(BaseCommand):
    """Write the history of one record, or of all records, to a file or to the standard output."""

    help = "Writes the history of one record, or of all records, as a file. This is logged."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the record, the format, the file, the reader and the filters."""
        parser.add_argument(
            "record", nargs="?", help='A record: "crm.customer:42". Default: all records.'
        )
        parser.add_argument("--database", metavar="ALIAS", help="The database of the log.")
        parser.add_argument("--format", default="csv", choices=list(FORMATS))
        parser.add_argument(
            "--output", metavar="PATH", help="The file to write. Default: the standard output."
        )
        reader = parser.add_mutually_exclusive_group()
        reader.add_argument(
            "--as",
            dest="reader",
            metavar="USERNAME",
            help="Export as this user, with their permissions.",
        )
        reader.add_argument(
            "--unmasked", action="store_true", help="Export confidential values unmasked."
        )
        for name, definition in DEFINITIONS.items():
            option = name.replace("_", "-")
            for prefix, sign, text in (("", "", ""), ("not-", "-", "Not: ")):
                parser.add_argument(
                    f"--{prefix}{option}",
                    dest=f"{_FILTER}{sign}{name}",
                    action="append",
                    metavar=definition.placeholder,
                    help=text + definition.description.replace("%", "%%"),
                )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file. Then print the number of entries and the digest of the file."""
        filters = {
            name.removeprefix(_FILTER): values
            for name, values in options.items()
            if name.startswith(_FILTER) and values
        }
        using = _database(options["database"])
        try:
            with _reading(options["reader"], is_unmasking=options["unmasked"]) as reader:
                timeline = _timeline(reader, options["record"], using)
                timeline = timeline.filtered(Filters.read(filters))
                export = start_export(timeline, format_name=options["format"])
        except PermissionDenied:
            raise CommandError("This user may not export this history.") from None
        except HistoryError as error:
            raise CommandError(str(error)) from error
        bar = ProgressBar(self.stderr, export.file_name, export.total())
        export.progress = bar.show
        self._write(export, options["output"])
        bar.end()
        out = self.stdout if options["output"] else self.stderr
        out.write(f"{export.count} entries, SHA-256 {export.sha256}")

    def _write(self, export: Export, path: str | None) -> None:
        if path is None:
            _copy(export, getattr(self.stdout, "buffer", None) or _Encoded(self.stdout))
            return
        with Path(path).open("wb") as file:
            _copy(export, file)


class _Encoded:
    """A standard output that takes only text."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, content: bytes) -> None:
        self._out.write(content.decode(), ending="")


def _copy(contents: Iterable[bytes], file: "BinaryIO | _Encoded") -> None:
    for content in contents:
        file.write(content)


@contextmanager
def _reading(name: str | None, *, is_unmasking: bool) -> Iterator[Reader]:
    """Yield the reader, in the context of the export: a user, or the user of the shell."""
    if name is None:
        with acting(source="command"):
            yield CommandReader(is_unmasking=is_unmasking)
        return
    user = _user(name)
    shell = current().resolve()
    impersonator = shell.user_label and NamedUser(id=shell.user_id, label=shell.user_label)
    with (
        acting(user=user, impersonator=impersonator or None, source="command"),
        timezone.override(reader_time_zone(user)),
    ):
        yield user


def _user(name: str) -> Any:
    users = get_user_model()
    try:
        return users._default_manager.get(**{users.USERNAME_FIELD: name})
    except users.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None


def _database(alias: str | None) -> str | None:
    if alias is not None and alias not in connections:
        known = ", ".join(connections)
        raise CommandError(f"There is no database {alias!r}. Give one of: {known}.")
    return alias


def _timeline(reader: Reader, record: str | None, using: str | None) -> Timeline:
    if record is None:
        return Timeline.of_everything(reader, using=using)
    label, _, key = record.partition(":")
    registration = registry.find(label.lower())
    if registration is None or not registration.is_subject:
        known = ", ".join(sorted(model._meta.label_lower for model in subject_models()))
        raise CommandError(f"{label!r} has no History tab. Models that have one: {known}.")
    if not key:
        raise CommandError(f'Give the key of the record too, like "{label}:42".')
    timeline = Timeline.of_subject(reader, registration.model, key, using=using)
    if not timeline.is_known():
        raise CommandError(f"There is no record {record}, and there never was.")
    return timeline
