"""`manage.py history_evidence`: the history of a record with proofs, for an auditor or a court."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from django_customer_history.context.current import current
from django_customer_history.exceptions import HistoryError
from django_customer_history.export.evidence.writing import Evidence
from django_customer_history.feed.seals.keys import key_of_settings
from django_customer_history.management.progress import ProgressBar
from django_customer_history.management.reading import add_reading_arguments, reading


class Command(BaseCommand):
    """Write the history of one record, or of all records, with its proofs as one zip file."""

    help = (
        "Writes the history of one record, or of all records, as a zip file with a proof of each"
        " entry and a summary to read. This is logged. Anybody can check the file without the"
        " database: python -m django_customer_history.verify FILE --key PUBLIC_KEY."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the record, the file, the reader and the filters."""
        parser.add_argument(
            "--output", metavar="PATH", required=True, help="The zip file to write."
        )
        add_reading_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file. Then print the number of entries and the digest of the file."""
        path = Path(options["output"])
        bar = ProgressBar(self.stderr, path.name, None)
        try:
            key = key_of_settings()
            with reading(options) as timeline:
                evidence = Evidence(timeline=timeline, key=key, maker=_maker(), progress=bar.show)
                evidence.write(path)
        except PermissionDenied:
            raise CommandError("This user may not export this history.") from None
        except HistoryError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error}.") from error
        bar.end()
        self.stdout.write(f"{evidence.count} entries, SHA-256 {evidence.sha256}")


def _maker() -> str:
    """Return who makes the evidence, as the log names them."""
    context = current().resolve()
    return context.user_label or "System"
