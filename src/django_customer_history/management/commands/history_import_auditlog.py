"""`manage.py history_import_auditlog`: django-auditlog's records as entries."""

from collections.abc import Collection, Sequence

from django.db import models

from django_customer_history.contrib.auditlog.importing import (
    AuditLog,
    audit_logs,
)
from django_customer_history.management.batches import BatchCommand


class Command(BatchCommand):
    """Import what django-auditlog recorded before the models were tracked."""

    help = (
        "Turns the records of django-auditlog into entries, at their own time and of their own"
        " user. It can be stopped and run again at any time."
    )

    def jobs(
        self, using: str, models_wanted: Collection[type[models.Model]] | None
    ) -> Sequence[AuditLog]:
        """Return the records of each model."""
        return audit_logs(using, models_wanted=models_wanted)
