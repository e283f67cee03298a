"""Where the History tab of a record is shown."""

from django.db import models
from django.urls import NoReverseMatch, reverse

from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.registration.registry import registry


def address_of(subject: models.Model) -> str | None:
    """Return where a record's history is shown: its `get_history_url()`, or the package's URL."""
    own = getattr(subject, "get_history_url", None)
    return _mounted(subject._meta.label_lower, subject.pk) if own is None else str(own())


def address_of_entry(entry: TimelineEntry) -> str | None:
    """Return where an entry stands on the tab of its subject, which may be gone."""
    registration = None if entry.subject is None else registry.find(entry.subject.model)
    if entry.subject is None or registration is None:
        return None
    key = entry.subject.id
    subject = registration.model._base_manager.filter(pk=key).first()
    address = _mounted(entry.subject.model, key) if subject is None else address_of(subject)
    if address is None:
        return None
    return f"{address}{'&' if '?' in address else '?'}entry={entry.id}#entry-{entry.id}"


def _mounted(model: str, key: object) -> str | None:
    try:
        return reverse("customer_history:subject", args=[model, key])
    except NoReverseMatch:
        return None
