"""The base class of commands that process whole tables in batches."""

from argparse import ArgumentParser
from collections.abc import Collection, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections, models

from django_customer_history.capture.batches import (
    BATCH,
    BatchJob,
    Progress,
)
from django_customer_history.exceptions import HistoryError
from django_customer_history.management.progress import ProgressBar
from django_customer_history.management.selection import chosen_models


class BatchCommand(BaseCommand):
    """Write entries for rows of tables. It can be stopped and run again at any time."""

    batch_help = "How many records to read at once"

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[BatchJob]:
        """Return one job for each model or table."""
        raise NotImplementedError

    def summary(self, progress: Progress, *, is_dry_run: bool) -> str:
        """Return the result of a job as a sentence."""
        verb = "would be written" if is_dry_run else "written"
        return f"{progress.entries} entries {verb} from {progress.rows} records"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add models, --database, --dry-run and --batch-size."""
        parser.add_argument(
            "models",
            nargs="*",
            help='Labels of models, such as "crm.customer". Default: all registered models.',
        )
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=list(connections),
            help='The database to process. Default: "default".',
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Count the entries without writing them."
        )
        parser.add_argument(
            "--batch-size",
            type=int,
            default=BATCH,
            help=f"{self.batch_help}, from 1 to {BATCH}. Default: {BATCH}.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run each job and write one line about its result."""
        size = options["batch_size"]
        if not 0 < size <= BATCH:
            raise CommandError(f"--batch-size is {size}. Give a number from 1 to {BATCH}.")
        wanted = chosen_models(options["models"])
        try:
            for job in self.jobs(options["database"], wanted):
                self._run(job, is_dry_run=options["dry_run"], size=size)
        except HistoryError as error:
            raise CommandError(str(error)) from error

    def _run(self, job: BatchJob, *, is_dry_run: bool, size: int) -> None:
        progress = Progress()
        bar = ProgressBar(self.stderr, job.name, job.total())
        for progress in job.run(is_dry_run=is_dry_run, size=size):
            bar.show(progress.rows, f"{progress.entries} entries")
        bar.end()
        self.stdout.write(f"{job.name}: {self.summary(progress, is_dry_run=is_dry_run)}")
