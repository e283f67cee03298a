"""The log of each database, from which timelines are made."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from uuid import UUID

from django.core.exceptions import PermissionDenied

from django_customer_history.access.permissions import subject_models
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.registration.renames import renames


def entry_of_log(key: UUID, using: str | None) -> Entry | None:
    """Return an entry by its key; with several databases, from the log of any of them."""
    logs = {
        log.db: log for log in (log_of(using), *(log_of(using).beside(m) for m in subject_models()))
    }
    found = (log.filter(id=key).first() for log in logs.values())
    return next((entry for entry in found if entry is not None), None)


def log_of(using: str | None) -> EntryQuerySet:
    """Return all entries of a database, or of the one that Django's routers choose."""
    return Entry.objects.using(using) if using else Entry.objects.all()


def of_models(entries: EntryQuerySet, labels: Sequence[str] | None) -> EntryQuerySet:
    """Return the entries of subjects of some models; None: of all models."""
    if labels is not None and not labels:
        raise PermissionDenied
    if labels is None:
        return entries
    if not renames.of(entries.db):
        return entries.filter(subject_model__in=labels)
    conditions = [renames.matching("subject_model", one, using=entries.db) for one in labels]
    return entries.filter(reduce(or_, conditions))
