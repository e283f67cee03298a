"""What every database has to offer, and the part of a trigger that is the same on all."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.changes import DEFAULT_ACTIONS, Kind
from django_customer_history.tables import (
    PREFIX,
    Column,
    Counterpart,
    Event,
    Form,
    InstalledTrigger,
    Meaning,
    SubjectPath,
    TrackedColumn,
    TrackedTable,
    Trigger,
)

LOG_COLUMNS: Sequence[str] = (
    "id",
    "timestamp",
    "kind",
    "action",
    "subject_model",
    "subject_id",
    "entity_model",
    "entity_id",
    "entity_label",
    "changes",
    "actor_id",
    "actor_label",
    "source",
    "ip_address",
    "request_id",
    "context",
)

LABEL_LENGTH = 255
_NAME_LENGTH = 28
REFUSAL = "customer history is append-only: {} refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A subject that an entry may belong to."""

    model: str
    id: str
    """SQL of the subject's key as text, or of NULL."""
    condition: str | None = None
    """SQL that must hold for it to differ from the candidates before it at all."""


class Dialect(ABC):
    """The SQL of one family of databases.

    Every method returns SQL; only those that are given a connection run any.
    """

    vendors: ClassVar[tuple[str, ...]]
    events: ClassVar[tuple[Event, ...]] = ("insert", "update", "delete")
    ddl_is_transactional: ClassVar[bool]
    triggers_block_changes: ClassVar[bool] = False
    """Whether a table's schema can only change while no trigger is on it or reads it."""
    error_ends_transaction: ClassVar[bool] = False
    """Whether nothing more can run in a transaction in which a statement failed."""

    def for_server(self, connection: BaseDatabaseWrapper) -> "Dialect":
        """Return the dialect that fits the version of the server."""
        return self

    # -- what stands in the database -----------------------------------------------------

    @abstractmethod
    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        """Return the columns of each of the tables that exists, as they are now."""

    @abstractmethod
    def installed(self, connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
        """Return the triggers of this package in the database."""

    @abstractmethod
    def form(self, column: Column, hint: Form | None) -> Form:
        """Return how to make text of a column; `hint` is what its model field would say."""

    # -- triggers -------------------------------------------------------------------------

    @abstractmethod
    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        """Return the trigger that logs one kind of event on one table."""

    @abstractmethod
    def guards(self, log: str) -> Sequence[Trigger]:
        """Return the triggers that refuse to change or remove entries."""

    @abstractmethod
    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        """Return the SQL that removes a trigger."""

    def prepare_log(self, log: str) -> Sequence[str]:
        """Return the SQL that a new table for the log still needs."""
        return ()

    def replacing(self, connection: BaseDatabaseWrapper, trigger: Trigger) -> Sequence[str]:
        """Return the SQL that creates a trigger or puts it in the place of an older one."""
        return trigger.statements

    @abstractmethod
    def flush(self, statements: Sequence[str], *, log: str, guards: Sequence[Trigger]) -> list[str]:
        """Return Django's SQL that empties the tables, so that the guarded log is emptied too.

        The log comes last, as emptying the other tables may still write to it; `guards` are
        the guards that stand.
        """

    # -- the context ----------------------------------------------------------------------

    @abstractmethod
    def context(self, name: str) -> str:
        """Return the SQL of one part of the context inside a trigger."""

    # -- pieces of SQL --------------------------------------------------------------------

    @abstractmethod
    def quote(self, name: str) -> str:
        """Return a quoted identifier."""

    @abstractmethod
    def cell(self, row: str, column: str) -> str:
        """Return the SQL of a column of the row `NEW` or `OLD`."""

    @abstractmethod
    def text(self, value: str, column: TrackedColumn) -> str:
        """Return the SQL that makes canonical text of a value."""

    @abstractmethod
    def step(self, value: str, *, table: str, key: str, key_type: str, column: str) -> str:
        """Return the SQL of the column of the row of `table` whose key is `value`."""

    @abstractmethod
    def differs(self, one: str, other: str, *, form: Form = Form.TEXT) -> str:
        """Return the SQL that tells two texts or cells apart, NULL included."""

    @abstractmethod
    def changes(self, table: TrackedTable, event: Event) -> str:
        """Return the SQL of the `changes` of an entry."""

    @abstractmethod
    def pair(self, old: str, new: str) -> str:
        """Return the SQL of a JSON array of two texts, as text."""

    @abstractmethod
    def concatenate(self, parts: Sequence[str]) -> str:
        """Return the SQL that joins texts none of which is NULL."""

    @abstractmethod
    def join_words(self, parts: Sequence[str]) -> str:
        """Return the SQL that joins texts by a blank, leaving NULLs out."""

    @abstractmethod
    def insert(
        self,
        log: str,
        values: Mapping[str, str],
        *,
        table: str,
        event: Event,
        condition: str | None,
    ) -> str:
        """Return the statement that writes an entry in a trigger, if the condition holds."""

    def literal(self, text: str) -> str:
        """Return a quoted text."""
        return "'" + text.replace("'", "''") + "'"

    # -- the same on all ------------------------------------------------------------------

    def triggers(self, table: TrackedTable, *, log: str) -> tuple[Trigger, ...]:
        """Return all triggers of a table."""
        events: tuple[Event, ...] = self.events if table.part_of is None else ("update",)
        return tuple(self.trigger(table, event, log=log) for event in events)

    def trigger_name(self, table: TrackedTable, event: Event) -> str:
        """Return the name of one of the triggers of a table."""
        if table.part_of is None:
            return self.name(table.name, event)
        return self.name(f"{table.name} of {table.part_of.table}", event)

    def value(self, row: str, column: TrackedColumn) -> str:
        """Return the SQL of a column's value, from the counterpart where it stands there."""
        if (via := column.via) is None:
            return self.cell(row, column.column.name)
        return self.step(
            self.cell(row, via.link),
            table=via.table,
            key=via.key,
            key_type=via.key_type,
            column=column.column.name,
        )

    def has_counterpart(self, counterpart: Counterpart) -> str:
        """Return the SQL that tells whether the row has its counterpart."""
        found = self.step(
            self.cell("OLD", counterpart.link),
            table=counterpart.table,
            key=counterpart.key,
            key_type=counterpart.key_type,
            column=counterpart.key,
        )
        return f"{found} IS NOT NULL"

    def name(self, table: str, purpose: str) -> str:
        """Return the name of a trigger: readable, unique, within 63 ASCII characters."""
        slug = re.sub(r"[^A-Za-z0-9_]", "_", table)[:_NAME_LENGTH]
        if slug != table:
            slug += "_" + hashlib.sha256(table.encode()).hexdigest()[:6]
        return f"{PREFIX}{slug}_{purpose}"

    def entries(self, table: TrackedTable, event: Event, *, log: str) -> list[str]:
        """Return the statements that write the entries of one event: one for each subject."""
        both: tuple[Event, ...] = ("delete", "insert")
        parts = both if table.relation is not None and event == "update" else (event,)
        # What TRUNCATE removes is deleted, as far as the log is concerned.
        parts = ("delete",) if event == "truncate" else parts
        written = [entry for part in parts for entry in self._entries(table, part, log=log)]
        return [
            self.insert(
                log,
                {**self.clock(number), **values},
                table=table.name,
                event=event,
                condition=condition,
            )
            for number, (values, condition) in enumerate(written)
        ]

    @abstractmethod
    def clock(self, number: int) -> Mapping[str, str]:
        """Return the SQL of `id` and `timestamp` of the trigger's entry with that number."""

    def _entries(
        self, table: TrackedTable, event: Event, *, log: str
    ) -> list[tuple[dict[str, str], str | None]]:
        rows = {"insert": ("NEW",), "update": ("NEW", "OLD"), "delete": ("OLD",)}[event]
        kind = self._kind(table, event)
        common = {
            "kind": self.literal(kind),
            "action": self._action(table, event, kind),
            "entity_model": self.literal(table.entity_model),
            # The key that the row had, should this very update change it.
            "entity_id": self._key(table, rows[-1]),
            "entity_label": self._label(table, rows[0]),
            "changes": self.changes(table, event),
            "actor_id": self.context("actor_id"),
            "actor_label": self.context("actor_label"),
            "source": f"COALESCE({self.context('source')}, 'system')",
            "ip_address": self.context("ip_address"),
            "request_id": self.context("request_id"),
            "context": self.context("context"),
        }
        candidates = [
            candidate
            for path in table.subjects
            for candidate in self._candidates(path, rows, log=log)
        ]
        return [
            ({**common, **subject}, condition) for subject, condition in self._subjects(candidates)
        ]

    def _kind(self, table: TrackedTable, event: Event) -> Kind:
        if table.relation is not None:
            return "remove" if event == "delete" else "add"
        kinds: dict[Event, Kind] = {"insert": "create", "update": "update", "delete": "delete"}
        return kinds[event]

    def _action(self, table: TrackedTable, event: Event, kind: Kind) -> str:
        """Return the SQL of the action: the context's, else what it means, else the kind's."""
        whens = "".join(
            f" WHEN {self._means(meaning)} THEN {self.literal(meaning.action)}"
            for meaning in table.meanings
            if meaning.event == event
        )
        default = self.literal(DEFAULT_ACTIONS[kind])
        named = f"CASE{whens} ELSE {default} END" if whens else default
        return f"COALESCE({self.context('action')}, {named})"

    def _means(self, meaning: Meaning) -> str:
        if (column := meaning.column) is None:
            return "1 = 1"
        new, old = (self.value(row, column) for row in ("NEW", "OLD"))
        tests = []
        if meaning.event == "update":
            tests.append(self.differs(old, new, form=column.form))
        if meaning.value is not None:
            tests.append(f"{self.text(new, column)} = {self.literal(meaning.value)}")
        return " AND ".join(tests)

    def _key(self, table: TrackedTable, row: str) -> str:
        parts = [self.text(self.cell(row, key.column.name), key) for key in table.key]
        if len(parts) == 1:
            return parts[0]
        quoted = [self.json_string(part) for part in parts]
        separated = [piece for part in quoted for piece in (self.literal(","), part)][1:]
        return self.concatenate([self.literal("["), *separated, self.literal("]")])

    @abstractmethod
    def json_string(self, text: str) -> str:
        """Return the SQL of a text as a JSON string, quotes included."""

    def _label(self, table: TrackedTable, row: str) -> str:
        if not table.label:
            return "NULL"
        parts = [self.text(self._label_cell(table, row, part), part) for part in table.label]
        return f"SUBSTR({self.join_words(parts)}, 1, {LABEL_LENGTH})"

    def _label_cell(self, table: TrackedTable, row: str, part: TrackedColumn) -> str:
        if (relation := table.relation) is None:
            return self.value(row, part)
        return self.step(
            self.cell(row, relation.source.column.name),
            table=relation.owner.table,
            key=relation.owner.key,
            key_type=relation.owner.key_type,
            column=part.column.name,
        )

    def _candidates(self, path: SubjectPath, rows: Sequence[str], *, log: str) -> list[Candidate]:
        moved = None
        if len(rows) > 1:
            moved = self.differs(*(self.cell(row, path.column) for row in rows))
            if path.only_for is not None:
                types = (self.cell(row, path.only_for.column) for row in rows)
                moved = f"({moved} OR {self.differs(*types)})"
        return [
            Candidate(
                model=path.model,
                id=self._subject(path, row, log=log if rows == ("OLD",) else None),
                condition=moved if number else None,
            )
            for number, row in enumerate(rows)
        ]

    def _subject(self, path: SubjectPath, row: str, *, log: str | None) -> str:
        """Return the SQL of the subject's key; with `log`, found there where parents are gone."""
        value = self.cell(row, path.column)
        for step in path.steps:
            value = self.step(
                value,
                table=step.table,
                key=step.key,
                key_type=step.key_type,
                column=step.column,
            )
        column = Column(name=path.column, type="")
        text = self.text(value, TrackedColumn(column=column, field="", form=path.form))
        if log is not None and path.steps and path.steps[0].entity_model:
            text = self._unless_gone(text, path, row, log=log)
        if (test := path.only_for) is None:
            return text
        content_type = self.cell(row, test.column)
        table = self.quote(test.table)
        return (
            f"CASE WHEN EXISTS (SELECT 1 FROM {table} WHERE id = {self.number(content_type)}"
            f" AND app_label = {self.literal(test.app_label)}"
            f" AND model = {self.literal(test.model)}) THEN {text} END"
        )

    def _unless_gone(self, text: str, path: SubjectPath, row: str, *, log: str) -> str:
        """Return the SQL of a subject, as it was last logged where the row's parent is gone.

        A cascade of the database's own removes the parent before its children.
        """
        parent, cell = path.steps[0], self.cell(row, path.column)
        exists = self.step(
            cell, table=parent.table, key=parent.key, key_type=parent.key_type, column=parent.key
        )
        column = Column(name=path.column, type="")
        key = self.text(cell, TrackedColumn(column=column, field="", form=parent.key_form))
        return (
            f"CASE WHEN {exists} IS NOT NULL THEN {text} ELSE"
            f" (SELECT subject_id FROM {self.quote(log)}"
            f" WHERE entity_model = {self.literal(parent.entity_model)}"
            f" AND entity_id = {self.in_log(key)}"
            f" AND subject_model = {self.literal(path.model)} ORDER BY id DESC LIMIT 1) END"
        )

    def in_log(self, text: str) -> str:
        """Return the SQL of a text that is compared with a column of the log."""
        return text

    def number(self, value: str) -> str:
        """Return the SQL of a cell as an integer."""
        return value

    def _subjects(self, candidates: Sequence[Candidate]) -> list[tuple[dict[str, str], str | None]]:
        """Return subject columns and condition for each statement: each subject once.

        The first statement takes the first subject that there is, or none; each further
        one writes only where its candidate exists and was not served before.
        """
        if not candidates:
            return [({"subject_model": "NULL", "subject_id": "NULL"}, None)]
        whens = " ".join(
            f"WHEN {one.id} IS NOT NULL THEN {self.literal(one.model)}" for one in candidates
        )
        first = {
            "subject_model": f"CASE {whens} END",
            "subject_id": _coalesce([one.id for one in candidates]),
        }
        statements: list[tuple[dict[str, str], str | None]] = [(first, None)]
        for number, one in enumerate(candidates[1:], start=1):
            before = candidates[:number]
            tests = [one.condition] if one.condition else []
            tests += [
                f"{one.id} IS NOT NULL",
                f"{_coalesce([other.id for other in before])} IS NOT NULL",
                *(self.differs(one.id, other.id) for other in before if other.model == one.model),
            ]
            subject = {"subject_model": self.literal(one.model), "subject_id": one.id}
            statements.append((subject, " AND ".join(tests)))
        return statements


def _coalesce(expressions: Sequence[str]) -> str:
    return expressions[0] if len(expressions) == 1 else f"COALESCE({', '.join(expressions)})"
