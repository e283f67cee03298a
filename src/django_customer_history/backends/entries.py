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
from django_customer_history.backends.templates import all_of, call, case, fill
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
"""The message of the database's error; `errors.translate_error` makes an exception of it."""


_FOR_CONTENT_TYPE = """
CASE WHEN EXISTS (
  SELECT 1 FROM {content_types}
  WHERE id = {key} AND app_label = {app_label} AND model = {model}
) THEN {subject} END
"""
_OR_FROM_LOG = """
CASE WHEN {parent} IS NOT NULL THEN {subject}
ELSE (
  SELECT subject_id FROM {log}
  WHERE entity_model = {entity_model} AND entity_id = {entity_id}
    AND subject_model = {subject_model}
  ORDER BY id DESC LIMIT 1
) END
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A subject that an entry may belong to."""

    model: str
    id: str
    """SQL of the subject's key as text, or of NULL."""
    condition: str | None = None
    """SQL that is false if this candidate certainly equals one before it; None: not known."""
    is_never_null: bool = False


class Entries(Expressions):
    """The statements of a trigger that write its entries, one for each subject."""

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
        """Return the statement of a trigger that writes an entry if the condition holds."""

    @abstractmethod
    def require_reason(self, message: str, *, condition: str | None) -> str:
        """Return the statement that refuses a write without a reason.

        `condition` is SQL that must hold as well; None: every write needs a reason.
        """

    def is_required(self, table: TrackedTable, column: str) -> bool:
        """Return whether no row can have NULL in a column when the trigger runs."""
        return False

    @abstractmethod
    def clock(self, number: int) -> Mapping[str, str]:
        """Return the SQL of `id` and `timestamp` of one of the trigger's entries, from 0 on."""

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

    def reason_checks(self, table: TrackedTable, event: Event) -> list[str]:
        """Return the statements that refuse a write without a reason where it needs one."""
        parts = _parts(table, event)
        return [
            self.require_reason(
                REASON_REQUIRED.format(
                    self._kind(table, rule.event),
                    ".".join(name for name in (table.entity_model, rule.field) if name),
                ),
                condition=self._change_of(rule.column),
            )
            for rule in table.reason_rules
            if rule.event in parts
        ]

    def _change_of(self, column: TrackedColumn | None) -> str | None:
        if column is None:
            return None
        old, new = (self.value(row, column) for row in ("OLD", "NEW"))
        return self.differs(old, new, value_type=column.value_type)

    def entry_values(
        self, table: TrackedTable, event: Event, *, log: str
    ) -> list[tuple[dict[str, str], str | None]]:
        """Return the columns of each entry of an event, without its clock, and its condition."""
        rows = {"insert": ("NEW",), "update": ("NEW", "OLD"), "delete": ("OLD",)}[event]
        kind = self._kind(table, event)
        common = {
            "kind": self.literal(kind),
            "action": self._action(table, event, kind),
            "entity_model": self.literal(table.entity_model),
            # An UPDATE may change the key itself: the entry is about the key the row had before.
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
        """Return the SQL of the action: the context's, else that of a rule, else the kind's."""
        whens = [
            (self._matches(rule), self.literal(rule.action))
            for rule in table.action_rules
            if rule.event == event
        ]
        default = self.literal(DEFAULT_ACTIONS[kind])
        named = case(whens, otherwise=default) if whens else default
        return call("COALESCE", [self.context("action"), named])

    def _matches(self, rule: ActionRule) -> str:
        if (column := rule.column) is None:
            return "1 = 1"
        new, old = (self.value(row, column) for row in ("NEW", "OLD"))
        tests = []
        if rule.event == "update":
            tests.append(self.differs(old, new, value_type=column.value_type))
        if rule.value is not None:
            tests.append(f"{self.text(new, column)} = {self.literal(rule.value)}")
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
        return self.lookup(
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
                is_never_null=not path.joins
                and path.only_for is None
                and self.is_required(table, path.column),
            )
            for number, row in enumerate(rows)
        ]

    def _subject(self, path: SubjectPath, row: str, *, log: str | None) -> str:
        """Return the SQL of the subject's key.

        With `log`, the key comes from the log if the row's parent is deleted already.
        """
        value = self.cell(row, path.column)
        for join in path.joins:
            value = self.lookup(
                value,
                table=join.table,
                key=join.key,
                key_type=join.key_type,
                column=join.column,
            )
        column = Column(name=path.column, type="")
        text = self.text(value, TrackedColumn(column=column, field="", value_type=path.value_type))
        if log is not None and path.joins and path.joins[0].entity_model:
            text = self._or_from_log(text, path, row, log=log)
        if (test := path.only_for) is None:
            return text
        return fill(
            _FOR_CONTENT_TYPE,
            content_types=self.table(test.table),
            key=self.number(self.cell(row, test.column)),
            app_label=self.literal(test.app_label),
            model=self.literal(test.model),
            subject=text,
        )

    def _or_from_log(self, text: str, path: SubjectPath, row: str, *, log: str) -> str:
        """Return the SQL of a subject; the last logged one if the row's parent is deleted.

        `ON DELETE CASCADE` in the database deletes a parent before its children.
        """
        parent, cell = path.joins[0], self.cell(row, path.column)
        exists = self.lookup(
            cell, table=parent.table, key=parent.key, key_type=parent.key_type, column=parent.key
        )
        column = Column(name=path.column, type="")
        key = self.text(
            cell, TrackedColumn(column=column, field="", value_type=parent.key_value_type)
        )
        return fill(
            _OR_FROM_LOG,
            parent=exists,
            subject=text,
            log=self.table(log),
            entity_model=self.literal(parent.entity_model),
            entity_id=self.in_log(key),
            subject_model=self.literal(path.model),
        )

    def _subjects(self, candidates: Sequence[Candidate]) -> list[tuple[dict[str, str], str | None]]:
        """Return subject columns and condition for each statement, so that no subject comes twice.

        The first statement takes the first subject that exists, or none. Each further statement
        writes only if its candidate exists and is not the subject of an earlier statement.
        """
        if not candidates:
            return [({"subject_model": "NULL", "subject_id": "NULL"}, None)]
        whens = [(f"{one.id} IS NOT NULL", self.literal(one.model)) for one in candidates]
        is_certain = candidates[0].is_never_null
        first = {
            "subject_model": (self.literal(candidates[0].model) if is_certain else case(whens)),
            "subject_id": _coalesce([one.id for one in candidates[: 1 if is_certain else None]]),
        }
        statements: list[tuple[dict[str, str], str | None]] = [(first, None)]
        for number, one in enumerate(candidates[1:], start=1):
            before = candidates[:number]
            tests = [one.condition] if one.condition else []
            if not one.is_never_null:
                tests.append(f"{one.id} IS NOT NULL")
            if not any(other.is_never_null for other in before):
                tests.append(f"{_coalesce([other.id for other in before])} IS NOT NULL")
            tests += [
                self.differs(one.id, other.id) for other in before if other.model == one.model
            ]
            subject = {"subject_model": self.literal(one.model), "subject_id": one.id}
            statements.append((subject, all_of(tests) or None))
        return statements


def _parts(table: TrackedTable, event: Event) -> tuple[Event, ...]:
    """Return the events of the log that an event of the database is."""
    if table.relation is not None and event == "update":
        return "delete", "insert"
    return ("delete",) if event == "truncate" else (event,)


def _coalesce(expressions: Sequence[str]) -> str:
    return expressions[0] if len(expressions) == 1 else call("COALESCE", expressions)
