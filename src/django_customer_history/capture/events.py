"""The one way into the log from Python: events that change no row."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models, router, transaction
from django.utils import timezone

from django_customer_history.context.current import (
    acting,
    current,
    pausing,
)
from django_customer_history.context.resolved import ResolvedContext
from django_customer_history.exceptions import NotRegisteredError
from django_customer_history.keys import (
    datetime_of,
    next_microsecond,
    time_ordered_uuid,
    uuid_at,
)
from django_customer_history.labels import (
    BASELINE,
    Kind,
)
from django_customer_history.registration.fields import label_text, secret_fields
from django_customer_history.registration.registry import registry
from django_customer_history.values.encoding import encode, key_text

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
        subject=None if subject is None else (subject._meta.label_lower, key_text(subject)),
        entity=(entity._meta.label_lower, key_text(entity)),
        label=_label(entity),
        changes=_texts(entity, changes or {}),
        using=using or router.db_for_write(type(entity), instance=entity),
    )


def record_access(
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContent:
    """What an event tells of a row, as texts of the log."""

    entity: Record
    subject: Record | None = None
    label: str | None = None
    changes: Mapping[str, list[str | None]] = field(default_factory=dict)


def record_baselines(told: Iterable[EventContent], *, using: str) -> None:
    """Write entries for what rows held when their tracking began; the context marks them."""
    log = apps.get_model("customer_history", "Entry")
    log._default_manager.using(using).bulk_create([_made(BASELINE, one) for one in told])


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedEntry:
    """Something that another package recorded, to be an entry at the time when it happened."""

    moment: int
    """Microseconds since 1970, UTC."""
    record: str
    """What names the record of the other package that it was made from, and its part of it."""
    rank: int = 0
    """What comes first among the entries of one moment: 0 to 3."""
    kind: Kind
    action: str
    told: EventContent
    resolved: ResolvedContext

    @property
    def key(self) -> UUID:
        """The key of the entry: the same whenever the same record is imported."""
        digest = hashlib.sha256(self.record.encode()).digest()
        return uuid_at(self.moment, tail=self.rank << 60 | int.from_bytes(digest[:8]) >> 4)


def missing_entries(
    imported_entries: Iterable[ImportedEntry], *, using: str
) -> list[ImportedEntry]:
    """Return those of which there is no entry yet."""
    wanted = {past.key: past for past in imported_entries}
    log = apps.get_model("customer_history", "Entry")._default_manager.using(using)
    known = set(log.filter(id__in=list(wanted)).values_list("id", flat=True))
    return [past for key, past in wanted.items() if key not in known]


def record_imported(imported_entries: Iterable[ImportedEntry], *, using: str) -> int:
    """Write entries of the source "import" for what is not in the log yet; return how many.

    All of them are written, or none.
    """
    with transaction.atomic(using=using):
        missing = missing_entries(imported_entries, using=using)
        log = apps.get_model("customer_history", "Entry")._default_manager.using(using)
        log.bulk_create([_remembered(past) for past in missing])
    return len(missing)


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
    told = EventContent(entity=entity, subject=subject, label=label, changes=changes or {})
    entry = _made(action, told)
    entry.save(using=using, force_insert=True)
    return entry


def _made(action: str, told: EventContent) -> "Entry":
    moment, who = next_microsecond(), current().resolve()
    return _entry(uuid_at(moment), moment, kind="event", action=action, told=told, who=who)


def _remembered(past: ImportedEntry) -> "Entry":
    who, told = past.resolved, past.told
    return _entry(past.key, past.moment, kind=past.kind, action=past.action, told=told, who=who)


def _entry(
    key: UUID,
    microsecond: int,
    *,
    kind: Kind,
    action: str,
    told: EventContent,
    who: ResolvedContext,
) -> "Entry":
    subject_model, subject_id = told.subject or (None, None)
    entity_model, entity_id = told.entity
    entry: Entry = apps.get_model("customer_history", "Entry")(
        id=key,
        timestamp=_stored(microsecond),
        kind=kind,
        action=action,
        subject_model=subject_model,
        subject_id=subject_id,
        entity_model=entity_model,
        entity_id=entity_id,
        entity_label=told.label,
        changes=told.changes,
        user_id=who.user_id,
        user_label=who.user_label,
        source=who.source,
        ip_address=who.ip_address,
        request_id=who.request_id,
        context=who.context,
    )
    return entry


def _stored(microsecond: int) -> Any:
    moment = datetime_of(microsecond)
    return moment if timezone.is_aware(timezone.now()) else moment.replace(tzinfo=None)


def _label(entity: models.Model) -> str | None:
    label = label_text(entity, registry.of(type(entity)).label, text=encode)
    return label[:255] or None


def _texts(entity: models.Model, changes: Changes) -> dict[str, list[str | None]]:
    secret = {field.name for field in secret_fields(registry.of(type(entity)))}
    # A key of a JSON field is as secret as the field.
    return {
        name: [None, None] if name.partition(".")[0] in secret else [encode(old), encode(new)]
        for name, (old, new) in changes.items()
    }
