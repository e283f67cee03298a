"""`run_workflow`: the job that runs every night."""

from django.core.management.base import BaseCommand

from crm.billing import send_reminders
from django_customer_history import history


class Command(BaseCommand):
    """Find invoices past their due date and note a reminder for each."""

    help = "Marks unpaid invoices past their due date as overdue, with a note for the customer."

    def handle(self, *args, **options):
        """Run the workflow in nobody's name."""
        with history.acting(source="workflow", user=None, reason="Dunning run"):
            count = send_reminders()
        self.stdout.write(f"Invoices that became overdue: {count}.")
