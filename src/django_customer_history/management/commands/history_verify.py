"""`manage.py history_verify`: compare the log with its seals and with the published copies."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.exceptions import HistoryError
from django_customer_history.feed.seals.copies import copies_in
from django_customer_history.feed.seals.keys import key_of_settings
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.management.progress import ProgressBar


class Command(BaseCommand):
    """Verify that the log is what was sealed, and name what is not."""

    help = (
        "Recomputes the seals from the log, and compares them with the stored seals and with the"
        " published checkpoints. It names each entry that was altered, removed, inserted or moved."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --database and --checkpoint."""
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=list(connections),
            help='The database of the log. Default: "default".',
        )
        parser.add_argument(
            "--checkpoint",
            action="append",
            default=[],
            metavar="FILE",
            help="A copy of a checkpoint, such as from an e-mail. May be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify the log. Raises `CommandError` if anything is wrong."""
        try:
            self._verify(options)
        except HistoryError as error:
            raise CommandError(str(error)) from error

    def _verify(self, options: Any) -> None:
        bar = ProgressBar(self.stderr, "history_verify", None)
        verification = Verification(
            key=key_of_settings(),
            using=options["database"],
            copies=copies_in(options["checkpoint"]),
            show=lambda count: bar.show(count, "entries"),
        )
        count = 0
        for finding in verification.run():
            count += 1
            self.stdout.write(f"{finding.kind:<9} {finding.text}")
        bar.end()
        self.stdout.write(
            f"Verified {verification.entries} entries in {verification.seals} seals;"
            f" {verification.unsealed} entries are not sealed yet."
        )
        if count:
            raise CommandError(f"The log is not what was sealed: {count} findings.")
