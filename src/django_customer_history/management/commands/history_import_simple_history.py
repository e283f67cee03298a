"""`manage.py history_import_simple_history`: django-simple-history's snapshots as entries."""

from collections.abc import Collection, Sequence

from django.db import models

from django_customer_history.contrib.simple_history.importing import (
    HistoricalTable,
    historical_tables,
)
from django_customer_history.management.batches import BatchCommand


class Command(BatchCommand):
    """Import what django-simple-history recorded before the models were tracked."""

    help = (
        "Turns the snapshots of django-simple-history into entries, at their own time and of"
        " their own user. It can be stopped and run again at any time."
    )

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[HistoricalTable]:
        """Return the snapshots of each model."""
        return historical_tables(using, models_wanted=models_wanted)
