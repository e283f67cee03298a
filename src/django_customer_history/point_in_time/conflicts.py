"""What an undo did, what stood in its way, and what it left out."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from django_customer_history.models import Entry

Reason = Literal[
    "changed", "exists", "missing", "replaced", "referenced", "parent", "value", "invalid",
    "unique", "refused",
]  # fmt: skip

CONFLICTS: Mapping[Reason, str | Promise] = {
    "changed": gettext_lazy("The value was changed again since."),
    "exists": gettext_lazy("A record with this key exists."),
    "missing": gettext_lazy("The record does not exist any more."),
    "replaced": gettext_lazy("The record was deleted since. Another one has its key now."),
    "referenced": gettext_lazy("Other records belong to this record."),
    "parent": gettext_lazy("A record that this one refers to does not exist."),
    "value": gettext_lazy("The history does not store this value. Give one."),
    "invalid": gettext_lazy("The former value is not valid today."),
    "unique": gettext_lazy("Another record has this value, which must be unique."),
    "refused": gettext_lazy("The database refuses the former values."),
}
"""What each reason means, for people."""

Omission = Literal[
    "event", "secret", "unlogged", "unknown", "unregistered", "unchanged", "file", "link"
]

OMISSIONS: Mapping[Omission, str | Promise] = {
    "event": gettext_lazy("This entry changed no record."),
    "secret": gettext_lazy("Secret values are not stored in the history."),
    "unlogged": gettext_lazy("The history does not store this field. It has its default value."),
    "unknown": gettext_lazy("The field does not exist any more."),
    "unregistered": gettext_lazy("The history does not track records of this kind any more."),
    "unchanged": gettext_lazy("This is already as it was before."),
    "file": gettext_lazy("The name of the file is back, but the file itself is missing."),
    "link": gettext_lazy("The history stores only that records were linked."),
}
"""What each omission means, for people."""

FORCEABLE: frozenset[Reason] = frozenset({"changed", "referenced", "invalid"})
"""The conflicts that `force` overrules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A change that was not undone, because the record is not as the change left it."""

    entry: Entry
    reason: Reason
    field: str | None = None
    """None: the whole row, or a link."""
    expected: str | None = None
    """What the entry left, as text of the log."""
    current: str | None = None
    """What is there now, as text of the log."""
    former: str | None = None
    """What the undo would write, as text of the log."""
    detail: str = ""
    """What is in the way. It can contain values: do not show it without permissions."""

    @property
    def message(self) -> str:
        """The conflict in words, without any value."""
        return str(CONFLICTS[self.reason])

    @property
    def is_forceable(self) -> bool:
        """Whether `force` overrules the conflict."""
        return self.reason in FORCEABLE

    def __str__(self) -> str:
        field = "" if self.field is None else f".{self.field}"
        detail = f" {self.detail}" if self.detail else ""
        return f"{self.entry.entity_model} {self.entry.entity_id}{field}: {self.message}{detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A part of an entry that an undo leaves as it is, or cannot bring back as it was."""

    entry: Entry
    reason: Omission
    field: str | None = None

    @property
    def message(self) -> str:
        """The reason in words."""
        return str(OMISSIONS[self.reason])

    def __str__(self) -> str:
        field = "" if self.field is None else f".{self.field}"
        return f"{self.entry.entity_model} {self.entry.entity_id}{field}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The result of an undo."""

    done: tuple[Entry, ...] = ()
    """The entries that were undone, the newest first; of some, only fields without a conflict."""
    conflicts: tuple[Conflict, ...] = ()
    """What was not undone."""
    skipped: tuple[Skipped, ...] = ()
    """What the history cannot bring back."""
    written: tuple[Entry, ...] = ()
    """The entries that the undo has written; in a dry run, those that it would write."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing stood in the way."""
        return not self.conflicts


class BlockedError(Exception):
    """Nothing of a step is written."""


_TRUE_WITHOUT_WRITING = ("unchanged", "secret", "unknown")


@dataclass(kw_only=True)
class Report:
    """What is in the way of one step, and what it leaves out."""

    entries: Sequence[Entry]
    """The entries of the step, the newest first."""
    conflicts: list[Conflict] = dataclasses.field(default_factory=list)
    skipped: list[Skipped] = dataclasses.field(default_factory=list)

    def conflict(self, reason: Reason, name: str | None = None, **texts: Any) -> None:
        """Add a conflict about a field, or about the row."""
        self.conflicts.append(
            Conflict(entry=self._entry_of(name), reason=reason, field=name, **texts)
        )

    def block(self, reason: Reason, name: str | None = None, **texts: Any) -> NoReturn:
        """Add a conflict, and write nothing of the step."""
        self.conflict(reason, name, **texts)
        raise BlockedError

    def skip(self, reason: Omission, name: str | None = None) -> None:
        """Add an omission."""
        one = Skipped(entry=self._entry_of(name), reason=reason, field=name)
        if one not in self.skipped:
            self.skipped.append(one)

    def has(self, *reasons: Reason) -> bool:
        """Return whether there is a conflict for one of some reasons."""
        return any(one.reason in reasons for one in self.conflicts)

    def nothing_written(self) -> None:
        """Forget omissions that are only true if the step writes something."""
        self.skipped = [one for one in self.skipped if one.reason in _TRUE_WITHOUT_WRITING]

    def _entry_of(self, name: str | None) -> Entry:
        return next((one for one in self.entries if name in one.changes), self.entries[0])


UNDOES = "undoes"
"""The key in the context of an entry for the ids of the entries that it undoes."""


def undone_by(entry: Entry) -> tuple[UUID, ...]:
    """Return the ids of the entries that an entry undoes; empty for other entries."""
    context = entry.context if isinstance(entry.context, dict) else {}
    return tuple(UUID(str(one)) for one in context.get(UNDOES, ()))
