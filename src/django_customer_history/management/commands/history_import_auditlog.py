"""`manage.py history_import_auditlog`: import the records of django-auditlog."""

from collections.abc import Collection, Sequence

from django.db import models

from django_customer_history.contrib.auditlog.importing import (
    AuditLogImport,
    audit_logs,
)
from django_customer_history.management.batches import BatchCommand


class Command(BatchCommand):
    """Import what django-auditlog recorded before the models were tracked."""

    help = (
        "Imports the records of django-auditlog as entries, with their original time and user."
        " You can stop the command and run it again at any time."
    )

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[AuditLogImport]:
        """Return one job for the records of each model."""
        return audit_logs(using, models_wanted=models_wanted)
