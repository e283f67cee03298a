"""`manage.py history_verify`: compare the log with its seals and with the published copies."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.exceptions import HistoryError
from django_customer_history.feed.seals.copies import copies_in
from django_customer_history.feed.seals.findings import Finding, number_of
from django_customer_history.feed.seals.keys import has_key, key_of_settings
from django_customer_history.feed.seals.results import record_verification
from django_customer_history.feed.seals.subjects import SubjectVerification
from django_customer_history.feed.seals.timestamps import roots_of_settings
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.management.completeness import complete_findings
from django_customer_history.management.progress import ProgressBar
from django_customer_history.management.reading import CommandReader, timeline_of
from django_customer_history.values.moments import in_utc

_NOT_SEALED = "The log is not what was sealed"


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
        part = parser.add_mutually_exclusive_group()
        part.add_argument(
            "--subject",
            metavar="RECORD",
            help='Verify only the entries of one subject, such as "crm.customer:42". Entries that'
            " were removed are not found.",
        )
        part.add_argument(
            "--since",
            metavar="WHEN",
            help="Verify only what was sealed since a day, a moment (ISO 8601), or a number of"
            " entries as in a checkpoint. Older entries are not verified.",
        )
        parser.add_argument(
            "--no-entry",
            action="store_true",
            help="Write no entry with the result, such as on a replica.",
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
            if options["subject"] is None:
                self._verify(options)
            else:
                self._verify_subject(options["subject"], options)
        except HistoryError as error:
            raise CommandError(str(error)) from error

    def _verify(self, options: Any) -> None:
        is_complete: bool = options["complete"]
        verification, count = None, 0
        if is_complete and not has_key():
            self.stdout.write("Nothing is sealed: the setting SEAL_KEY is empty.")
        else:
            verification, count = self._verify_seals(options)
        if is_complete:
            found = complete_findings(options["database"], stdout=self.stdout, stderr=self.stderr)
            count += self._shown(found)
        if verification is not None and verification.since is None and not options["no_entry"]:
            record_verification(verification, findings=count)
        _check(count, what="The log or the tables are not right" if is_complete else _NOT_SEALED)

    def _verify_seals(self, options: Any) -> tuple[Verification, int]:
        """Return the verification, and how many findings it has."""
        bar = ProgressBar(self.stderr, "history_verify", None)
        verification = Verification(
            key=key_of_settings(),
            using=options["database"],
            since=_since(options["since"]),
            roots=roots_of_settings(),
            copies=copies_in(options["checkpoint"]),
            show=lambda count: bar.show(count, "entries"),
        )
        findings = self._shown(verification.run())
        bar.end()
        self.stdout.write(
            f"Verified {verification.entries} entries in {verification.seals} seals;"
            f" {verification.unsealed} entries are not sealed yet."
        )
        if verification.since is not None:
            self.stdout.write(
                f"Only what was sealed since {options['since']} is verified. Older entries are not."
            )
        return verification, findings

    def _verify_subject(self, subject: str, options: Any) -> None:
        using = options["database"]
        for name in ("checkpoint", "complete"):
            if options[name]:
                raise CommandError(f"--{name} is for the whole log. Leave out --subject.")
        timeline = timeline_of(CommandReader(is_unmasking=True), subject, using)
        verification = SubjectVerification(
            key=key_of_settings(), using=using, log=timeline.queryset
        )
        findings = self._shown(verification.run())
        self.stdout.write(
            f"Verified {verification.entries} entries of {subject}; {verification.unsealed} of them"
            " are not sealed yet. Other entries are not verified, and removed ones are not found."
        )
        _check(findings, what=_NOT_SEALED)

    def _shown(self, findings: Iterator[Finding]) -> int:
        """Write each finding; return how many there are."""
        count = 0
        for finding in findings:
            count += 1
            self.stdout.write(f"{finding.kind:<9} {finding.text}")
        return count


def _check(findings: int, *, what: str) -> None:
    if findings:
        raise CommandError(f"{what}: {number_of(findings)}.")


def _since(text: str | None) -> datetime | int | None:
    """Return a moment or a number of entries. Raise `CommandError` if it is neither."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise CommandError(
            f"--since is {text!r}. Give a day or a moment, such as 2026-11-30 or"
            " 2026-11-30T12:00+00:00, or a number of entries."
        ) from None
