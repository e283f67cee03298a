"""`manage.py history_import_simple_history`: import the snapshots of django-simple-history."""

from collections.abc import Collection, Sequence

from django.db import models

from django_customer_history.contrib.simple_history.importing import (
    SnapshotImport,
    historical_tables,
)
from django_customer_history.management.batches import BatchCommand


class Command(BatchCommand):
    """Import what django-simple-history recorded before the models were tracked."""

    help = (
        "Imports the differences between snapshots of django-simple-history as entries, with their"
        " original time and user. You can stop the command and run it again at any time."
    )

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[SnapshotImport]:
        """Return one job for the snapshots of each model."""
        return historical_tables(using, models_wanted=models_wanted)
