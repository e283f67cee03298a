"""Entries written from Python: events, accesses to the log, baselines and imports."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, models, router, transaction

from django_customer_history.capture.writing import insert_entries, insert_entry
from django_customer_history.context.arguments import checked_action
from django_customer_history.context.current import (
    acting,
    current,
    pausing,
)
from django_customer_history.context.resolved import ResolvedContext
from django_customer_history.exceptions import InvalidContextError, NotRegisteredError
from django_customer_history.keys import (
    datetime_of,
    time_ordered_uuid,
    uuid_at,
)
from django_customer_history.labels import (
    BASELINE,
    Kind,
)
from django_customer_history.registration.fields import label_paths, label_text, secret_fields
from django_customer_history.registration.own_models import own_model
from django_customer_history.registration.registry import Registration, label_of, registry
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
    """Write an entry of the kind "event" for something that changed no row.

    - `action`: what happened, in 1 to 100 characters, such as "Envelope Signed".
    - `subject`: the record whose History tab shows the entry.
    - `entity`: the record that it happened to; by default the subject. Its model is registered.
    - `changes`: names to pairs of old and new value. Values of secret fields are not kept.
    - `using`: the database; by default that of the entity. The entry belongs to the transaction
      that is open there.

    Raises `InvalidContextError` for a wrong action, a record that is not saved, or changes that
    are not pairs; `ValueError` without subject and entity; `TypeError` for a value that has no
    text; and `NotRegisteredError` if the model of the entity is not registered, or that of the
    subject not with `subject="self"`.
    """
    entity = subject if entity is None else entity
    if entity is None:
        raise ValueError("history.record() needs a subject, an entity, or both.")
    if isinstance(subject, models.Model):
        check_subject(type(subject))
    place = saved_record("entity" if entity is not subject else "subject", entity)
    registry.of(type(entity))
    return _write(
        checked_action(action),
        subject=None if subject is None else saved_record("subject", subject),
        entity=place,
        label=entity_label(entity),
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
    """Write an entry for an access to the log itself, such as an export.

    `subject` is the record whose history was read; None: all records. `entry` is the one entry
    that was read; None: several.
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
    """Log nothing that is written in the block, except who paused the history and why.

    The log of the database `using` gets one entry before the block and, unless the block fails,
    one after it with the number of rows that the statements of the block wrote. Rows that the
    database changed by itself, such as by cascades, are not counted.

    Raises `ValueError` without a reason.
    """
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError(
            f"history.paused() needs a reason as text, not {reason!r}. Say why nothing is logged."
        )
    pause = ("customer_history.pause", str(time_ordered_uuid()))
    with acting(reason=reason):
        _write("History Paused", entity=pause, using=using)
        with pausing() as counted:
            yield
        changes: dict[str, list[str | None]] = {"rows": [None, str(counted.rows)]}
        _write("History Resumed", entity=pause, changes=changes, using=using)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryContent:
    """The content of an entry: which records it is about and what changed, as texts of the log."""

    entity: Record
    subject: Record | None = None
    label: str | None = None
    changes: Mapping[str, list[str | None]] = field(default_factory=dict)


def record_baselines(contents: Iterable[EntryContent], *, using: str) -> None:
    """Write baseline entries: what rows held when tracking began. The context marks them."""
    entries = [new_event(BASELINE, content) for content in contents]
    insert_entries(entries, _primary(entries), using=using)


def _primary(entries: Sequence["Entry"]) -> "list[Entry | None]":
    """Return, for each entry, the first one of its change, which has the first of its subjects.

    It is None for that entry itself.
    """
    known: dict[tuple[str, ...], Entry] = {}
    primary: list[Entry | None] = []
    about = [(entry.entity_model, entry.entity_id, entry.kind) for entry in entries]
    counts = Counter(about)
    for entry, record in zip(entries, about, strict=True):
        if counts[record] == 1:
            primary.append(None)
            continue
        change = (*record, json.dumps(entry.changes))
        first = known.setdefault(change, entry)
        if (first.subject_model, first.subject_id) == (entry.subject_model, entry.subject_id):
            known[change] = entry  # A change of its own with the same values.
            primary.append(None)
        else:
            primary.append(first)
    return primary


@dataclass(frozen=True, kw_only=True)
class ImportedEntry:
    """An entry made from a record of another package, at the time when it happened."""

    moment: int
    """Microseconds since 1970, UTC."""
    record: str
    """The name of the record of the other package, and of the part that the entry is made from."""
    order: int = 0
    """The order among the entries of one moment: 0 to 3."""
    kind: Kind
    action: str
    content: EntryContent
    resolved: ResolvedContext

    @cached_property
    def key(self) -> UUID:
        """The key of the entry: the same each time the same record is imported."""
        digest = hashlib.sha256(self.record.encode()).digest()
        return uuid_at(self.moment, tail=self.order << 60 | int.from_bytes(digest[:8]) >> 4)


def missing_entries(
    imported_entries: Iterable[ImportedEntry], *, using: str
) -> list[ImportedEntry]:
    """Return the imported entries that are not in the log yet."""
    wanted = {entry.key: entry for entry in imported_entries}
    log = own_model("Entry")._default_manager.using(using)
    known = set(log.filter(id__in=list(wanted)).values_list("id", flat=True))
    return [entry for key, entry in wanted.items() if key not in known]


