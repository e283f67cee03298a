"""The one way into the log from Python: events that change no row."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models, router
from django.utils import timezone

from django_customer_history.changes import Kind
from django_customer_history.context import acting, current, pausing
from django_customer_history.exceptions import NotRegisteredError
from django_customer_history.keys import (
    datetime_of,
    next_microsecond,
    time_ordered_uuid,
    uuid_at,
)
from django_customer_history.registry import registry
from django_customer_history.values.encoding import encode

if TYPE_CHECKING:
    from django_customer_history.models import Entry

Changes = Mapping[str, tuple[Any, Any]]
Record = tuple[str, str]
"""The label of a model and the key of one of its rows."""


def record(
    action: str,
    *,
    subject: models.Model | None = None,
    entity: models.Model | None = None,
    changes: Changes | None = None,
    using: str | None = None,
) -> "Entry":
    """Write an entry for something that happened without any row being changed.

    `entity` is what it happened to, by default the subject; `changes` maps names to a pair of
    old and new value. Values of fields that are registered as secret are not kept. The entry
    is part of the transaction that is open on the subject's database, or on `using`.

    Raises `ValueError` without subject and entity, `TypeError` for a value that has no text
    and `NotRegisteredError` for an entity whose model is not registered.
    """
    entity = subject if entity is None else entity
    if entity is None:
        raise ValueError("An event needs a subject, an entity, or both.")
    if type(entity) not in registry:
        raise NotRegisteredError(
            f"{type(entity)._meta.label} has no history. Register it with history.register()."
        )
    return _write(
        action,
        subject=None if subject is None else (subject._meta.label_lower, encode(subject.pk) or ""),
        entity=(entity._meta.label_lower, encode(entity.pk) or ""),
        label=_label(entity),
        changes=_texts(entity, changes or {}),
        using=using or router.db_for_write(type(entity), instance=entity),
    )


def record_look(
    action: str,
    *,
    subject: Record | None = None,
    entry: UUID | None = None,
    changes: Changes,
    using: str,
) -> "Entry":
    """Write an entry for a look into the log itself, at one entry or at many.

    `subject` is the label and key of the record whose history was looked at; None: of all.
    """
    return _write(
        action,
        subject=subject,
        entity=("customer_history.entry", "*" if entry is None else str(entry)),
        changes={name: [encode(old), encode(new)] for name, (old, new) in changes.items()},
        using=using,
    )


@contextmanager
def paused(*, reason: str, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Log nothing that is written in the block, but that it was paused, by whom and why.

    The log of the database `using` gets one entry before and, unless the block fails, one
    after it, with the number of rows that its statements wrote; rows that the database itself
    changed in their wake are not counted. Raises `ValueError` without a reason.
    """
    if not reason.strip():
        raise ValueError("A pause of the history needs a reason.")
    pause = ("customer_history.pause", str(time_ordered_uuid()))
    with acting(reason=reason):
        _write("History Paused", entity=pause, using=using)
        with pausing() as counted:
            yield
        changes: dict[str, list[str | None]] = {"rows": [None, str(counted.rows)]}
        _write("History Resumed", entity=pause, changes=changes, using=using)


def note(
    action: str,
    *,
    about: tuple[str, str],
    changes: Mapping[str, list[str | None]],
    using: str,
) -> None:
    """Write an entry about the history itself; `about` is a kind of thing and its name."""
    _write(action, entity=about, changes=changes, using=using)


def _write(
    action: str,
    *,
    entity: Record,
    using: str,
    subject: Record | None = None,
    label: str | None = None,
    changes: Mapping[str, list[str | None]] | None = None,
) -> "Entry":
    microsecond = next_microsecond()
    attribution = current().attribution()
    kind: Kind = "event"
    log = apps.get_model("customer_history", "Entry")
    entry: Entry = log(
        id=uuid_at(microsecond),
        timestamp=_stored(microsecond),
        kind=kind,
        action=action,
        subject_model=None if subject is None else subject[0],
        subject_id=None if subject is None else subject[1],
        entity_model=entity[0],
        entity_id=entity[1],
        entity_label=label,
        changes=changes or {},
        actor_id=attribution.actor_id,
        actor_label=attribution.actor_label,
        source=attribution.source,
        ip_address=attribution.ip_address,
        request_id=attribution.request_id,
        context=attribution.context,
    )
    entry.save(using=using, force_insert=True)
    return entry


def _stored(microsecond: int) -> Any:
    moment = datetime_of(microsecond)
    return moment if timezone.is_aware(timezone.now()) else moment.replace(tzinfo=None)


def _label(entity: models.Model) -> str | None:
    names = registry.of(type(entity)).label
    texts = [encode(getattr(entity, name, None)) for name in names]
    return " ".join(text for text in texts if text)[:255] or None


def _texts(entity: models.Model, changes: Changes) -> dict[str, list[str | None]]:
    registration = registry.of(type(entity))
    secret = {field.name for field in entity._meta.fields if registration.is_secret(field)}
    return {
        name: [None, None] if name in secret else [encode(old), encode(new)]
        for name, (old, new) in changes.items()
    }
