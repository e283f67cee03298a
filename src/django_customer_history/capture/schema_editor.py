"""Triggers follow the schema: Django's schema editor updates them with each change of a table.

Before the change it removes the triggers that would block it. After the change, also after a
failed one, it synchronizes the triggers of the affected tables with the new columns. So data
migrations between two schema changes are recorded, and migrations need no extra operation.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from django_customer_history.backends import (
    SUPPORTED_VENDORS,
    backend_of,
)
from django_customer_history.capture.renames import log_field_rename
from django_customer_history.capture.triggers import (
    has_log,
    remove,
    synchronize_triggers,
)

_CHANGE_OF_A_TABLE = re.compile(
    r"\s*(?:ALTER|DROP|RENAME)\s+TABLE\b(?!.*\bADD\s+CONSTRAINT\b)", re.IGNORECASE | re.DOTALL
)


def patch_schema_editors() -> None:
    """Let the schema editors of all databases in the settings keep the triggers in step."""
    for alias in connections:
        backend: Any = type(connections[alias])
        editor = backend.SchemaEditorClass
        if connections[alias].vendor in SUPPORTED_VENDORS and not issubclass(
            editor, TriggerSchemaEditor
        ):
            backend.SchemaEditorClass = type(editor.__name__, (TriggerSchemaEditor, editor), {})


class TriggerSchemaEditor(BaseDatabaseSchemaEditor):
    """The part of a schema editor that keeps triggers in step with the schema."""

    _depth = 0

    def create_model(self, model: Any) -> None:
        # No trigger blocks a new table. A first `migrate` makes many.
        with self._synchronized_triggers(model._meta.db_table, may_block=False):
            super().create_model(model)

    def delete_model(self, model: Any, *args: Any, **kwargs: Any) -> None:
        with self._synchronized_triggers(model._meta.db_table):
            super().delete_model(model, *args, **kwargs)

    def alter_db_table(self, model: Any, old_db_table: str, new_db_table: str) -> None:
        if self._depth and not self.collect_sql and old_db_table == f"new__{new_db_table}":
            # Django changes a table of SQLite by a copy, from which triggers were removed.
            with backend_of(self.connection).renaming_copy(self.connection):
                super().alter_db_table(model, old_db_table, new_db_table)
            return
        with self._synchronized_triggers(old_db_table, new_db_table):
            super().alter_db_table(model, old_db_table, new_db_table)

    def add_field(self, model: Any, field: Any) -> None:
        with self._synchronized_triggers(model._meta.db_table):
            super().add_field(model, field)

    def remove_field(self, model: Any, field: Any) -> None:
        with self._synchronized_triggers(model._meta.db_table):
            super().remove_field(model, field)

    def alter_field(
        self, model: Any, old_field: Any, new_field: Any, *args: Any, **kwargs: Any
    ) -> None:
        with self._synchronized_triggers(model._meta.db_table):
            super().alter_field(model, old_field, new_field, *args, **kwargs)
        if old_field.name != new_field.name and not (self.collect_sql or self._depth):
            log_field_rename(model, old_field.name, new_field.name, using=self.connection.alias)

    def alter_unique_together(self, model: Any, *args: Any) -> None:
        with self._synchronized_triggers(model._meta.db_table):
            super().alter_unique_together(model, *args)

    def add_constraint(self, model: Any, constraint: Any) -> None:
        with self._synchronized_triggers(model._meta.db_table):
            super().add_constraint(model, constraint)

    def remove_constraint(self, model: Any, constraint: Any) -> None:
        with self._synchronized_triggers(model._meta.db_table):
            super().remove_constraint(model, constraint)

    def execute(self, sql: Any, params: Any = ()) -> Any:
        if self._depth or not _CHANGE_OF_A_TABLE.match(str(sql)):
            return super().execute(sql, params)
        # SQL that a migration wrote itself: the affected tables are unknown.
        with self._synchronized_triggers():
            return super().execute(sql, params)

    @contextmanager
    def _synchronized_triggers(self, *tables: str, may_block: bool = True) -> Iterator[None]:
        """Synchronize the triggers on and around the tables; without tables, all triggers.

        `may_block` is whether triggers may block the change: those are removed before.
        """
        if self.collect_sql or self._depth:
            yield
            return
        self._depth += 1
        try:
            affected = self._suspend(tables) if may_block else tables
            yield
        except BaseException as error:
            self._synchronize_after(error)
            raise
        else:
            synchronize_triggers(self.connection, tables=affected)
        finally:
            self._depth -= 1

    def _suspend(self, tables: Collection[str]) -> Collection[str] | None:
        """Remove the triggers that block the change; return the affected tables, None for all."""
        backend = backend_of(self.connection)
        blocks = backend.features.triggers_block_changes
        # A trigger that writes to a missing table blocks each change, also of other tables.
        all_block = blocks and not has_log(self.connection)
        names = [backend.quote(table) for table in tables]
        around = [
            trigger
            for trigger in backend.installed(self.connection)
            if all_block
            or not tables
            or trigger.table in tables
            or any(name in trigger.body for name in names)
        ]
        if blocks:
            remove(self.connection, around)
        return {*tables, *(trigger.table for trigger in around)} if tables else None

    def _synchronize_after(self, error: BaseException) -> None:
        """Synchronize the triggers after a failed change; another error is a note at the first."""
        if not self._can_still_run():
            return
        try:
            synchronize_triggers(self.connection)
        except Exception as second:  # noqa: BLE001 - the first error is raised, whatever this is
            error.add_note(
                f"Then the triggers of the history could not be synchronized: {second} Run"
                " manage.py history_triggers --fix before anything writes."
            )

    def _can_still_run(self) -> bool:
        # If the whole transaction is lost, its rollback restores the triggers.
        is_lost = self.connection.in_atomic_block and (
            backend_of(self.connection).features.error_ends_transaction
        )
        return not (is_lost or self.connection.needs_rollback)
