"""A tracked table as the backends see it: its columns, the paths to its subjects, its triggers.

Nothing here depends on Django's models or on the SQL of one database.
"""

from dataclasses import dataclass
from typing import Literal

from django_customer_history.values.types import ValueType

PREFIX = "customer_history_"
"""Every trigger, function and session variable of this package starts with it."""

Event = Literal["insert", "update", "delete", "truncate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table as it is in the database now."""

    name: str
    type: str
    """The database's name for the type, in lower case."""
    required: bool = False
    """Whether the database refuses a row that has no value there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritanceJoin:
    """How to find the other part of a row that multi-table inheritance keeps in two tables."""

    table: str
    key: str
    key_type: str
    link: str
    """The column of the tracked table whose value is the key of the other part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedColumn:
    """A column whose value goes into entries."""

    column: Column
    field: str
    """The name under which entries show it: the model field's, else the column's."""
    value_type: ValueType
    decimal_places: int = 0
    """Digits after the decimal point (`ValueType.DECIMAL` only)."""
    secret: bool = False
    via: InheritanceJoin | None = None
    """Set if the column is in the table of a parent."""
    by_key: bool = False
    """Whether each key of the JSON object is logged as a separate field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRule:
    """The action of an event in which a column changed, or got a certain value."""

    event: Event
    action: str
    column: TrackedColumn | None = None
    """None: any change."""
    value: str | None = None
    """The canonical text of the new value; None: any value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRule:
    """An event that is refused unless the context says why it happens."""

    event: Event
    field: str | None = None
    """The field that the error names; None: the event as a whole."""
    column: TrackedColumn | None = None
    """Only if this column changes; None: always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """One step of a path to a subject: in `table`, from `key` to `column`."""

    table: str
    key: str
    key_type: str
    column: str
    entity_model: str = ""
    """The model label of the table's rows in the log; empty if `key` is not their primary key."""
    key_value_type: ValueType = ValueType.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPath:
    """How to find the subject of a row: start at a column, follow the joins."""

    model: str
    """Label of the subject's model: `crm.customer`."""
    column: str
    value_type: ValueType
    """Type of the subject's key."""
    joins: tuple[Join, ...] = ()
    only_for: "ContentTypeTest | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTypeTest:
    """The content type that a generic foreign key must have to lead to the subject."""

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
    """All columns as they are now, in their order; empty if the triggers do not depend on it."""
    only_listed: bool = False
    """Whether columns that are neither listed nor hidden stay out of the log."""
    label: tuple[TrackedColumn, ...] = ()
    subjects: tuple[SubjectPath, ...] = ()
    inherited: tuple[InheritanceJoin, ...] = ()
    """The rows of parents, created before and deleted after the row itself."""
    part_of: InheritanceJoin | None = None
    """For a parent's table: only updates are logged, and only of rows that have this child."""
    action_rules: tuple[ActionRule, ...] = ()
    """The first rule that matches names the action."""
    reason_rules: tuple[ReasonRule, ...] = ()
    """The writes that are refused without a reason."""
    relation: "Relation | None" = None
    """Set for the table behind a many-to-many field."""

    def requires(self, column: str) -> bool:
        """Return whether a column of the layout is required."""
        return any(one.required for one in self.layout if one.name == column)

    def read_tables(self) -> set[str]:
        """Return the names of the other tables that the triggers of this table read."""
        joined = [*self.inherited, *(one for one in (self.part_of,) if one is not None)]
        columns = [*self.columns, *self.label]
        joined += [column.via for column in columns if column.via is not None]
        names = {join.table for path in self.subjects for join in path.joins}
        names |= {join.table for join in joined}
        names |= {path.only_for.table for path in self.subjects if path.only_for is not None}
        return names if self.relation is None else names | {self.relation.owner.table}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A many-to-many field: a new row of its table is an `add`, a deleted row a `remove`."""

    field: str
    source: TrackedColumn
    target: TrackedColumn
    owner: Join
    """How to find the row whose field it is, and so its label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger as it should be in the database."""

    table: str
    name: str
    body: str
    """The part of its SQL that the database keeps: if it differs, the trigger is stale."""
    statements: tuple[str, ...]
    """The SQL that creates or replaces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledTrigger:
    """A trigger of this package as it is in the database."""

    table: str
    name: str
    body: str
