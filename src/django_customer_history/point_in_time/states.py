"""What a row held at a moment, put together from what changed before and after it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange(Generic[Value]):
    """What one entry tells of a row."""

    kind: str
    changes: Mapping[str, tuple[Value, Value]]
    is_baseline: bool = False
    links: Mapping[str, tuple[str, Value]] = field(default_factory=dict)
    """For links: by relation, what names the linked record, and its value."""

    @property
    def tells_nothing(self) -> bool:
        """Whether it is an event that changed no row."""
        return self.kind == "event" and not self.is_baseline


@dataclass(slots=True)
class RecordState(Generic[Value]):
    """A row at a moment, as far as its entries tell.

    It is given the entries before the moment, the newest first, and then, unless it is
    complete, those after it, the newest first too.
    """

    values: dict[str, Value] = field(default_factory=dict)
    exists: bool | None = None
    """None: nothing is known of the row."""
    is_complete: bool = False
    """Whether nothing older can matter: a field without a value was null."""
    _links: dict[str, dict[str, Value | None]] = field(default_factory=lambda: defaultdict(dict))
    _later: dict[str, Value] = field(default_factory=dict)
    _later_links: dict[str, dict[str, Value | None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _was_later: bool = False

    @property
    def links(self) -> dict[str, list[Value]]:
        """The values of the linked records, by relation, in the order of their keys."""
        return {
            name: [
                value for key in sorted(linked, key=_in_order) if (value := linked[key]) is not None
            ]
            for name, linked in self._links.items()
        }

    def look_back(self, told: "StateChange[Value]") -> None:
        """Take in an entry before the moment; each older than the one before."""
        if self.is_complete or told.tells_nothing:
            return
        if told.kind == "delete":
            # Nothing newer than it: the row was gone. Else this is of a former life.
            self.exists = bool(self.exists)
            self.is_complete = True
            return
        self.exists = True
        if told.links:
            for name, (key, value) in told.links.items():
                self._links[name].setdefault(key, None if told.kind == "remove" else value)
            return
        for name, (_old, new) in told.changes.items():
            self.values.setdefault(name, new)
        self.is_complete = told.kind == "create"

    def look_ahead(self, told: "StateChange[Value]") -> None:
        """Take in an entry after the moment; each older than the one before."""
        if told.tells_nothing:
            return
        if told.kind == "create":
            self._later.clear()
            self._later_links.clear()
            self._was_later = False
            return
        self._was_later = True
        if told.links:
            for name, (key, value) in told.links.items():
                was_there = told.kind == "remove" or told.is_baseline
                self._later_links[name][key] = value if was_there else None
            return
        for name, (old, new) in told.changes.items():
            self._later[name] = new if told.is_baseline else old

    def settle(self) -> None:
        """Take what came later for what it tells of before, where nothing older tells."""
        if self.is_complete:
            return
        if self.exists is None and self._was_later:
            self.exists = True
        if self.exists:
            self.values = {**self._later, **self.values}
            for name, linked in self._later_links.items():
                self._links[name] = {**linked, **self._links[name]}


def _in_order(key: str) -> tuple[int, str]:
    # Keys are text here, and 10 comes after 9.
    return len(key), key
