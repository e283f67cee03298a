"""The state of a row at a moment, computed from the changes before and after the moment."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange(Generic[Value]):
    """The part of an entry that matters to the state of a row."""

    kind: str
    changes: Mapping[str, tuple[Value, Value]]
    """Old and new value by field."""
    is_baseline: bool = False
    links: Mapping[str, tuple[str, Value]] = field(default_factory=dict)
    """If links changed: by many-to-many field, the key of the linked record and its value."""

    @property
    def changes_no_row(self) -> bool:
        """Whether the entry is an event without any change of the row."""
        return self.kind == "event" and not self.is_baseline


@dataclass(slots=True)
class RecordState(Generic[Value]):
    """The state of a row at a moment, as far as its entries are known.

    Pass it the entries up to the moment with `look_back`, the newest first, until it is
    complete. If it does not become complete, pass it the entries after the moment with
    `look_ahead`, the newest first, too. Then call `settle`.
    """

    values: dict[str, Value] = field(default_factory=dict)
    exists: bool | None = None
    """None: the log does not know the row."""
    is_complete: bool = False
    """Whether older entries do not matter: a field without a value was null."""
    _links: dict[str, dict[str, Value | None]] = field(default_factory=lambda: defaultdict(dict))
    _later: dict[str, Value] = field(default_factory=dict)
    _later_links: dict[str, dict[str, Value | None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _existed_later: bool = False

    @property
    def links(self) -> dict[str, list[Value]]:
        """The values of the linked records by many-to-many field, in the order of their keys."""
        return {
            name: [
                value
                for key in sorted(linked, key=_numeric_order)
                if (value := linked[key]) is not None
            ]
            for name, linked in self._links.items()
        }

    def look_back(self, change: "StateChange[Value]") -> None:
        """Take in an entry up to the moment. Each is older than the one passed before."""
        if self.is_complete or change.changes_no_row:
            return
        if change.kind == "delete":
            # If a newer entry exists, another row had the same key later. Else there is no row.
            self.exists = bool(self.exists)
            self.is_complete = True
            return
        self.exists = True
        if change.links:
            for name, (key, value) in change.links.items():
                self._links[name].setdefault(key, None if change.kind == "remove" else value)
            return
        for name, (_old, new) in change.changes.items():
            self.values.setdefault(name, new)
        self.is_complete = change.kind == "create"

    def look_ahead(self, change: "StateChange[Value]") -> None:
        """Take in an entry after the moment. Each is older than the one passed before."""
        if change.changes_no_row:
            return
        if change.kind == "create":
            # What was passed before is of a row that did not exist at the moment.
            self._later.clear()
            self._later_links.clear()
            self._existed_later = False
            return
        self._existed_later = True
        if change.links:
            for name, (key, value) in change.links.items():
                was_linked = change.kind == "remove" or change.is_baseline
                self._later_links[name][key] = value if was_linked else None
            return
        for name, (old, new) in change.changes.items():
            self._later[name] = new if change.is_baseline else old

    def settle(self) -> None:
        """Fill fields that no older entry has with the old values of later changes."""
        if self.is_complete:
            return
        if self.exists is None and self._existed_later:
            self.exists = True
        if self.exists:
            # In the order of time, the newest first.
            self.values |= {
                name: value for name, value in self._later.items() if name not in self.values
            }
            for name, linked in self._later_links.items():
                self._links[name] = {**linked, **self._links[name]}


def _numeric_order(key: str) -> tuple[int, str]:
    # Keys are text here: 10 has to come after 9.
    return len(key), key
