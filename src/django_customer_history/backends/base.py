"""What every database has to offer."""

import hashlib
import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.collations import CollationRepair
from django_customer_history.backends.entries import LOG_TYPES, ExistingRowEntries
from django_customer_history.backends.event_clock import EventClock
from django_customer_history.backends.features import Features
from django_customer_history.backends.label_lookups import Lookup, Term, union_lookups
from django_customer_history.backends.partitioning import Partitioning
from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.backends.session import Session
from django_customer_history.backends.settling import Settling
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    Event,
    HostParts,
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


class Backend(ExistingRowEntries):
    """The SQL of one family of databases.

    Every method returns SQL; only those that take a connection run any.
    """

    vendors: ClassVar[tuple[str, ...]]
    features: ClassVar[Features]
    session_class: ClassVar[type[Session]]
    settling_class: ClassVar[type[Settling]]
    partitioning: ClassVar[Partitioning | None] = None
    """The SQL of partitions, where `features.supports_partitions`."""

    def for_server(self, connection: BaseDatabaseWrapper) -> "Backend":
        """Return the backend for the version of the server."""
        return self

    def with_schemas(self, connection: BaseDatabaseWrapper, tables: Collection[str]) -> "Backend":
        """Return the backend that writes these tables into triggers together with their schema."""
        return self

    snapshot: ClassVar[Sequence[str]] = ()
    """The SQL at the begin of a transaction that reads one state of the database, as it was at its
    first query, while others write; empty: each transaction does."""

    # -- introspection --------------------------------------------------------------------

    @abstractmethod
    def columns(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, tuple[Column, ...]]:
        """Return the columns of each of the tables that exists, as they are now."""

    @abstractmethod
    def installed(
        self, connection: BaseDatabaseWrapper, tables: Collection[str] | None = None
    ) -> Sequence[InstalledTrigger]:
        """Return the triggers of this package in the database; with `tables`, those on them.

        Functions that belong to no table are among them, whatever the tables.
        """

    def storage_engines(
        self, connection: BaseDatabaseWrapper, tables: Collection[str]
    ) -> Mapping[str, str]:
        """Return the storage engine of each of the tables that exists, if there are several."""
        return {}

    @abstractmethod
    def unsupported_tables(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, str]:
        """Return what each of the tables is that is not a table of rows: "a view"."""

    def host_parts(
        self, connection: BaseDatabaseWrapper, tables: Iterable[str]
    ) -> Mapping[str, HostParts]:
        """Return the partitions and the inheriting tables of those tables that have some."""
        return {}

    def broken(
        self, connection: BaseDatabaseWrapper, triggers: Iterable[InstalledTrigger]
    ) -> Mapping[str, str]:
        """Return why a trigger fails whenever it runs, by the names of such triggers."""
        return {}

    @abstractmethod
    def problems_of_log(
        self, connection: BaseDatabaseWrapper, log: str
    ) -> Iterator[DatabaseProblem]:
        """Yield what else is at the table of the log and can change what it records."""

    def problems_of_tables(
        self, connection: BaseDatabaseWrapper, tables: Sequence[TrackedTable]
    ) -> Iterator[DatabaseProblem]:
        """Yield what hides rows of tracked tables, or of tables that their triggers read."""
        return iter(())

    def hides_rows(self, connection: BaseDatabaseWrapper, table: str) -> bool:
        """Return whether the database shows only some rows of a table to the current role."""
        return False

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
    def append_only_triggers(
        self,
        log: str,
        partitions: Sequence[str] = (),
        *,
        columns: Mapping[str, ValueType] = LOG_TYPES,
    ) -> Sequence[Trigger]:
        """Return the triggers that refuse to change or remove rows of the log, or of the seals.

        `columns` are the columns of the table.
        """

    @abstractmethod
    def drop(self, trigger: InstalledTrigger) -> Sequence[str]:
        """Return the SQL that removes a trigger."""

    def renaming_copy(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """Return a context in which the changed copy of a table takes the name of the table."""
        return nullcontext()

    def installation(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """Return a context in which triggers are created: they keep some settings of the session.

        The settings of the session are the same after it.
        """
        return nullcontext()

    def replacing(self, connection: BaseDatabaseWrapper, trigger: Trigger) -> Sequence[str]:
        """Return the SQL that creates a trigger or replaces an older one."""
        return trigger.statements

    def triggers(self, table: TrackedTable, *, log: str) -> tuple[Trigger, ...]:
        """Return all triggers of a table."""
        return tuple(self.trigger(table, event, log=log) for event in self._events(table))

    def _events(self, table: TrackedTable) -> tuple[Event, ...]:
        if table.rows_in == "partition":
            return () if table.part_of else ("truncate",)
        relation = table.relation
        if relation.whole if relation is not None else table.part_of:
            return ("update",)
        if self.features.has_truncate_triggers:
            return ("insert", "update", "delete", "truncate")
        return ("insert", "update", "delete")

    def trigger_name(self, table: TrackedTable, event: Event) -> str:
        """Return the name of one of the triggers of a table."""
        return self.name(f"{table.name} of {table.role}" if table.role else table.name, event)

    def name(self, table: str, purpose: str) -> str:
        """Return the name of a trigger: readable, unique, at most 63 ASCII characters."""
        slug = re.sub(r"[^A-Za-z0-9_]", "_", table)
        space = _MAX_NAME_LENGTH - len(PREFIX) - len(purpose) - 1
        if slug != table or len(slug) > space:
            digest = hashlib.sha256(table.encode()).hexdigest()[:_HASH_LENGTH]
            slug = f"{slug[: space - _HASH_LENGTH - 1]}_{digest}"
        return f"{PREFIX}{slug}_{purpose}"

    # -- entries from Python ---------------------------------------------------------------

    def typed(self, placeholder: str, column_type: str | None) -> str:
        """Return a placeholder that has the type of its column also outside of VALUES."""
        return placeholder

    @abstractmethod
    def event_clock(self, tail: int) -> EventClock:
        """Return how the INSERT of an entry from Python makes its key and time.

        `tail` are 60 random bits, for a database that cannot return the key.
        """

    @abstractmethod
    def is_read_only_error(self, error: Exception) -> bool:
        """Return whether a write failed because the database or the transaction is read-only."""

    def is_sort_error(self, error: Exception) -> bool:
        """Return whether a query failed because its rows are too large to be sorted."""
        return False

    # -- searches --------------------------------------------------------------------------

    @abstractmethod
    def searching(
        self, connection: BaseDatabaseWrapper, *, seconds: float | None
    ) -> AbstractContextManager[None]:
        """Return a context for queries that search many entries.

        In it each query fails that takes longer than `seconds`; None: there is no limit. Nothing of
        it is left in the session or the transaction after it, also after such an error.
        """

    @abstractmethod
    def is_time_limit_error(self, error: Exception) -> bool:
        """Return whether a query failed because of the limit of `searching`."""

    # -- the log and existing rows --------------------------------------------------------

    def trigger_probe(self, table: str) -> Sequence[str]:
        """Return SQL that creates and removes a trigger on a table, if nothing can be rolled back.

        It fails if triggers cannot be created, before anything else was created.
        """
        return ()

    def privilege_hint(
        self,
        connection: BaseDatabaseWrapper,
        table: str,
        error: Exception,
        *,
        privileges: str = "TRIGGER",
    ) -> str:
        """Return what an administrator has to run so that the role may do what failed.

        It is empty if the error has another cause.
        """
        return ""

    def collation_repair(self, connection: BaseDatabaseWrapper, log: str) -> CollationRepair | None:
        """Return how to make the log compare keys exactly; None: it does."""
        return None

    def prepare_log(self, log: str) -> Sequence[str]:
        """Return the SQL that a new table for the log still needs."""
        return ()

    @abstractmethod
    def flush(
        self,
        statements: Sequence[str],
        *,
        logs: Collection[str],
        append_only_triggers: Sequence[Trigger],
    ) -> list[str]:
        """Return Django's statements that empty the tables, changed so that they empty the log too.

        `logs` are the tables of the log and of the seals, as far as they are emptied. They come
        last, as emptying the other tables may still write to the log.
        `append_only_triggers` are the installed ones.
        """

    primary_key = "PRIMARY"
    """The name of the log's primary key for `place_hint`."""

    def place_hint(self, index: str) -> str:
        """Return the SQL behind the log's name that makes a page be read through an index.

        It is empty where the database finds the index by itself.
        """
        return ""

    def equals_without_index(self, column: str, value: str) -> str:
        """Return the SQL of whether a column of text has a value; no index is used for it.

        It is false for NULL. `value` is not empty.
        """
        return f"COALESCE({column}, '') = {value}"

    @abstractmethod
    def changed_names(self, changes: str) -> str:
        """Return the SQL of the names in the column `changes`, as an array of JSON.

        The names in an object with escaped characters may not be valid text: such an object is
        returned as a whole. It is `null` for what is not an object.
        """

    def label_lookups(self, terms: Sequence[Term], *, is_later: bool) -> Iterator[Lookup]:
        """Yield statements that look up the last label of each record up to an entry.

        With `is_later` they look up the first one after it.
        """
        return union_lookups(terms, is_later=is_later)

    def stored_value(self, table: str, column: Column, text: str) -> tuple[str, str] | None:
        """Return the SQL and its one parameter that make a value of a column from its text.

        None: the parameter is the Python value of the text, as Django would write it.
        """
        return None

    def advance_sequence(
        self, connection: BaseDatabaseWrapper, table: str, column: str, key: int
    ) -> None:
        """Let generated keys continue after a key that was just written, if they would not."""

    def among(
        self, column: str, values: Sequence[Any], *, placeholder: str
    ) -> tuple[str, list[Any]]:
        """Return the condition that a column has one of some values, and its parameters."""
        return f"{column} IN ({', '.join(placeholder for _ in values)})", list(values)

    def of_existing_rows(self, table: TrackedTable) -> ExistingRowEntries:
        """Return the SQL of entries about the rows of a table, as the table is now."""
        return self
