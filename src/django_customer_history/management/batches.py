"""What the commands that go through whole tables in batches have in common."""

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
    """Write entries for what stands in tables; it can be stopped and run again at any time."""

    batch_help = "Records that are read at once."

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[BatchJob]:
        """Return what is to be done."""
        raise NotImplementedError

    def told(self, progress: Progress, *, is_dry_run: bool) -> str:
        """Return what has been done in the end, in words."""
        words = "would be written" if is_dry_run else "written"
        return f"{progress.entries} entries {words} from {progress.rows} records"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take models, --database, --dry-run and --batch-size."""
        parser.add_argument("models", nargs="*", help='Such as "crm.customer"; by default all.')
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=list(connections))
        parser.add_argument(
            "--dry-run", action="store_true", help="Count the entries, and write none."
        )
        parser.add_argument("--batch-size", type=int, default=BATCH, help=self.batch_help)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do each work, with a line for each at its end."""
        if not 0 < options["batch_size"] <= BATCH:
            raise CommandError(f"Give a batch size of 1 to {BATCH}.")
        wanted = chosen_models(options["models"])
        try:
            for work in self.jobs(options["database"], wanted):
                self._do(work, is_dry_run=options["dry_run"], size=options["batch_size"])
        except HistoryError as error:
            raise CommandError(str(error)) from error

    def _do(self, work: BatchJob, *, is_dry_run: bool, size: int) -> None:
        progress = Progress()
        bar = ProgressBar(self.stderr, work.name, work.total())
        for progress in work.run(is_dry_run=is_dry_run, size=size):
            bar.show(progress.rows, f"{progress.entries} entries")
        bar.end()
        self.stdout.write(f"{work.name}: {self.told(progress, is_dry_run=is_dry_run)}")
