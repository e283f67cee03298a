"""`manage.py history_watch`: deliver what the watches of all users found."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_customer_history.exceptions import HistoryError
from django_customer_history.watches.delivery import Outcome, deliver_all


class Command(BaseCommand):
    """Deliver each watch from its position on, with the permissions of its owner."""

    help = (
        "Sends the settled entries that the watches of users found, by e-mail or webhook. Each"
        " watch goes on where it stopped. Run it with cron."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option to send nothing."""
        parser.add_argument(
            "--dry-run", action="store_true", help="Only say what would be sent. Positions stay."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Deliver, and fail at the end if a delivery failed."""
        failed = 0
        try:
            for outcome in deliver_all(dry_run=options["dry_run"]):
                self._report(outcome, dry_run=options["dry_run"])
                failed += bool(outcome.problem) and not outcome.is_skipped
        except HistoryError as error:
            raise CommandError(str(error)) from error
        if failed:
            raise CommandError(f"{failed} of the watches failed. Their positions stay.")

    def _report(self, outcome: Outcome, *, dry_run: bool) -> None:
        name = f"Watch {outcome.watch.pk} ({outcome.watch.name})"
        if outcome.problem:
            result = "skipped" if outcome.is_skipped else "failed"
            self.stderr.write(f"{name} {result}: {outcome.problem}")
            return
        verb = "would send" if dry_run else "sent"
        self.stdout.write(f"{name} {verb} {outcome.count} entries.")
