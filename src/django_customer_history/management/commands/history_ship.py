"""`manage.py history_ship`: the settled entries into files, streams and webhooks."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from django_customer_history.feed.messages import DEFAULT_FORMAT, MESSAGE_FORMATS
from django_customer_history.feed.shipping import ship
from django_customer_history.feed.targets.base import Destination
from django_customer_history.feed.targets.targets import TARGETS, target_of, target_url
from django_customer_history.management.following import FollowingCommand, lag_of, question_of
from django_customer_history.management.progress import ProgressBar
from django_customer_history.reading.timeline import Timeline


class Command(FollowingCommand):
    """Ship every settled entry to a target, oldest first, and go on where it stopped."""

    help = (
        "Ships the settled entries of the log to a target, oldest first, and waits for more. It"
        " goes on where it stopped. Without --as it ships everything, with masks."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the target, its options, and what the commands that follow the log share."""
        parser.add_argument(
            "target", help=f"The URL of the target. It begins with: {', '.join(TARGETS)}."
        )
        parser.add_argument(
            "--format",
            choices=list(MESSAGE_FORMATS),
            default=DEFAULT_FORMAT,
            help=f"The form of the messages. Default: {DEFAULT_FORMAT}.",
        )
        parser.add_argument(
            "--state",
            metavar="FILE",
            help="A file that keeps the position, for a target that cannot keep it.",
        )
        parser.add_argument(
            "--after",
            type=UUID,
            metavar="ENTRY",
            help="Begin after the entry with this id, if the target has no position yet.",
        )
        parser.add_argument(
            "--secret-file", metavar="FILE", help="The file with the secret of a webhook."
        )
        parser.add_argument(
            "--allow-private",
            action="store_true",
            help="Let a webhook go to a private address, or without TLS.",
        )
        parser.add_argument(
            "--enable", action="store_true", help="Enable a webhook that failed too often."
        )
        super().add_arguments(parser)

    def run(self, timeline: Timeline, options: Any, *, is_stopped: Callable[[], bool]) -> None:
        """Ship the entries."""
        alias = timeline.queryset.db_of_writing
        target = target_of(
            Destination(
                url=target_url(options["target"]),
                format=MESSAGE_FORMATS[options["format"]],
                question=f"{alias}/{options['format']}/{question_of(timeline, options)}",
                alias=alias,
                state=Path(options["state"]) if options["state"] else None,
                secret=_secret(options["secret_file"]),
                allows_private=options["allow_private"],
                reenables=options["enable"],
            )
        )
        bar = ProgressBar(self.stderr, "history_ship", None)
        count = 0
        for page in ship(
            timeline,
            target,
            after=options["after"],
            batch=options["batch_size"],
            interval=options["interval"],
            until_settled=options["until_settled"],
            is_stopped=is_stopped,
        ):
            count += len(page.entries)
            bar.show(count, f"entries, {lag_of(page)}")
        bar.end()
        self.stdout.write(f"Shipped {count} entries to {target.destination.name}.")


def _secret(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CommandError(f"The secret cannot be read: {error}.") from error
