"""`manage.py history_export`: a history as a file, with the filters that REST has too."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from django_customer_history.context import acting
from django_customer_history.exceptions import HistoryError, InvalidFilterError
from django_customer_history.export import Export, start_export
from django_customer_history.filters import DEFINITIONS, Filters
from django_customer_history.formats import FORMATS
from django_customer_history.permissions import (
    EXPORT_EVERYTHING,
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    VIEW_EVERYTHING,
    Reader,
)
from django_customer_history.timeline import Timeline


class Operator:
    """Who runs a command on the server: may read everything, and unmask it when told to."""

    is_superuser = True

    def __init__(self, *, is_unmasking: bool) -> None:
        self._permissions = {VIEW_EVERYTHING, EXPORT_EVERYTHING}
        if is_unmasking:
            self._permissions.add(VIEW_EVERY_CONFIDENTIAL_VALUE)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the operator has a permission."""
        return perm in self._permissions


class Command(BaseCommand):
    """Write the history of one record, or of all, to a file or to the standard output."""

    help = "Exports the history. That it was exported is recorded in the history."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the record, the format, the file, the reader and the filters."""
        parser.add_argument(
            "record", nargs="?", help='Such as "crm.customer:42"; without it all is exported.'
        )
        parser.add_argument("--format", default="csv", choices=list(FORMATS))
        parser.add_argument("--output", help="The file to write; else the standard output.")
        reader = parser.add_mutually_exclusive_group()
        reader.add_argument(
            "--as", dest="reader", metavar="USERNAME", help="Export what this user may export."
        )
        reader.add_argument(
            "--unmasked", action="store_true", help="Show confidential values to the operator."
        )
        for name, definition in DEFINITIONS.items():
            description = definition.description.replace("%", "%%")
            parser.add_argument(
                f"--{name}", dest=f"filter {name}", action="append", help=description
            )
            parser.add_argument(
                f"--not-{name}", dest=f"filter -{name}", action="append", help=f"Not: {description}"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, and say how many entries were written and the digest of the file."""
        reader = _reader(options["reader"], is_unmasking=options["unmasked"])
        asked = {
            name.removeprefix("filter "): values
            for name, values in options.items()
            if name.startswith("filter ") and values
        }
        try:
            timeline = _timeline(reader, options["record"]).filtered(Filters.read(asked))
            with acting(source="command"):
                export = start_export(timeline, format_name=options["format"])
        except InvalidFilterError as error:
            raise CommandError(str(error)) from error
        except PermissionDenied:
            raise CommandError("This user may not export this history.") from None
        except HistoryError as error:
            raise CommandError(str(error)) from error
        export.progress = self._report
        self._write(export, options["output"])
        out = self.stdout if options["output"] else self.stderr
        out.write(f"{export.count} entries, SHA-256 {export.sha256}")

    def _write(self, export: Export, path: str | None) -> None:
        if path is None:
            _copy(export, getattr(self.stdout, "buffer", None) or _Encoded(self.stdout))
            return
        with Path(path).open("wb") as file:
            _copy(export, file)

    def _report(self, count: int) -> None:
        self.stderr.write(f"{count} entries ...")


class _Encoded:
    """The standard output, where it takes text alone."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, content: bytes) -> None:
        self._out.write(content.decode(), ending="")


def _copy(pieces: Iterable[bytes], file: "BinaryIO | _Encoded") -> None:
    for piece in pieces:
        file.write(piece)


def _reader(name: str | None, *, is_unmasking: bool) -> Reader:
    if name is None:
        return Operator(is_unmasking=is_unmasking)
    users = get_user_model()
    try:
        found: Reader = users._default_manager.get(**{users.USERNAME_FIELD: name})
    except users.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None
    return found


def _timeline(reader: Reader, record: str | None) -> Timeline:
    if record is None:
        return Timeline.of_everything(reader)
    label, _, key = record.partition(":")
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise CommandError(
            f'{label!r} is no model. Give a record like "crm.customer:42".'
        ) from None
    if not key:
        raise CommandError('Give the key of the record too, like "crm.customer:42".')
    return Timeline.of_subject(reader, model, key)
