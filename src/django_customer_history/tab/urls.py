"""URLs of the pages that show the history of a record."""

from django.db import models
from django.urls import NoReverseMatch, reverse

from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.registration.registry import registry


def history_url(subject: models.Model) -> str | None:
    """Return the URL of a record's history page.

    It is the result of the model's `get_history_url()`, or else the route of
    `django_customer_history.urls`. None if the model has no such method and the route is not
    included in the project.
    """
    get_url = getattr(subject, "get_history_url", None)
    return _route_url(subject._meta.label_lower, subject.pk) if get_url is None else str(get_url())


def entry_url(entry: TimelineEntry) -> str | None:
    """Return the URL of an entry on the tab of its subject, or None if no page shows it.

    It also works for the entries of deleted subjects.
    """
    registration = None if entry.subject is None else registry.find(entry.subject.model)
    if entry.subject is None or registration is None:
        return None
    key = entry.subject.id
    subject = registration.model._base_manager.filter(pk=key).first()
    url = _route_url(entry.subject.model, key) if subject is None else history_url(subject)
    if url is None:
        return None
    return f"{url}{'&' if '?' in url else '?'}entry={entry.id}#entry-{entry.id}"


def _route_url(model: str, key: object) -> str | None:
    try:
        return reverse("customer_history:subject", args=[model, key])
    except NoReverseMatch:
        return None
