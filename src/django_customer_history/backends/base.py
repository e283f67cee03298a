"""What every database has to offer."""

import hashlib
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.entries import Entries
from django_customer_history.backends.session import Session
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    InstalledTrigger,
    TrackedTable,
    Trigger,
)
from django_customer_history.values.types import ValueType

_NAME_LENGTH = 28
REFUSAL = "customer history is append-only: {} refused"
"""What the database says; `capture.refusals` makes the error of it that Python sees."""


class Backend(Entries):
    """The SQL of one family of databases.

    Every method returns SQL; only those that are given a connection run any.
    """

    vendors: ClassVar[tuple[str, ...]]
    session_class: ClassVar[type[Session]]
    events: ClassVar[tuple[Event, ...]] = ("insert", "update", "delete")
    ddl_is_transactional: ClassVar[bool]
    triggers_block_changes: ClassVar[bool] = False
    """Whether a table's schema can only change while no trigger is on it or reads it."""
    splits_json_outside_triggers: ClassVar[bool] = True
    """Whether JSON can be taken apart by its keys outside of triggers too."""
    error_ends_transaction: ClassVar[bool] = False
    """Whether nothing more can run in a transaction in which a statement failed."""

    def for_server(self, connection: BaseDatabaseWrapper) -> "Backend":
        """Return the backend that fits the version of the server."""
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
    def value_type(self, column: Column, hint: ValueType | None) -> ValueType:
        """Return how to make text of a column; `hint` is what its model field would say."""

    # -- triggers -------------------------------------------------------------------------

    @abstractmethod
    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        """Return the trigger that logs one kind of event on one table."""

    def partitions(self, connection: BaseDatabaseWrapper, log: str) -> Sequence[str]:
        """Return the tables that the log is divided into, none where it is one."""
        return ()

    def foundations(self) -> Sequence[Trigger]:
        """Return what the triggers of all tables share, each under the table ''."""
        return ()

    @abstractmethod
    def append_only_triggers(self, log: str, partitions: Sequence[str] = ()) -> Sequence[Trigger]:
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

    primary_key = "PRIMARY"
    """The name of the log's primary key for `place_hint`."""

    def place_hint(self, index: str) -> str:
        """Return what stands behind the log's name where a record's entries are read from a place.

        It says that the index leads there, where the database would not see it.
        """
        return ""

    @abstractmethod
    def flush(
        self, statements: Sequence[str], *, log: str, append_only_triggers: Sequence[Trigger]
    ) -> list[str]:
        """Return Django's SQL that empties the tables, so that the guarded log is emptied too.

        The log comes last, as emptying the other tables may still write to it; `append_only_triggers` are
        the guards that stand.
        """

    @abstractmethod
    def existing_rows_source(self, table: str, condition: str) -> str:
        """Return the FROM of a statement of its own, in which `NEW` is each row that there is.

        `condition` is SQL over the bare columns. The context and the clock are as in a trigger.
        """

    def triggers(self, table: TrackedTable, *, log: str) -> tuple[Trigger, ...]:
        """Return all triggers of a table."""
        events: tuple[Event, ...] = self.events if table.part_of is None else ("update",)
        return tuple(self.trigger(table, event, log=log) for event in events)

    def trigger_name(self, table: TrackedTable, event: Event) -> str:
        """Return the name of one of the triggers of a table."""
        if table.part_of is None:
            return self.name(table.name, event)
        return self.name(f"{table.name} of {table.part_of.table}", event)

    def name(self, table: str, purpose: str) -> str:
        """Return the name of a trigger: readable, unique, within 63 ASCII characters."""
        slug = re.sub(r"[^A-Za-z0-9_]", "_", table)[:_NAME_LENGTH]
        if slug != table:
            slug += "_" + hashlib.sha256(table.encode()).hexdigest()[:6]
        return f"{PREFIX}{slug}_{purpose}"
