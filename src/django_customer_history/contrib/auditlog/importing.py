"""Import the records of django-auditlog, with their original time and user."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import connections, models, router
from django.db.models import Q

from django_customer_history.capture.batches import BATCH
from django_customer_history.capture.events import (
    IMPORTED_FROM,
    EntryContent,
    ImportedEntry,
    Record,
)
from django_customer_history.context.resolved import NamedUser
from django_customer_history.contrib.auditlog.records import (
    Links,
    ParsedRecord,
    RecordParser,
    Values,
    text_of,
)
from django_customer_history.contrib.importing import (
    ImportedRecord,
    RecordImport,
    RecordReader,
    Row,
    content_per_subject,
    ordered_microseconds,
    own_table,
    stored_ip_address,
    user_of,
    users_by_key,
)
from django_customer_history.contrib.subject_lookup import SubjectLookup
from django_customer_history.exceptions import ImportSourceError
from django_customer_history.labels import (
    DEFAULT_ACTIONS,
    Kind,
)
from django_customer_history.registration.registry import registry
from django_customer_history.registration.subject_paths import relations
from django_customer_history.values.encoding import encode

PACKAGE = "django-auditlog"
_KINDS: Mapping[int, Kind] = {0: "create", 1: "update", 2: "delete"}
"""Its actions that changed a row. The fourth one, access, is not imported."""
_COLUMNS = (
    "action",
    "changes",
    "changes_text",
    "actor_id",
    "actor_email",
    "remote_addr",
    "cid",
    "additional_data",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowState:
    """The state of a row after one of its records."""

    moment: int
    """Microseconds since 1970; later than that of the record before."""
    values: Values
    """The texts of the fields of its label, and of those with which its subject paths start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A record, and the values of the row before and after it."""

    source: ImportedRecord
    kind: Kind
    key: str
    recorded: ParsedRecord
    before: Values
    after: Values


@dataclass(frozen=True, kw_only=True)
class AuditLogImport(RecordImport):
    """Imports the django-auditlog records of one registered model."""

    @cached_property
    def reader(self) -> RecordReader:
        """The reader of the records of changes of the model."""
        log = log_model()
        records: Any = models.QuerySet(log, using=self.using).filter(
            content_type__app_label=self.registration.model._meta.app_label,
            content_type__model=self.registration.model._meta.model_name,
            action__in=_KINDS,
        )
        present = {field.attname for field in log._meta.concrete_fields}
        columns = tuple(name for name in _COLUMNS if name in present)
        return RecordReader(
            records=records, entity="object_pk", time="timestamp", key="id", columns=columns
        )

    def imported_entries(
        self, page: Sequence[Row], states: dict[Any, RowState]
    ) -> Iterator[ImportedEntry]:
        """Yield the entries of a page of records."""
        changes = list(self._row_changes(page, states))
        before = self._lookup.subjects([(change.key, change.before) for change in changes])
        now = self._lookup.subjects([(change.key, change.after) for change in changes])
        for change, former_subjects, subjects in zip(changes, before, now, strict=True):
            yield from self._row_entries(change, subjects, former_subjects)
            for links in change.recorded.links:
                yield from self._link_entries(change, links, subjects)

    def _row_changes(self, page: Sequence[Row], states: dict[Any, RowState]) -> Iterator[RowChange]:
        records = [dict(zip(self._names, row, strict=True)) for row in page]
        keys = {record["actor_id"] for record in records}
        users = users_by_key(get_user_model(), keys, using=self.using)
        initial = self._initial_values(records, known=states)
        for record in records:
            entity, kind = record["object_pk"], _KINDS[record["action"]]
            state = states.get(entity)
            former = initial.get(entity, {}) if state is None else state.values
            previous = None if state is None else state.moment
            moment = ordered_microseconds(record["timestamp"], previous)
            recorded = self._parser.read(kind, _changes_in(record))
            before = former | self._needed_of(recorded.before)
            values = before | self._needed_of(recorded.after) if kind != "delete" else before
            states[entity] = RowState(moment=moment, values=values)
            if not self.target.is_tracked_at(record["timestamp"]):
                yield RowChange(
                    source=self._source(record, users, moment, recorded),
                    kind=kind,
                    key=self._key(entity),
                    recorded=recorded,
                    before=before,
                    after=values,
                )

    def _initial_values(
        self, records: Sequence[Mapping[str, Any]], *, known: Mapping[Any, RowState]
    ) -> dict[str, Values]:
        """Return the values of rows before their first record, unless that is their creation.

        They come from the old values in later records, else from the row as it is now.
        """
        first: dict[str, int] = {}
        for record in records:
            first.setdefault(record["object_pk"], record["action"])
        entities = [one for one, action in first.items() if action and one not in known]
        if not entities or not self._needed:
            return {}
        has_needed = Q(changes__has_any_keys=sorted(self._needed)) | Q(changes__isnull=True)
        later = replace(self.reader, records=self.reader.records.filter(has_needed))
        found: dict[str, Values] = defaultdict(dict)
        for page in later.pages(BATCH, **{f"{self.reader.entity}__in": entities}):
            for record in (dict(zip(self._names, row, strict=True)) for row in page):
                changes = _changes_in(record)
                needed = {name: pair for name, pair in changes.items() if name in self._needed}
                before = self._parser.read(_KINDS[record["action"]], needed).before
                found[record["object_pk"]] = before | found[record["object_pk"]]
        for entity, values in self._current_values(entities).items():
            found[entity] = values | found[entity]
        return found

    def _current_values(self, entities: Sequence[str]) -> dict[str, Values]:
        model = self.registration.model
        fields = [field for field in model._meta.concrete_fields if field.name in self._needed]
        keys = [key for key in map(self._as_key, entities) if key is not None]
        rows = model._base_manager.using(self.using).filter(pk__in=keys)
        found = {}
        for key, *values in rows.values_list("pk", *(field.attname for field in fields)):
            pairs = zip(fields, values, strict=True)
            found[str(encode(key))] = {field.name: text_of(field, value) for field, value in pairs}
        return found

    def _row_entries(
        self, change: RowChange, now: dict[int, Record], before: dict[int, Record]
    ) -> Iterator[ImportedEntry]:
        kind, changes = change.kind, change.recorded.changes
        if kind == "update" and not changes:
            return
        action = self.target.action(kind, changes)
        content = self._content(change, changes)
        for path, one in content_per_subject(content, now=now, before=before):
            order = 2 * (kind == "delete")
            yield change.source.entry(
                f"{kind}:{path}", order=order, kind=kind, action=action, content=one
            )

    def _link_entries(
        self, change: RowChange, links: Links, subjects: dict[int, Record]
    ) -> Iterator[ImportedEntry]:
        # The keys of the linked rows are unknown, only their names: so it is an event.
        names = ", ".join(links.objects)
        pair = [names, None] if links.is_removal else [None, names]
        kind: Kind = "remove" if links.is_removal else "add"
        content = self._content(change, {f"{links.field}.objects": pair})
        for path, one in content_per_subject(content, now=subjects, before={}):
            yield change.source.entry(
                f"{kind}:{links.field}:{path}",
                order=1,
                kind="event",
                action=DEFAULT_ACTIONS[kind],
                content=one,
            )

    def _content(self, change: RowChange, changes: dict[str, list[str | None]]) -> EntryContent:
        texts = [change.after.get(name) for name in self.registration.label]
        label = " ".join(text for text in texts if text)[:255] or None
        return EntryContent(entity=(self.name, change.key), label=label, changes=changes)

    def _source(
        self,
        record: Mapping[str, Any],
        users: dict[Any, NamedUser],
        moment: int,
        recorded: ParsedRecord,
    ) -> ImportedRecord:
        name, cid = f"{log_model()._meta.label_lower}:{record['id']}", record.get("cid")
        context: dict[str, Any] = {IMPORTED_FROM: PACKAGE, "record": name, **recorded.marks}
        context |= {
            column: record[column]
            for column in ("cid", "additional_data")
            if record.get(column) not in (None, "")
        }
        user, email = user_of(record["actor_id"], users), record.get("actor_email")
        return ImportedRecord(
            moment=moment,
            record=name,
            user=NamedUser(id=None, label=email) if user is None and email else user,
            ip_address=stored_ip_address(record.get("remote_addr")),
            request_id=_as_uuid(cid),
            context=context,
        )

    def _key(self, entity: str) -> str:
        key = self._as_key(entity)
        return entity if key is None else str(encode(key))

    def _as_key(self, entity: str) -> Any:
        try:
            return self.registration.model._meta.pk.to_python(entity)
        except ValidationError:
            return None

    def _needed_of(self, values: Values) -> Values:
        return {name: text for name, text in values.items() if name in self._needed}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return (self.reader.entity, self.reader.time, self.reader.key, *self.reader.columns)

    @cached_property
    def _needed(self) -> set[str]:
        return {*self.registration.label, *self._lookup.fields}

    @cached_property
    def _lookup(self) -> SubjectLookup:
        return SubjectLookup(registration=self.registration, using=self.using)

    @cached_property
    def _parser(self) -> RecordParser:
        model = self.registration.model
        return RecordParser(
            model=model,
            table=own_table(self.registration, using=self.using),
            relations=frozenset(one.name for one in relations(self.registration, registry)),
            masked=_masked_fields(model),
        )


def log_model() -> Any:
    """Return the model of auditlog's records; a project can replace it."""
    return apps.get_model(getattr(settings, "AUDITLOG_LOGENTRY_MODEL", "auditlog.LogEntry"))


