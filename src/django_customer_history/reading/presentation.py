"""Entries of the log as one reader may see them: labelled, typed, formatted and masked."""

from collections.abc import Iterator, Mapping, Sequence
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
    TimelineChange,
    TimelineEntry,
)
from django_customer_history.reading.field_plans import EntryPlan, FieldPlan, FieldPlans
from django_customer_history.reading.record_labels import KnownRecords, RecordLabels
from django_customer_history.reading.shortening import shortened_entries, shortened_pair
from django_customer_history.values.moments import in_utc
from django_customer_history.values.rendering import sendable_text

TYPES_WITH_DISPLAY = ("choice", "relation", "file")
"""Types whose values say little to people without their display texts."""


def present(
    entries: Sequence[Entry],
    access: FieldAccess,
    *,
    loaded: Sequence[models.Model] = (),
    known: KnownRecords | None = None,
    is_whole: bool,
    has_all_displays: bool = True,
) -> Iterator[TimelineEntry]:
    """Return entries as a reader may see them; `loaded` are records that need no statement.

    Unless `is_whole`, long values are shortened, and very many changes are left out. Unless
    `has_all_displays`, only values of `TYPES_WITH_DISPLAY` and masked ones have display texts.
    `known` are the records of entries that were presented before.
    """
    omitted: dict[object, int] = {}
    if not is_whole:
        entries, omitted = shortened_entries(entries)
    access.prepare(entries, loaded=loaded)
    plans = FieldPlans(access)
    of_entries = [plans.of(entry) for entry in entries]
    presenter = _Presenter(
        access=access,
        labels=RecordLabels(entries, of_entries, access, loaded=loaded, known=known),
        sources={
            code: EntrySource(code=code, label=str(label)) for code, label in conf.sources().items()
        },
        omitted=omitted,
        is_whole=is_whole,
        has_all_displays=has_all_displays,
    )
    return map(presenter.present, entries, of_entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Presenter:
    access: FieldAccess
    labels: RecordLabels
    sources: dict[str, EntrySource]
    omitted: Mapping[object, int]
    is_whole: bool
    has_all_displays: bool

    def present(self, entry: Entry, plan: EntryPlan) -> TimelineEntry:
        changes, context = entry.changes, entry.context or {}
        subject, entity = self.labels.names(entry, plan.rules)
        return TimelineEntry(
            id=entry.id,
            timestamp=in_utc(entry.timestamp),
            user=_user_value(entry.user_id, entry.user_label),
            impersonator=_impersonator(context.get("impersonator")),
            action=self.access.action(entry),
            kind=entry.kind,
            subject=subject,
            entity=entity,
            changes=tuple([self._change(entry, changes, one) for one in plan.fields]),
            source=self._source(entry.source),
            ip_address=entry.ip_address,
            request_id=entry.request_id,
            reason=context.get("reason"),
            omitted_changes=self.omitted.get(entry.id, 0),
            is_baseline=entry.is_baseline,
            primary_id=entry.primary_id,
        )

    def _source(self, code: str) -> EntrySource:
        if code not in self.sources:
            self.sources[code] = EntrySource(code=code, label=code)
        return self.sources[code]

    def _change(self, entry: Entry, changes: Mapping[str, Any], field: FieldPlan) -> TimelineChange:
        rule = field.rule
        old, new = changes[field.name]
        if rule.conceals:
            return self._concealed(field, old, new)
        if not self.is_whole:
            old, new, is_truncated = shortened_pair(old, new)
            if is_truncated:
                return _part(field, old, new)
        has_display = self.has_all_displays or field.type in TYPES_WITH_DISPLAY
        return TimelineChange(
            field=field.name,
            label=rule.label,
            type=field.type,
            old=field.json_value(old),
            new=field.json_value(new),
            old_display=self._display(entry, field, old) if has_display else None,
            new_display=self._display(entry, field, new) if has_display else None,
        )

    def _concealed(self, field: FieldPlan, old: str | None, new: str | None) -> TimelineChange:
        """Return a change of a field that the reader may not see, or not all of it."""
        rule = field.rule
        old, new, is_truncated = _redacted(old, rule), _redacted(new, rule), False
        if not self.is_whole:
            old, new, is_truncated = shortened_pair(old, new)
        return TimelineChange(
            field=field.name,
            label=rule.label,
            type=field.type,
            old=None,
            new=None,
            old_display=old,
            new_display=new,
            masked=True,
            permission=rule.permission,
            permission_name=rule.permission_name,
            revealable=rule.is_revealable,
            is_truncated=is_truncated,
        )

    def _display(self, entry: Entry, field: FieldPlan, text: str | None) -> str | None:
        if text is None:
            return None
        if field.target is not None:
            model, attribute = field.target
            label = self.labels.label(model, text, at=entry.id, attribute=attribute)
            return label or f"#{text}"
        return field.rule.shown(text)


def _part(field: FieldPlan, old: str | None, new: str | None) -> TimelineChange:
    """Return a change with parts of long values. A part of a value is a text."""
    old, new = (None if text is None else sendable_text(text) for text in (old, new))
    return TimelineChange(
        field=field.name,
        label=field.rule.label,
        type=field.type,
        old=old,
        new=new,
        old_display=old,
        new_display=new,
        is_truncated=True,
    )


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
