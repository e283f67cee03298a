"""What every database has to offer."""

import hashlib
import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.entries import Entries
from django_customer_history.backends.features import Features
from django_customer_history.backends.partitioning import Partitioning
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

_MAX_NAME_LENGTH = 63
"""Bytes that PostgreSQL keeps of an identifier; the other databases keep more."""
_HASH_LENGTH = 6
APPEND_ONLY_MESSAGE = "customer history is append-only: {} refused"
"""The message of the database's error when a statement would change or remove entries."""


class Backend(Entries):
    """The SQL of one family of databases.

    Every method returns SQL; only those that take a connection run any.
    """

    vendors: ClassVar[tuple[str, ...]]
    features: ClassVar[Features]
    session_class: ClassVar[type[Session]]
    partitioning: ClassVar[Partitioning | None] = None
    """The SQL of partitions, where `features.supports_partitions`."""

    def for_server(self, connection: BaseDatabaseWrapper) -> "Backend":
        """Return the backend for the version of the server."""
        return self

    def with_schemas(self, connection: BaseDatabaseWrapper, tables: Collection[str]) -> "Backend":
        """Return the backend that writes these tables into triggers together with their schema."""
        return self

    # -- introspection --------------------------------------------------------------------

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
        """Return the type of a column's values; `hint` is the type that the model field has."""

    # -- triggers -------------------------------------------------------------------------

    @abstractmethod
    def trigger(self, table: TrackedTable, event: Event, *, log: str) -> Trigger:
        """Return the trigger that logs one kind of event on one table."""

    def shared_functions(self) -> Sequence[Trigger]:
        """Return the functions that the triggers of all tables use, each with '' as its table."""
        return ()

    @abstractmethod
    def append_only_triggers(self, log: str, partitions: Sequence[str] = ()) -> Sequence[Trigger]:
        """Return the triggers that refuse to change or remove entries."""

    @abstractmethod
    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        """Return the SQL that removes a trigger."""

    def replacing(self, connection: BaseDatabaseWrapper, trigger: Trigger) -> Sequence[str]:
        """Return the SQL that creates a trigger or replaces an older one."""
        return trigger.statements

    def triggers(self, table: TrackedTable, *, log: str) -> tuple[Trigger, ...]:
        """Return all triggers of a table."""
        return tuple(self.trigger(table, event, log=log) for event in self._events(table))

    def _events(self, table: TrackedTable) -> tuple[Event, ...]:
        if table.part_of is not None:
            return ("update",)
        if self.features.has_truncate_triggers:
            return ("insert", "update", "delete", "truncate")
        return ("insert", "update", "delete")

    def trigger_name(self, table: TrackedTable, event: Event) -> str:
        """Return the name of one of the triggers of a table."""
        if table.part_of is None:
            return self.name(table.name, event)
        return self.name(f"{table.name} of {table.part_of.table}", event)

    def name(self, table: str, purpose: str) -> str:
        """Return the name of a trigger: readable, unique, at most 63 ASCII characters."""
        slug = re.sub(r"[^A-Za-z0-9_]", "_", table)
        space = _MAX_NAME_LENGTH - len(PREFIX) - len(purpose) - 1
        if slug != table or len(slug) > space:
            digest = hashlib.sha256(table.encode()).hexdigest()[:_HASH_LENGTH]
            slug = f"{slug[: space - _HASH_LENGTH - 1]}_{digest}"
        return f"{PREFIX}{slug}_{purpose}"

    # -- the log and existing rows --------------------------------------------------------

    def trigger_probe(self, table: str) -> Sequence[str]:
        """Return SQL that creates and removes a trigger on a table, if nothing can be rolled back.

        It fails if triggers cannot be created, before anything else was created.
        """
        return ()

    def prepare_log(self, log: str) -> Sequence[str]:
        """Return the SQL that a new table for the log still needs."""
        return ()

    @abstractmethod
    def flush(
        self, statements: Sequence[str], *, log: str, append_only_triggers: Sequence[Trigger]
    ) -> list[str]:
        """Return Django's statements that empty the tables, changed so that they empty the log too.

        The log comes last, as emptying the other tables may still write to it.
        `append_only_triggers` are the installed ones.
        """

    primary_key = "PRIMARY"
    """The name of the log's primary key for `place_hint`."""

    def place_hint(self, index: str) -> str:
        """Return the SQL behind the log's name that makes a page be read through an index.

        It is empty where the database finds the index by itself.
        """
        return ""

    @abstractmethod
    def existing_rows_source(self, table: str, condition: str) -> str:
        """Return the FROM of a query in which `NEW` is each existing row of a table.

        `condition` is SQL over the bare columns. The context and the clock are as in a trigger.
        """
