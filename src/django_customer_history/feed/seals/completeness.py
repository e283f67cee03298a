"""Compare the tables with the log: every write that has no entry, and what lets one pass.

No finding has a value of a field: values may be confidential.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.capture.model_replay import ModelReplay, model_replays
from django_customer_history.capture.partitions import log_parts_missing
from django_customer_history.capture.problems import problems
from django_customer_history.capture.replay import Difference
from django_customer_history.capture.tracked_rows import tracked_rows
from django_customer_history.capture.triggers import has_log
from django_customer_history.feed.seals.findings import Finding
from django_customer_history.models import Entry
from django_customer_history.values.conditions import of_few

_PAUSE = "customer_history.pause"
_HIGHEST_KEY = UUID(int=2**128 - 1)


@dataclass(kw_only=True)
class Completeness:
    """Compares the tables of one database with its log; `run` yields what is wrong."""

    using: str
    show: Callable[[int, int], None] = lambda _done, _total: None
    """Is called with the number of entries and rows that were read, and of all of them."""
    rows: int = 0
    entries: int = 0
    unlogged_rows: dict[str, int] = field(default_factory=dict)
    """Rows without any entry, of models whose log may not know all rows, by the model's label."""
    paused: int = 0
    """Differences from times when the history was paused. The log says who paused it and why."""

    def run(self) -> Iterator[Finding]:
        """Yield what is wrong, and count what was compared."""
        yield from capture_findings(self.using)
        if not has_log(self._connection):
            return
        replays = model_replays(tracked_rows(self._connection))
        total = sum(one.total() for one in replays)
        for replay in replays:
            if replay.own.is_hidden():
                yield _hidden(replay.own.table.name)
                continue
            if hidden := [one for one in replay.links if one.is_hidden()]:
                yield _hidden(hidden[0].table.name)
                continue
            yield from self._compared(replay, total)
        if not replays:
            text = f"No registered model has its table in the database {self.using!r}."
            yield Finding(kind="capture", text=f"{text} Nothing was compared.")

    def _compared(self, replay: ModelReplay, total: int) -> Iterator[Finding]:
        if not replay.history.is_started:
            yield Finding(
                kind="missing",
                text=f"The log does not say since when {replay.label} is tracked. Run migrate.",
            )
        for read, keys in replay.differing_keys():
            self.entries += read
            self.show(self.rows + self.entries, total)
            for key in keys:
                for one in replay.differences(key):
                    yield from self._finding(replay, key, one)
        for read, keys in replay.unlogged_keys():
            self.rows += read
            self.show(self.rows + self.entries, total)
            for key in keys:
                if replay.history.knows_all_rows:
                    added = Difference(text="was added without an entry", since=LOWEST_KEY)
                    yield from self._finding(replay, key, added)
                else:
                    known = self.unlogged_rows
                    known[replay.label] = known.get(replay.label, 0) + 1

    def _finding(self, replay: ModelReplay, key: str, difference: Difference) -> Iterator[Finding]:
        until = difference.until or _HIGHEST_KEY
        if any(start < until and end > difference.since for start, end in self._pauses):
            self.paused += 1
            return
        before = "" if difference.until is None else f" before entry {difference.until}"
        text = _printable(f"{replay.label} {key}: {difference.text}{before}.")
        yield Finding(kind="unlogged", text=text, entry=difference.until)

    @cached_property
    def _pauses(self) -> list[tuple[UUID, UUID]]:
        """The first and the last entry of each pause of the history."""
        entries = (
            Entry.objects.using(self.using).filter(of_few("entity_model", _PAUSE)).order_by("id")
        )
        found: dict[str, tuple[UUID, UUID]] = {}
        for pause, entry in entries.values_list("entity_id", "id").iterator():
            found[pause] = (found[pause][0] if pause in found else entry, entry)
        return list(found.values())

    @property
    def _connection(self) -> BaseDatabaseWrapper:
        return connections[self.using]


def capture_findings(using: str) -> Iterator[Finding]:
    """Yield what is wrong with the triggers and the protection of the log in a database."""
    for problem in problems(using):
        if not problem.is_advice:
            text = problem.text[:1].upper() + problem.text[1:]
            yield Finding(kind="capture", text=f"{text}. {problem.hint}")
    for text in log_parts_missing(connections[using]):
        yield Finding(kind="missing", text=text)


def _hidden(table: str) -> Finding:
    return Finding(
        kind="capture",
        text=f"Row-level security hides rows of {table} from this role, so they cannot be compared."
        " Run the command as the owner of the table.",
    )


def _printable(text: str) -> str:
    """Return a text without characters that control a terminal."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "replace").decode()
        for one in text
    )