def record_imported(imported_entries: Iterable[ImportedEntry], *, using: str) -> int:
    """Write the imported entries that are not in the log yet; return how many.

    Either all of them are written or none.
    """
    with transaction.atomic(using=using):
        imported = list(imported_entries)
        missing = {entry.key for entry in missing_entries(imported, using=using)}
        # The other entries of a change may be in the log already.
        entries = [_from_import(entry) for entry in imported]
        for _moment, grouped in groupby(entries, key=lambda entry: entry.timestamp):
            of_change = list(grouped)
            for entry, first in zip(of_change, _primary(of_change), strict=True):
                entry.primary_id = None if first is None else first.id
        log = own_model("Entry")._default_manager.using(using)
        log.bulk_create([entry for entry in entries if entry.id in missing])
    return len(missing)


IMPORT_KIND = "customer_history.import"
"""The entity model of the entries that announce an import; their entity is the model's label."""
IMPORTED_FROM = "imported_from"
"""The member of the context of an entry that was made from a record of another package."""


def announce_import(label: str, *, first: UUID, last: UUID, count: int, using: str) -> None:
    """Write an entry that says between which keys an import has written entries with old times.

    Who has read the log up to a later key reads this range again. An import that wrote nothing is
    announced only if the same range was not announced before.
    """
    log = own_model("Entry")._default_manager.using(using)
    known = log.filter(entity_model=IMPORT_KIND, entity_id=label)
    ends = [str(first), str(last)]
    if not count and any(
        [entry.changes.get(name, [None, None])[1] for name in ("first", "last")] == ends
        for entry in known
    ):
        return
    changes: dict[str, list[str | None]] = {
        "first": [None, ends[0]],
        "last": [None, ends[1]],
        "entries": [None, str(count)],
    }
    record_about_history(
        "History Imported", about=(IMPORT_KIND, label), changes=changes, using=using
    )


def record_about_history(
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
    content = EntryContent(entity=entity, subject=subject, label=label, changes=changes or {})
    entry = new_event(action, content)
    insert_entry(entry, using=using)
    return entry


def new_event(action: str, content: EntryContent, *, kind: Kind = "event") -> "Entry":
    """Return an entry that is not inserted yet, with the context of this moment."""
    return _entry(kind=kind, action=action, content=content, resolved=current().resolve())


def _from_import(entry: ImportedEntry) -> "Entry":
    made = _entry(
        kind=entry.kind, action=entry.action, content=entry.content, resolved=entry.resolved
    )
    made.id, made.timestamp = entry.key, datetime_of(entry.moment)
    return made


def _entry(
    *,
    kind: Kind,
    action: str,
    content: EntryContent,
    resolved: ResolvedContext,
) -> "Entry":
    subject_model, subject_id = content.subject or (None, None)
    entity_model, entity_id = content.entity
    entry: Entry = own_model("Entry")(
        kind=kind,
        action=action,
        subject_model=subject_model,
        subject_id=subject_id,
        entity_model=entity_model,
        entity_id=entity_id,
        entity_label=content.label,
        changes=content.changes,
        user_id=resolved.user_id,
        user_label=resolved.user_label,
        source=resolved.source,
        ip_address=resolved.ip_address,
        request_id=resolved.request_id,
        context=resolved.context,
    )
    return entry


def check_subject(model: type[models.Model]) -> None:
    """Raise `NotRegisteredError` if records of a registered model have no History tab."""
    registration = registry.of(model)
    if not registration.is_subject:
        label = registration.model._meta.label
        raise NotRegisteredError(
            f'{label} is not registered with subject="self", so its records have no History tab.'
            f" Its entries are on the tabs of {_subjects(registration)}; those about one record are"
            f" Entry.objects.of_entity({registration.model.__name__}, key)."
        )


def _subjects(registration: Registration) -> str:
    return " and ".join(f"{path!r}" for path in registration.subject) or "no record"


def saved_record(argument: str, given: Any) -> Record:
    """Return the label and the key of a record that was given as an argument."""
    if not isinstance(given, models.Model):
        raise InvalidContextError(
            f"{argument}={given!r} is not a record. Give an instance of a model."
        )
    # A generated key, such as a UUID by default, is there before the row is.
    is_generated = given._state.adding and given._meta.pk.has_default()
    parts = given.pk if isinstance(given.pk, tuple) else (given.pk,)
    if is_generated or None in parts:
        raise InvalidContextError(
            f"{argument}={given!r} is not saved, so it has no key. Save it first."
        )
    return label_of(type(given)), key_text(given)


def entity_label(entity: models.Model) -> str | None:
    """Return the label that the log keeps of a record, as triggers write it."""
    paths = label_paths(registry.of(entity.__class__))
    label = label_text(entity, paths, text=encode)
    return label[:255] or None


def _texts(entity: models.Model, changes: Changes) -> dict[str, list[str | None]]:
    secret = {field.name for field in secret_fields(registry.of(type(entity)))}
    # A key of a JSON field is as secret as the field.
    return {
        name: [None, None] if name.partition(".")[0] in secret else [encode(old), encode(new)]
        for name, (old, new) in _pairs(changes)
    }


def _pairs(changes: Changes) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if not isinstance(changes, Mapping):
        raise InvalidContextError(f"changes={changes!r} is not a dict. {_CHANGES_EXPECTED}")
    for name, pair in changes.items():
        if not isinstance(name, str) or not isinstance(pair, tuple | list) or len(pair) != _PAIR:
            raise InvalidContextError(
                f"changes[{name!r}] is {pair!r}, which is not a pair. {_CHANGES_EXPECTED}"
            )
        yield name, (pair[0], pair[1])


_PAIR = 2
_CHANGES_EXPECTED = 'Give names with pairs of old and new value, such as {"score": (None, 7)}.'
