"""The timeline of a watch: what its owner may read now, narrowed by the saved filters."""

from dataclasses import replace
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import QueryDict

from django_customer_history.access.permissions import Reader
from django_customer_history.exceptions import NotFoundError
from django_customer_history.models import Watch
from django_customer_history.reading.filters import Filters
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from django_customer_history.values.python_values import python_key


def owner_of(watch: Watch) -> Any:
    """Return the owner of a watch; None if the user is deleted or inactive."""
    users = get_user_model()
    try:
        owner = users._default_manager.filter(pk=python_key(users, watch.owner)).first()
    except (ValueError, ValidationError):
        return None
    return owner if owner is not None and owner.is_active else None


def timeline_of(watch: Watch, reader: Reader) -> Timeline:
    """Return the timeline of a watch for a reader.

    Raises `PermissionDenied` if the reader may not read it, `NotFoundError` if the record is not
    known, and `InvalidFilterError` if a saved filter is not valid any more. Values that
    `MASK_UNTIL_REVEALED` masks stay masked. A webhook has only what the reader may export.
    """
    timeline = _unfiltered(watch, reader)
    if watch.delivery == Watch.WEBHOOK:
        timeline = replace(timeline.exported(), is_revealing=False)
    return timeline.filtered(Filters.read(QueryDict(watch.query)))


def _unfiltered(watch: Watch, reader: Reader) -> Timeline:
    if not watch.subject_model:
        return Timeline.of_everything(reader)
    registration = registry.find(watch.subject_model)
    if registration is None or not registration.is_subject:
        raise NotFoundError(f"{watch.subject_model} has no History tab any more.")
    timeline = Timeline.of_subject(reader, registration.model, watch.subject_id)
    if not timeline.is_known():
        raise NotFoundError("There is no such record.")
    return timeline
