"""Entries about reading: who looked at a record."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connections, models, router, transaction
from django.utils import timezone

from django_customer_history import conf
from django_customer_history.backends import backend_of
from django_customer_history.capture.events import (
    EntryContent,
    entity_label,
    new_event,
    saved_record,
)
from django_customer_history.capture.writing import insert_entry
from django_customer_history.context.current import bind_context
from django_customer_history.exceptions import InvalidContextError, did_you_mean
from django_customer_history.keys import lowest_uuid_at
from django_customer_history.labels import VIEWED
from django_customer_history.registration.own_models import own_model
from django_customer_history.registration.registry import registry

if TYPE_CHECKING:
    from django_customer_history.models import Entry

logger = logging.getLogger(__name__)


def viewed(
    record: models.Model, *, fields: Iterable[str] | None = None, using: str | None = None
) -> None:
    """Log that the current user looks at a record: an entry "Viewed" of the kind "view".

    - `record`: a saved record of a registered model. If it is a subject, its tab has the entry.
    - `fields`: the names of the fields that are shown; the filter `field` finds the entry by them.
      None: the record as a whole.
    - `using`: the database; by default the one where the record would be written.

    Another view of the same fields by the same user within `VIEW_INTERVAL` seconds is not logged
    again. The cost is one INSERT; in a transaction it happens when that is committed, so a view in
    a transaction that is rolled back is not logged. Where nothing can be written, as on a
    read-only replica, nothing is logged, and the logger of this module has a warning.

    Raises `InvalidContextError` for a record that is not saved or a field that does not exist, and
    `NotRegisteredError` if the model is not registered.
    """
    registration = registry.of(type(record))
    place = saved_record("record", record)
    names = _checked_names(record, fields or ())
    alias = using or router.db_for_write(type(record), instance=record)
    content = EntryContent(
        entity=place,
        subject=place if registration.is_subject else None,
        label=entity_label(record),
        changes={name: [None, None] for name in names},
    )
    # With the context of this moment, and a key of the moment when the transaction ends.
    insert = bind_context(partial(_insert, content, using=alias))
    transaction.on_commit(insert, using=alias)


def _checked_names(record: models.Model, fields: Iterable[str]) -> list[str]:
    names = [fields] if isinstance(fields, str) else sorted(set(fields))
    known = {field.name for field in record._meta.get_fields()}
    for name in names:
        if name.partition(".")[0] not in known:
            raise InvalidContextError(
                f"{record._meta.label} has no field {name!r}.{did_you_mean(name, known)}"
            )
    return names


def _insert(content: EntryContent, *, using: str) -> None:
    try:
        entry = new_event(VIEWED, content, kind="view")
        insert_entry(entry, using=using, unless=_same_view(entry, using))
    except DatabaseError as error:
        # A page is not to fail because it cannot be logged that somebody reads it.
        if not backend_of(connections[using]).is_read_only_error(error):
            raise
        model, key = content.entity
        logger.warning(
            "Database %r is read-only: a view of %s %s is not logged.", using, model, key
        )


def _same_view(entry: "Entry", using: str) -> Any:
    """Return the query for the same view within the interval, by the index of the subject."""
    log: Any = own_model("Entry")
    since = timezone.now() - timedelta(seconds=conf.view_interval())
    same = log._default_manager.using(using).filter(
        kind=entry.kind,
        action=entry.action,
        entity_model=entry.entity_model,
        entity_id=entry.entity_id,
        user_id=entry.user_id,
        id__gte=lowest_uuid_at(since),
    )
    for name in entry.changes:
        same = same.filter(changes__has_key=name)
    return same.values("id")
