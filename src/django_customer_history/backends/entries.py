"""The entries that a trigger writes: what is the same on all databases."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from django_customer_history.backends.subjects import Subjects
from django_customer_history.backends.tables import (
    ActionRule,
    Event,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.backends.templates import all_of, call, case
from django_customer_history.labels import (
    DEFAULT_ACTIONS,
    Kind,
)
from django_customer_history.values.types import ValueType

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
    "primary_id",
)

LOG_TYPES: Mapping[str, ValueType] = dict.fromkeys(LOG_COLUMNS, ValueType.TEXT) | {
    "id": ValueType.UUID,
    "timestamp": ValueType.DATETIME,
    "changes": ValueType.JSON,
    "request_id": ValueType.UUID,
    "context": ValueType.JSON,
}
"""The types of the columns of the log."""

SEAL_TYPES: Mapping[str, ValueType] = {
    "id": ValueType.INTEGER,
    "timestamp": ValueType.DATETIME,
    "log_name": ValueType.TEXT,
    "start": ValueType.INTEGER,
    "size": ValueType.INTEGER,
    "is_late": ValueType.BOOLEAN,
    "first_key": ValueType.UUID,
    "last_key": ValueType.UUID,
    "index": ValueType.BINARY,
    "edge": ValueType.BINARY,
    "manifest": ValueType.TEXT,
    "checkpoint": ValueType.TEXT,
}
"""The types of the columns of the seals."""

LABEL_LENGTH = 255
REASON_REQUIRED = "customer history: a reason is required to {} {}"
"""The message of the database's error; `errors.translate_error` makes an exception of it."""


WrittenEntry = tuple[dict[str, str], str | None]
"""The SQL of the columns of an entry, without its clock, and of its condition."""


class Entries(Subjects):
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
        table: TrackedTable,
        event: Event,
        condition: str | None,
    ) -> str:
        """Return the statement of a trigger that writes an entry if the condition holds."""

    @abstractmethod
    def require_reason(self, message: str, *, condition: str | None) -> str:
        """Return the statement that refuses a write without a reason.

        `condition` is SQL that must hold as well; None: every write needs a reason.
        """

    @abstractmethod
    def clock(self, number: int) -> Mapping[str, str]:
        """Return the SQL of `id` and `timestamp` of one of the trigger's entries, from 0 on."""

    def entries(self, table: TrackedTable, event: Event, *, log: str) -> list[str]:
        """Return the statements that write the entries of one event: one for each subject."""
        statements: list[str] = []
        number = 0
        for part in _parts(table, event):
            written = self.entry_values(table, part, log=log)
            statements += self.entries_of_change(written, number, table, event, log=log)
            number += len(written)
        return statements

    def entries_of_change(
        self,
        written: Sequence[WrittenEntry],
        number: int,
        table: TrackedTable,
        event: Event,
        *,
        log: str,
    ) -> list[str]:
        """Return the statements that write the entries of one change, from `number` on.

        The first entry is the primary one, to which the others refer.
        """
        return [
            self.insert(
                log,
                {**self.clock(number + offset), **values, **self.tie(offset, of=len(written))},
                table=table,
                event=event,
                condition=condition,
            )
            for offset, (values, condition) in enumerate(written)
        ]

    @abstractmethod
    def tie(self, offset: int, *, of: int) -> Mapping[str, str]:
        """Return the columns that tie one of several entries of a change to the first of them."""

    def reason_checks(self, table: TrackedTable, event: Event) -> list[str]:
        """Return the statements that refuse a write without a reason where it needs one."""
        parts = _parts(table, event)
        return [
            self.require_reason(
                REASON_REQUIRED.format(
                    self._kind(table, rule.event),
                    ".".join(name for name in (table.entity_model, rule.field) if name),
                ),
                condition=self._change_of(rule.column)
                or self.condition_of_links(table, "NEW" if rule.event == "insert" else "OLD"),
            )
            for rule in table.reason_rules
            if rule.event in parts
        ]

    def _change_of(self, column: TrackedColumn | None) -> str | None:
        if column is None:
            return None
        old, new = (self.value(row, column) for row in ("OLD", "NEW"))
        return self.differs(old, new, value_type=column.value_type)

    def entry_values(self, table: TrackedTable, event: Event, *, log: str) -> list[WrittenEntry]:
        """Return the columns of each entry of an event, without its clock, and its condition."""
        rows = {"insert": ("NEW",), "update": ("NEW", "OLD"), "delete": ("OLD",)}[event]
        kind = self._kind(table, event)
        always = self.condition_of_links(table, rows[-1])
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
            "primary_id": "NULL",
        }
        candidates = self._candidates(table, rows, log=log)
        return [
            ({**common, **subject}, all_of([test for test in (always, condition) if test]) or None)
            for subject, condition in self._subjects(candidates)
        ]

    def condition_of_links(self, table: TrackedTable, row: str) -> str | None:
        """Return the SQL of whether a link belongs to a row of the model, and not of its parent."""
        if table.relation is None:
            return None
        ways = [way for way in (table.part_of, table.relation.whole) if way]
        return all_of([self.exists(row, way) for way in ways]) or None

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

    def _label(self, table: TrackedTable, row: str) -> str:
        if not table.label:
            return "NULL"
        parts = [self.text(self.value(row, part), part) for part in table.label]
        return f"SUBSTR({self.join_words(parts)}, 1, {LABEL_LENGTH})"


class ExistingRowEntries(Entries):
    """The SQL of entries about rows that are in a table already."""

    @abstractmethod
    def existing_rows_source(
        self, table: str, condition: str, columns: Iterable[TrackedColumn]
    ) -> str:
        """Return the FROM of a query in which `NEW` is each existing row of a table.

        `condition` is SQL over the bare columns; `columns` are those that are read. The context
        and the clock are as in a trigger.
        """


def _parts(table: TrackedTable, event: Event) -> tuple[Event, ...]:
    """Return the events of the log that an event of the database is."""
    if table.relation is not None and event == "update":
        return "delete", "insert"
    return ("delete",) if event == "truncate" else (event,)
