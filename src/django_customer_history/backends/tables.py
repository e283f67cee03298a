"""A tracked table as the backends see it: columns, the way to the subject, triggers.

Nothing here knows Django's models or a database's SQL.
"""

from dataclasses import dataclass
from typing import Literal

from django_customer_history.values.types import ValueType

PREFIX = "customer_history_"
"""Every trigger, function and session variable of this package starts with it."""

Event = Literal["insert", "update", "delete", "truncate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table as it stands in the database now."""

    name: str
    type: str
    """The type in the database's own words, lower case."""
    required: bool = False
    """Whether the database refuses every row that has no value there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritanceJoin:
    """The row of another table that is part of the same entity: multi-table inheritance."""

    table: str
    key: str
    key_type: str
    link: str
    """The column of the tracked table whose value is the key of the counterpart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedColumn:
    """A column whose value goes into entries."""

    column: Column
    field: str
    """The name under which entries show it: the model field's, else the column's."""
    value_type: ValueType
    places: int = 0
    """Digits after the decimal point (`ValueType.DECIMAL` only)."""
    secret: bool = False
    via: InheritanceJoin | None = None
    """Set where the column stands in the table of a counterpart."""
    by_key: bool = False
    """Whether each key of the JSON object is logged as a field of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRule:
    """What an event is called, where a column has changed, or has got a value."""

    event: Event
    action: str
    column: TrackedColumn | None = None
    """None: whatever changed."""
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRule:
    """An event that is refused unless the context says why it happens."""

    event: Event
    field: str | None = None
    """What the refusal names; None: the event as a whole."""
    column: TrackedColumn | None = None
    """Only where this column changes; None: always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """One hop on the way to the subject: in `table`, from `key` to `column`."""

    table: str
    key: str
    key_type: str
    column: str
    entity_model: str = ""
    """The label under which the log knows rows of the table, where `key` is their key."""
    key_value_type: ValueType = ValueType.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPath:
    """How to find the subject of a row: start at a column, follow the steps."""

    model: str
    """Label of the subject's model: `crm.customer`."""
    column: str
    value_type: ValueType
    """ValueType of the subject's key."""
    steps: tuple[Join, ...] = ()
    only_for: "ContentTypeTest | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTypeTest:
    """A generic foreign key leads to the subject only where the content type is this one."""

    table: str
    column: str
    app_label: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedTable:
    """Everything that a backend needs to write the triggers of one table."""

    name: str
    entity_model: str
    key: tuple[TrackedColumn, ...]
    columns: tuple[TrackedColumn, ...]
    hidden: tuple[str, ...] = ()
    """Columns that are not logged: excluded ones and the key."""
    layout: tuple[Column, ...] = ()
    """All columns as they are now, in their order; empty where nobody needs to know."""
    only_listed: bool = False
    """Whether columns that are neither listed nor hidden stay out of the log."""
    label: tuple[TrackedColumn, ...] = ()
    subjects: tuple[SubjectPath, ...] = ()
    inherited: tuple[InheritanceJoin, ...] = ()
    """The rows of parents, created before and deleted after the row itself."""
    part_of: InheritanceJoin | None = None
    """For a parent's table: only rows that have this counterpart, and only their updates."""
    action_rules: tuple[ActionRule, ...] = ()
    """The first that fits names the action."""
    reason_rules: tuple[ReasonRule, ...] = ()
    """What is refused without a reason."""
    relation: "Relation | None" = None
    """Set for the table behind a many-to-many field."""

    def requires(self, column: str) -> bool:
        """Return whether a column of the layout is required."""
        return any(one.required for one in self.layout if one.name == column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A many-to-many field: a row of its table is an `add`, its removal a `remove`."""

    field: str
    source: TrackedColumn
    target: TrackedColumn
    owner: Join
    """The way to the row whose field it is; its label stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger as it should stand in the database."""

    table: str
    name: str
    body: str
    """What the database keeps of it and gives back, to tell a stale one from a good one."""
    statements: tuple[str, ...]
    """The SQL that creates or replaces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledTrigger:
    """A trigger of this package as it was found in the database."""

    table: str
    name: str
    body: str
