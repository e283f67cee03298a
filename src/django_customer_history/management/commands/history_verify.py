"""`manage.py history_verify`: compare the log with its seals and with the published copies."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.exceptions import HistoryError
from django_customer_history.feed.seals.copies import copies_in
from django_customer_history.feed.seals.findings import Finding
from django_customer_history.feed.seals.keys import has_key, key_of_settings
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.management.completeness import complete_findings
from django_customer_history.management.progress import ProgressBar


class Command(BaseCommand):
    """Verify that the log is what was sealed, and name what is not."""

    help = (
        "Recomputes the seals from the log, and compares them with the stored seals and with the"
        " published checkpoints. It names each entry that was altered, removed, inserted or moved."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
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
        parser.add_argument(
            "--complete",
            action="store_true",
            help="Compare the tables with the log, too: name each row that was written without an"
            " entry, and all that lets writes pass. Works without seals as well.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify the log. Raises `CommandError` if anything is wrong."""
        try:
            self._verify(options)
        except HistoryError as error:
            raise CommandError(str(error)) from error

    def _verify(self, options: Any) -> None:
        count = 0
        if options["complete"] and not has_key():
            self.stdout.write("Nothing is sealed: the setting SEAL_KEY is empty.")
        else:
            count += self._written(self._verified(options))
        if options["complete"]:
            found = complete_findings(options["database"], stdout=self.stdout, stderr=self.stderr)
            count += self._written(found)
        if count:
            if options["complete"]:
                raise CommandError(f"The log or the tables are not right: {count} findings.")
            raise CommandError(f"The log is not what was sealed: {count} findings.")

    def _verified(self, options: Any) -> Iterator[Finding]:
        bar = ProgressBar(self.stderr, "history_verify", None)
        verification = Verification(
            key=key_of_settings(),
            using=options["database"],
            copies=copies_in(options["checkpoint"]),
            show=lambda count: bar.show(count, "entries"),
        )
        yield from verification.run()
        bar.end()
        self.stdout.write(
            f"Verified {verification.entries} entries in {verification.seals} seals;"
            f" {verification.unsealed} entries are not sealed yet."
        )

    def _written(self, findings: Iterator[Finding]) -> int:
        """Write each finding; return how many there are."""
        count = 0
        for finding in findings:
            count += 1
            self.stdout.write(f"{finding.kind:<9} {finding.text}")
        return count