def audit_logs(
    using: str, *, models_wanted: Collection[type[models.Model]] | None = None
) -> list[AuditLogImport]:
    """Return the imports of all registered models, or of some.

    Raises `ImportSourceError` if auditlog is not installed, or its table is missing.
    """
    if not apps.is_installed("auditlog"):
        raise ImportSourceError(
            f'{PACKAGE} is not installed. Keep "auditlog" in INSTALLED_APPS until the import ends.'
        )
    if log_model()._meta.db_table not in connections[using].introspection.table_names():
        raise ImportSourceError(
            f"Database {using!r} has no table {log_model()._meta.db_table!r} of {PACKAGE}. Give"
            " the database that has it with --database."
        )
    return [
        AuditLogImport(registration=registration, using=using)
        for registration in registry
        if (models_wanted is None or registration.model in models_wanted)
        and router.allow_migrate_model(using, registration.model)
    ]


def _masked_fields(model: type[models.Model]) -> frozenset[str]:
    from auditlog.registry import auditlog  # noqa: PLC0415 - optional

    if not auditlog.contains(model):
        return frozenset()
    return frozenset(auditlog.get_model_fields(model)["mask_fields"])


def _changes_in(record: Mapping[str, Any]) -> Mapping[str, Any]:
    # Before version 3, auditlog kept JSON as text, and a project may not have converted it.
    found = record["changes"] or record.get("changes_text") or {}
    return json.loads(found) if isinstance(found, str) else found


def _as_uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
