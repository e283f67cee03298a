"""`manage.py history_baseline`: entries for rows that are older than their registration."""

from collections.abc import Collection, Sequence

from django.db import models

from django_customer_history.capture.baseline import (
    Baseline,
    baselines,
)
from django_customer_history.capture.batches import Progress
from django_customer_history.management.batches import BatchCommand


class Command(BatchCommand):
    """Write baseline entries for rows whose creation is not in the log."""

    help = (
        "Writes a baseline entry for each row that is older than its registration, with the values"
        " that it holds now. You can stop the command and run it again at any time."
    )
    batch_help = "How many rows to lock at once"

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[Baseline]:
        """Return the jobs for the rows and links of each model."""
        return baselines(using, models_wanted=models_wanted)

    def summary(self, progress: Progress, *, is_dry_run: bool) -> str:
        """Return how many rows got a baseline entry."""
        verb = "would get" if is_dry_run else "got"
        return f"{progress.entries} of {progress.rows} rows {verb} a baseline entry"
