"""A tracked table as the backends see it: its columns, the paths to its subjects, its triggers.

Nothing here depends on Django's models or on the SQL of one database.
"""

from dataclasses import dataclass
from typing import Literal

from django_customer_history.values.types import ValueType

PREFIX = "customer_history_"
"""Every trigger, function and session variable of this package starts with it."""

Event = Literal["insert", "update", "delete", "truncate"]

RowsIn = Literal["table", "partitions", "partition", "family"]
"""Where the rows of a table are: in itself; in its partitions; it is one of these partitions; in
itself and in the tables that inherit from it, and it can be one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table as it is in the database now."""

    name: str
    type: str
    """The database's name for the type, in lower case."""
    required: bool = False
    """Whether the database refuses a row that has no value there."""
    is_key: bool = False
    """Whether it is the primary key of the table, or a part of it."""
    collation: str = ""
    """The collation of a text (MariaDB and MySQL only)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """One step of a path: to the row of `table` whose `key` is the value of the column `link`."""

    link: str
    """A column of the table before: of the tracked table, or of that of the step before."""
    table: str
    key: str
    key_type: str
    key_collation: str = ""
    """Set if link and key may have different collations, as no foreign key is between them."""
    is_part: bool = False
    """Whether it leads to another part of the same record (multi-table inheritance)."""
    entity_model: str = ""
    """The model label of the table's rows in the log; empty if `key` is not their primary key."""
    key_value_type: ValueType = ValueType.TEXT


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
    via: tuple[Join, ...] = ()
    """The steps to the table of the column; empty: it is in the tracked table."""
    by_key: bool = False
    """Whether each key of the JSON object is logged as a separate field."""

    or_else: "TrackedColumn | None" = None
    """For a key that is read from the row that has it: the link to it, as that row may be gone."""

    @property
    def start(self) -> str:
        """The column of the tracked table with which the way to this column starts."""
        return self.via[0].link if self.via else self.column.name


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
class SubjectPath:
    """How to find the subject of a row."""

    model: str
    """Label of the subject's model: `crm.customer`."""
    key: tuple[TrackedColumn, ...]
    """The columns that hold the subject's key."""
    only_for: "ContentTypeTest | None" = None
    target: "Join | None" = None
    """Set if the last key may be written in another way than that of the subject's own row."""

    @property
    def starts(self) -> tuple[str, ...]:
        """The columns of the tracked table with which the path starts."""
        columns = [*self.key, *([] if self.only_for is None else [self.only_for.column])]
        return tuple(dict.fromkeys(column.start for column in columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTypeTest:
    """The content types that a generic foreign key must have to lead to the subject."""

    table: str
    column: TrackedColumn
    app_label: str
    models: tuple[str, ...]
    """The subject's model and, if the key keeps them apart, its proxies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritedPart:
    """The part of a row in the table of a parent: created before and deleted after the row."""

    via: tuple[Join, ...]
    hidden: tuple[str, ...] = ()
    """Columns of that table that are not logged."""


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
    inherited: tuple[InheritedPart, ...] = ()
    part_of: tuple[Join, ...] = ()
    """The way to the row of a child that is the entity. Only rows that have this child are logged;
    of a parent's table, only their updates."""
    role: str = ""
    """What distinguishes the triggers from other triggers of this package on the same table."""
    action_rules: tuple[ActionRule, ...] = ()
    """The first rule that matches names the action."""
    reason_rules: tuple[ReasonRule, ...] = ()
    """The writes that are refused without a reason."""
    relation: "Relation | None" = None
    """Set for the table behind a many-to-many field."""
    rows_in: RowsIn = "table"

    def requires(self, column: str) -> bool:
        """Return whether a column of the layout is required."""
        return any(one.required for one in self.layout if one.name == column)

    def read_tables(self) -> set[str]:
        """Return the names of the other tables that the triggers of this table read."""
        tests = [path.only_for for path in self.subjects if path.only_for is not None]
        columns = [*self.key, *self.columns, *self.label, *(test.column for test in tests)]
        columns += [column for path in self.subjects for column in path.key]
        if self.relation is not None:
            columns += [self.relation.source, self.relation.target]
        whole = () if self.relation is None else self.relation.whole
        ways = [whole, self.part_of, *(part.via for part in self.inherited)]
        ways += [column.via for column in columns]
        return {join.table for way in ways for join in way} | {test.table for test in tests}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A many-to-many field: a new row of its table is an `add`, a deleted row a `remove`."""

    field: str
    source: TrackedColumn
    """What the link holds of the row whose field it is."""
    target: TrackedColumn
    """The key of the linked row."""
    target_link: TrackedColumn
    """What the link holds of the linked row: its key, unless a foreign key has a `to_field`."""
    whole: tuple[Join, ...] = ()
    """For the table of a parent of the through model: the way to the link itself. Only updates
    are logged, and only of rows that have this link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger as it should be in the database."""

    table: str
    name: str
    body: str
    """The part of its SQL that the database keeps: if it differs, the trigger is stale."""
    statements: tuple[str, ...]
    """The SQL that creates or replaces it."""
    head: str = ""
    """When it runs and for what, as the database writes it."""
    mode: str = ""
    """In which sessions it runs, where a database has a choice: "default" or "always"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledTrigger:
    """A trigger of this package as it is in the database."""

    table: str
    name: str
    body: str
    head: str = ""
    mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostParts:
    """The tables of the database that hold the rows of one table of a model."""

    is_partitioned: bool
    """The parts are partitions; otherwise they are tables that inherit from it."""
    names: tuple[str, ...]
