"""`manage.py history_follow`: the settled entries as NDJSON, now and from now on."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from django_customer_history.feed.following import BATCH, follow
from django_customer_history.feed.state import StateFile
from django_customer_history.management.following import FollowingCommand, lag_of, question_of
from django_customer_history.management.progress import ProgressBar
from django_customer_history.reading.serialization import entry_json
from django_customer_history.reading.timeline import Timeline


class Command(FollowingCommand):
    """Write every settled entry once, oldest first, one JSON object on each line."""

    help = (
        "Writes the settled entries of the log as NDJSON, oldest first, and waits for more. With"
        " --state it goes on where it stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the state file, and what the commands that follow the log share."""
        parser.add_argument(
            "--state", metavar="FILE", help="A file that keeps the position between two runs."
        )
        super().add_arguments(parser)

    def run(self, timeline: Timeline, options: Any, *, is_stopped: Callable[[], bool]) -> None:
        """Write the entries."""
        state = None
        if options["state"]:
            question = question_of(timeline, options)
            state = StateFile(path=Path(options["state"]), question=question)
        bar = ProgressBar(self.stderr, "history_follow", None)
        count = 0
        for page in follow(
            timeline,
            after=None if state is None else state.read(),
            batch=options["batch_size"] or BATCH,
            interval=options["interval"],
            until_settled=options["until_settled"],
            is_stopped=is_stopped,
        ):
            for entry in page.entries:
                self.stdout.write(json.dumps(entry_json(entry), cls=DjangoJSONEncoder))
            self.stdout.flush()
            # After the entries: a crash in between repeats them, and loses none.
            if state is not None:
                state.write(page.position)
            count += len(page.entries)
            bar.show(count, f"entries, {lag_of(page)}")
        bar.end()
