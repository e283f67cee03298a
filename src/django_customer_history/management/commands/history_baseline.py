"""`manage.py history_baseline`: first entries for rows that are older than their registration."""

from collections.abc import Collection, Sequence

from django.db import models

from django_customer_history.capture.baseline import (
    Baseline,
    baselines,
)
from django_customer_history.capture.batches import Progress
from django_customer_history.management.batches import BatchCommand


class Command(BatchCommand):
    """Write what rows held when tracking began, where the log does not tell how they began."""

    help = (
        "Writes an entry for each row that is older than its registration: what it held when"
        " tracking began. It can be stopped and run again at any time."
    )
    batch_help = "Rows that are locked at once."

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[Baseline]:
        """Return the rows and links of each model."""
        return baselines(using, models_wanted=models_wanted)

    def told(self, progress: Progress, *, is_dry_run: bool) -> str:
        """Return how many rows got an entry."""
        words = "would get" if is_dry_run else "got"
        return f"{progress.entries} of {progress.rows} rows {words} a first entry"
