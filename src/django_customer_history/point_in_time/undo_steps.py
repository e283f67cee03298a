"""From entries to the steps that take them back, in an order that the database accepts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django_customer_history.models import Entry
from django_customer_history.registration.registry import Registration, label_of, registry

Change = tuple[str | None, str | None]
Row = tuple[str, str]
"""The label of a model and the key of a row."""


@dataclass(frozen=True, kw_only=True)
class UndoStep:
    """One change of one row, or of one link, that is taken back."""

    entries: tuple[Entry, ...]
    """The entries about the change, the newest first: one for each subject, or merged updates."""
    registration: Registration
    changes: Mapping[str, Change]

    @property
    def kind(self) -> str:
        """The kind of the entries."""
        return self.entries[0].kind

    @property
    def entry(self) -> Entry:
        """The newest of the entries."""
        return self.entries[0]

    @property
    def row(self) -> Row:
        """The row, or the one whose link it is."""
        return self.entry.entity_model, self.entry.entity_id

    @property
    def is_of_row(self) -> bool:
        """Whether it is about a row, and not about a link."""
        return self.kind not in ("add", "remove")

    @property
    def changes_key(self) -> bool:
        """Whether the key of the row was changed."""
        return self.kind == "update" and any(
            one.name in self.changes for one in self.registration.model._meta.pk_fields
        )

    @property
    def created_rows(self) -> list[Row]:
        """The rows that exist again after the step: the row, and its parts in other tables."""
        if self.kind != "delete":
            return []
        models = [self.registration.model, *self.registration.model._meta.get_parent_list()]
        return [(label_of(model), self.entry.entity_id) for model in models]


def undo_steps(entries: Iterable[Entry]) -> list[UndoStep]:
    """Return the steps for entries of registered models, the newest change first.

    A change of a row with several subjects has an entry for each, but is one step. Updates of
    one row that follow each other become one step.
    """
    steps: list[UndoStep] = []
    for group in reversed(_groups(sorted(entries, key=lambda one: one.id))):
        registration = registry.find(group[0].entity_model)
        if registration is None:
            continue
        newest_first = tuple(reversed(group))
        step = UndoStep(
            entries=newest_first,
            registration=registration,
            changes={name: (old, new) for name, (old, new) in group[0].changes.items()},
        )
        merged = _merged(steps[-1], step) if steps else None
        if merged is None:
            steps.append(step)
        else:
            steps[-1] = merged
    return steps


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the entries about the same change together, in the order of the changes."""
    groups: list[list[Entry]] = []
    last: dict[Row, list[Entry]] = {}
    for entry in entries:
        row = entry.entity_model, entry.entity_id
        group = last.get(row)
        if group is None or not _is_of_same_change(group, entry):
            group = last[row] = []
            groups.append(group)
        group.append(entry)
    return groups


def _is_of_same_change(group: Sequence[Entry], entry: Entry) -> bool:
    first = group[0]
    subjects = {(one.subject_model, one.subject_id) for one in group}
    return (
        (first.kind, first.changes, first.request_id, first.context)
        == (entry.kind, entry.changes, entry.request_id, entry.context)
    ) and (entry.subject_model, entry.subject_id) not in subjects


def _merged(newer: UndoStep, older: UndoStep) -> UndoStep | None:
    """Return one step for two updates of a row; None if they have to stay two steps."""
    is_possible = (
        newer.kind == older.kind == "update"
        and newer.row == older.row
        and not newer.changes_key
        and not older.changes_key
        and not _mixes_keys(newer, older)
        and all(
            older.changes[name][1] == newer.changes[name][0]
            for name in newer.changes.keys() & older.changes.keys()
        )
    )
    if not is_possible:
        return None
    changes = dict(newer.changes)
    for name, (old, new) in older.changes.items():
        changes[name] = (old, changes.get(name, (None, new))[1])
    return UndoStep(
        entries=(*newer.entries, *older.entries),
        registration=newer.registration,
        changes=changes,
    )


def _mixes_keys(newer: UndoStep, older: UndoStep) -> bool:
    """Return whether one step has a JSON field as a whole and the other has keys of it."""
    return any(
        name.partition(".")[0] in other.changes
        for one, other in ((newer, older), (older, newer))
        for name in one.changes
        if "." in name
    )
