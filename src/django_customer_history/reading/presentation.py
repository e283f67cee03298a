"""Entries of the log as one reader may see them: labelled, typed, formatted and masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from django_customer_history import conf
from django_customer_history.access.field_access import FieldAccess
from django_customer_history.access.field_rules import FieldRule
from django_customer_history.context.resolved import NamedUser
from django_customer_history.models import Entry
from django_customer_history.reading.entries import (
    EntrySource,
    RecordName,
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.reading.record_labels import (
    RecordLabels,
    target_of,
)
from django_customer_history.values.rendering import (
    display,
    json_value,
    sendable_text,
    type_of,
)


def present(
    entries: Sequence[Entry], access: FieldAccess, *, loaded: Sequence[models.Model] = ()
) -> tuple[TimelineEntry, ...]:
    """Return entries as a reader may see them; `loaded` are records that need no statement."""
    labels = RecordLabels(entries, access, loaded=loaded)
    sources = {code: str(label) for code, label in conf.sources().items()}
    return tuple(_EntryPresenter(entry, access, labels, sources).present() for entry in entries)


@dataclass(frozen=True, slots=True)
class _EntryPresenter:
    entry: Entry
    access: FieldAccess
    labels: RecordLabels
    sources: Mapping[str, str]

    def present(self) -> TimelineEntry:
        entry = self.entry
        record = self.labels.record(entry.entity_model, entry.entity_id)
        entity_label = self.access.logged_label(entry, record=record)
        return TimelineEntry(
            id=entry.id,
            timestamp=entry.timestamp,
            user=_user_value(entry.user_id, entry.user_label),
            impersonator=_impersonator((entry.context or {}).get("impersonator")),
            action=self.access.action(entry),
            kind=entry.kind,
            subject=self._subject(),
            entity=self.labels.record_name(entry.entity_model, entry.entity_id, entity_label),
            changes=tuple(
                self._change(name, *values)
                for name, values in sorted(entry.changes.items(), key=self._position)
            ),
            source=EntrySource(
                code=entry.source, label=self.sources.get(entry.source, entry.source)
            ),
            ip_address=entry.ip_address,
            request_id=entry.request_id,
            reason=(entry.context or {}).get("reason"),
            is_baseline=entry.is_baseline,
        )

    def _subject(self) -> RecordName | None:
        model, key = self.entry.subject_model, self.entry.subject_id
        if model is None or key is None:
            return None
        return self.labels.record_name(model, key, self.labels.label(model, key))

    def _position(self, item: tuple[str, object]) -> tuple[int, str]:
        # In the order of the model's fields; unknown names come last.
        positions = self.labels.positions(self.entry.entity_model)
        return positions.get(item[0].partition(".")[0], len(positions)), item[0]

    def _change(self, name: str, old: str | None, new: str | None) -> TimelineChange:
        rule = self.access.rule(self.entry, name)
        if rule.is_hidden or rule.hidden_keys:
            return TimelineChange(
                field=name,
                label=rule.label,
                type="secret" if rule.is_secret else type_of(rule.field, rule.value_type),
                old=None,
                new=None,
                old_display=_redacted(old, rule),
                new_display=_redacted(new, rule),
                masked=True,
                permission=rule.permission,
                revealable=rule.is_revealable,
            )
        return TimelineChange(
            field=name,
            label=rule.label,
            type=type_of(rule.field, rule.value_type),
            old=json_value(old, rule.value_type),
            new=json_value(new, rule.value_type),
            old_display=self._display(old, rule),
            new_display=self._display(new, rule),
        )

    def _display(self, text: str | None, rule: FieldRule) -> str | None:
        target = target_of(rule.field)
        if text is not None and target is not None:
            model, attribute = target
            return self.labels.label(model, text, attribute=attribute) or f"#{text}"
        return display(text, rule.field, rule.value_type, own=rule.display)


def _redacted(text: str | None, rule: FieldRule) -> str | None:
    redacted = rule.redacted(text)
    return None if redacted is None else sendable_text(redacted)


def _user_value(key: str | None, label: str | None) -> NamedUser | None:
    # A user who is not in the database, such as that of a shell, has only a name.
    name = label or key
    return None if name is None else NamedUser(id=key or "", label=name)


def _impersonator(value: Any) -> NamedUser | None:
    if isinstance(value, dict):
        key, label = value.get("id"), value.get("name") or value.get("label")
        return NamedUser(id=str(key or ""), label=str(label or key or ""))
    return None if value is None else NamedUser(id="", label=str(value))
