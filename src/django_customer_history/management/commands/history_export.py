"""`manage.py history_export`: the history of one record or of all records as a file."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from django_customer_history.exceptions import HistoryError
from django_customer_history.export.formats import FORMATS
from django_customer_history.export.streaming import (
    Export,
    start_export,
)
from django_customer_history.management.progress import ProgressBar
from django_customer_history.management.reading import add_reading_arguments, reading


class Command(BaseCommand):
    """Write the history of one record, or of all records, to a file or to the standard output."""

    help = "Writes the history of one record, or of all records, as a file. This is logged."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the record, the format, the file, the reader and the filters."""
        parser.add_argument("--format", default="csv", choices=list(FORMATS))
        parser.add_argument(
            "--output", metavar="PATH", help="The file to write. Default: the standard output."
        )
        add_reading_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file. Then print the number of entries and the digest of the file."""
        try:
            with reading(options) as timeline:
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
