"""The entries that a trigger writes: what is the same on all databases."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django_customer_history.backends.expressions import Expressions
from django_customer_history.backends.tables import (
    ActionRule,
    Column,
    Event,
    SubjectPath,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.labels import (
    DEFAULT_ACTIONS,
    Kind,
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
    "user_id",
    "user_label",
    "source",
    "ip_address",
    "request_id",
    "context",
)

LABEL_LENGTH = 255
REASON_REQUIRED = "customer history: a reason is required to {} {}"
"""What the database says; `capture.refusals` makes the error of it that Python sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A subject that an entry may belong to."""

    model: str
    id: str
    """SQL of the subject's key as text, or of NULL."""
    condition: str | None = None
    """SQL that must hold for it to differ from the candidates before it at all."""
    is_sure: bool = False
    """Whether it is never NULL."""


class Entries(Expressions):
    """The statements of a trigger that write what it has to say, one for each subject."""

    @abstractmethod
    def changes(self, table: TrackedTable, event: Event) -> str:
        """Return the SQL of the `changes` of an entry."""

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

    @abstractmethod
    def refuse(self, message: str, *, condition: str | None) -> str:
        """Return the statement that fails the write, if it has no reason and it must have one.

        `condition` is the SQL that must hold besides; None: nothing.
        """

    def is_required(self, table: TrackedTable, column: str) -> bool:
        """Return whether it is sure that no row has NULL in a column when the trigger runs."""
        return False

    @abstractmethod
    def clock(self, number: int) -> Mapping[str, str]:
        """Return the SQL of `id` and `timestamp` of the trigger's entry with that number."""

    def entries(self, table: TrackedTable, event: Event, *, log: str) -> list[str]:
        """Return the statements that write the entries of one event: one for each subject."""
        written = [
            entry
            for part in _parts(table, event)
            for entry in self.entry_values(table, part, log=log)
        ]
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

    def refusals(self, table: TrackedTable, event: Event) -> list[str]:
        """Return the statements that fail a write which has no reason and needs one."""
        parts = _parts(table, event)
        return [
            self.refuse(
                REASON_REQUIRED.format(
                    self._kind(table, demand.event),
                    ".".join(name for name in (table.entity_model, demand.field) if name),
                ),
                condition=self._change_of(demand.column),
            )
            for demand in table.reason_rules
            if demand.event in parts
        ]

    def _change_of(self, column: TrackedColumn | None) -> str | None:
        if column is None:
            return None
        old, new = (self.value(row, column) for row in ("OLD", "NEW"))
        return self.differs(old, new, value_type=column.value_type)

    def entry_values(
        self, table: TrackedTable, event: Event, *, log: str
    ) -> list[tuple[dict[str, str], str | None]]:
        """Return the columns of each entry of an event, its clock left out, and its condition."""
        rows = {"insert": ("NEW",), "update": ("NEW", "OLD"), "delete": ("OLD",)}[event]
        kind = self._kind(table, event)
        common = {
            "kind": self.literal(kind),
            "action": self._action(table, event, kind),
            "entity_model": self.literal(table.entity_model),
            # The key that the row had, should this very update change it.
            "entity_id": self.key(table, rows[-1]),
            "entity_label": self._label(table, rows[0]),
            "changes": self.changes(table, event),
            "user_id": self.context("user_id"),
            "user_label": self.context("user_label"),
            "source": f"COALESCE({self.context('source')}, 'system')",
            "ip_address": self.context("ip_address"),
            "request_id": self.context("request_id"),
            "context": self.context("context"),
        }
        candidates = [
            candidate
            for path in table.subjects
            for candidate in self._candidates(table, path, rows, log=log)
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
            for meaning in table.action_rules
            if meaning.event == event
        )
        default = self.literal(DEFAULT_ACTIONS[kind])
        named = f"CASE{whens} ELSE {default} END" if whens else default
        return f"COALESCE({self.context('action')}, {named})"

    def _means(self, meaning: ActionRule) -> str:
        if (column := meaning.column) is None:
            return "1 = 1"
        new, old = (self.value(row, column) for row in ("NEW", "OLD"))
        tests = []
        if meaning.event == "update":
            tests.append(self.differs(old, new, value_type=column.value_type))
        if meaning.value is not None:
            tests.append(f"{self.text(new, column)} = {self.literal(meaning.value)}")
        return " AND ".join(tests)

    def key(self, table: TrackedTable, row: str) -> str:
        """Return the SQL of the key of the row `NEW` or `OLD`, as entries have it."""
        parts = [self.text(self.cell(row, key.column.name), key) for key in table.key]
        if len(parts) == 1:
            return parts[0]
        quoted = [self.json_string(part) for part in parts]
        separated = [piece for part in quoted for piece in (self.literal(","), part)][1:]
        return self.concatenate([self.literal("["), *separated, self.literal("]")])

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

    def _candidates(
        self, table: TrackedTable, path: SubjectPath, rows: Sequence[str], *, log: str
    ) -> list[Candidate]:
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
                is_sure=not path.steps
                and path.only_for is None
                and self.is_required(table, path.column),
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
        text = self.text(value, TrackedColumn(column=column, field="", value_type=path.value_type))
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
        key = self.text(
            cell, TrackedColumn(column=column, field="", value_type=parent.key_value_type)
        )
        return (
            f"CASE WHEN {exists} IS NOT NULL THEN {text} ELSE"
            f" (SELECT subject_id FROM {self.quote(log)}"
            f" WHERE entity_model = {self.literal(parent.entity_model)}"
            f" AND entity_id = {self.in_log(key)}"
            f" AND subject_model = {self.literal(path.model)} ORDER BY id DESC LIMIT 1) END"
        )

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
        is_first = candidates[0].is_sure
        first = {
            "subject_model": self.literal(candidates[0].model) if is_first else f"CASE {whens} END",
            "subject_id": _coalesce([one.id for one in candidates[: 1 if is_first else None]]),
        }
        statements: list[tuple[dict[str, str], str | None]] = [(first, None)]
        for number, one in enumerate(candidates[1:], start=1):
            before = candidates[:number]
            tests = [one.condition] if one.condition else []
            if not one.is_sure:
                tests.append(f"{one.id} IS NOT NULL")
            if not any(other.is_sure for other in before):
                tests.append(f"{_coalesce([other.id for other in before])} IS NOT NULL")
            tests += [
                self.differs(one.id, other.id) for other in before if other.model == one.model
            ]
            subject = {"subject_model": self.literal(one.model), "subject_id": one.id}
            statements.append((subject, " AND ".join(tests) or None))
        return statements


def _parts(table: TrackedTable, event: Event) -> tuple[Event, ...]:
    """Return what an event is, as far as the log is concerned."""
    if table.relation is not None and event == "update":
        return "delete", "insert"
    return ("delete",) if event == "truncate" else (event,)


def _coalesce(expressions: Sequence[str]) -> str:
    return expressions[0] if len(expressions) == 1 else f"COALESCE({', '.join(expressions)})"
