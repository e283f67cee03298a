"""Jobs that run for one company, from cron or from the page "Jobs"."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from crm.billing import send_reminders
from crm.models import Company, Customer, Invoice
from django_customer_history import history

FEED = Path(__file__).resolve().parent.parent / "data" / "monitoring-accounts.json"
"""A sample answer of the monitoring station: account numbers by customer name."""

MANAGES_USERS = "Manages users"
"""The portal right that the review takes from contacts who cannot be reached."""


def run_workflows(company):
    """Send reminders for overdue invoices, without a user, and return how many."""
    with history.acting(source="workflow", user=None, reason="Dunning run"):
        return send_reminders(Invoice.objects.filter(customer__company=company))


def sync_monitoring(company):
    """Save the account numbers of the monitoring station, and return how many are new.

    The user is the one who started the job. The source is the integration.
    """
    accounts = json.loads(FEED.read_text(encoding="utf-8"))
    with history.acting(source="integration", reason="Sync with the monitoring station"):
        changed = [
            customer
            for customer in company.customers.filter(name__in=accounts)
            if customer.monitoring_account != accounts[customer.name]
        ]
        for customer in changed:
            customer.monitoring_account = accounts[customer.name]
        Customer.objects.bulk_update(changed, ["monitoring_account"])
    return len(changed)


def review_portal_rights(company):
    """Take the right to manage users from contacts without an email address; return how many."""
    with history.acting(source="workflow", user=None, reason="Review of portal rights"):
        right = company.portal_rights.get(name=MANAGES_USERS)
        contacts = list(right.contacts.filter(customer__company=company, email=""))
        for contact in contacts:
            contact.rights.remove(right)
    return len(contacts)


def refresh_signals(company):
    """Save that all systems reported today. The history is paused for this routine change.

    The log has an entry for the pause, with its user and reason.
    """
    with history.paused(reason="Daily test signals"):
        return company.customers.filter(is_archived=False).update(
            last_signal_on=timezone.localdate()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that runs for a company and returns a number."""

    button: str
    does: str
    run: Callable[[Company], int]
    counted: str
    """A text with a plural, for the number: `job.counted % 3`."""


JOBS = {
    "workflows": Job(
        button=_("Run workflows"),
        does=_("Marks unpaid invoices as overdue after their due date, and sends reminders."),
        run=run_workflows,
        counted=ngettext_lazy("%d invoice became overdue.", "%d invoices became overdue."),
    ),
    "monitoring": Job(
        button=_("Sync monitoring"),
        does=_("Copies the account numbers from the monitoring station."),
        run=sync_monitoring,
        counted=ngettext_lazy("%d account number copied.", "%d account numbers copied."),
    ),
    "rights": Job(
        button=_("Review portal rights"),
        does=_("Takes the right to manage users from portal contacts without an email address."),
        run=review_portal_rights,
        counted=ngettext_lazy(
            "%d contact may no longer manage users.",
            "%d contacts may no longer manage users.",
        ),
    ),
    "signals": Job(
        button=_("Refresh signals"),
        does=_("Saves the daily test signal of each system, with the history paused."),
        run=refresh_signals,
        counted=ngettext_lazy(
            "%d customer refreshed, without entries in the log.",
            "%d customers refreshed, without entries in the log.",
        ),
    ),
}
"""The jobs, by their names in URLs and on the command line."""
