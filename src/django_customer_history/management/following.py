"""What the commands that follow the log share: how long, how often, and how they stop."""

from abc import abstractmethod
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from django_customer_history.exceptions import HistoryError
from django_customer_history.feed.following import INTERVAL
from django_customer_history.management.reading import add_reading_arguments, reading
from django_customer_history.management.stopping import until_stopped
from django_customer_history.reading.entries import FeedPage
from django_customer_history.reading.timeline import Timeline


class FollowingCommand(BaseCommand):
    """A command that goes on until a signal stops it, or until everything is settled."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the end, the steps, and what the commands that read share."""
        parser.add_argument(
            "--until-settled",
            action="store_true",
            help="Stop when everything that is settled now was written, as for cron.",
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=INTERVAL,
            metavar="SECONDS",
            help=f"How long to wait when there is nothing new. Default: {INTERVAL:g}.",
        )
        parser.add_argument(
            "--batch-size",
            type=int,
            metavar="ENTRIES",
            help="How many entries are read and written at once.",
        )
        add_reading_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it. SIGTERM and Ctrl+C stop it after the entries at hand."""
        size = options["batch_size"]
        if (size is not None and size < 1) or options["interval"] <= 0:
            raise CommandError("--batch-size and --interval must be greater than 0.")
        try:
            with until_stopped() as is_stopped, reading(options) as timeline:
                self.run(timeline, options, is_stopped=is_stopped)
        except PermissionDenied:
            raise CommandError("This user may not read this history.") from None
        except HistoryError as error:
            raise CommandError(str(error)) from error

    @abstractmethod
    def run(self, timeline: Timeline, options: Any, *, is_stopped: Callable[[], bool]) -> None:
        """Do the work, until `is_stopped`."""


def question_of(timeline: Timeline, options: Any) -> str:
    """Return what is read: by whom, with which masks and filters."""
    return f"{options['reader'] or ''}/{options['unmasked']}/{timeline.question}"


def lag_of(page: FeedPage) -> str:
    """Return how long ago the entries of a page were settled, for the progress."""
    seconds = max(0.0, (timezone.now() - page.settled_until).total_seconds())
    return f"settled {seconds:.1f} seconds ago"
