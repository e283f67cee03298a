"""Entries about capture and protection that were switched off or on, or repaired.

Triggers that a migration replaces, because a table or a registration has changed, are not such a
switch: there is no moment without them.
"""

from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.collations import CollationRepair
from django_customer_history.backends.tables import InstalledTrigger, Trigger
from django_customer_history.capture.events import record_about_history
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.capture.registration_log import tracked_labels
from django_customer_history.capture.triggers import (
    TriggerState,
    has_log,
    keeps_log,
    log_table,
)
from django_customer_history.registration.registry import registry

KIND = "customer_history.triggers"
"""The entity model of these entries."""

_REMOVED, _INSTALLED = "Triggers Removed", "Triggers Installed"
_COLLATION_REPAIRED = "Collation Repaired"


def log_removal(
    connection: BaseDatabaseWrapper, triggers: Iterable[InstalledTrigger | Trigger]
) -> None:
    """Write an entry for triggers that are taken away: by table, what they were."""
    if has_log(connection):
        _log(connection, _REMOVED, {one.table: ["good", None] for one in triggers if one.table})


def log_fix(connection: BaseDatabaseWrapper, before: TriggerState) -> None:
    """Write an entry for triggers that were not good and now are: by table, what was wrong."""
    if has_log(connection):
        _log(connection, _INSTALLED, _repaired(before))
        log_removal(connection, before.orphaned)


def log_collations(connection: BaseDatabaseWrapper, repair: CollationRepair) -> None:
    """Write an entry for the columns of the log that compare keys exactly from now on."""
    columns: dict[str, list[str | None]] = {
        f"{log_table()}.{name}": [collation, repair.collation]
        for name, collation in repair.columns.items()
    }
    _log(connection, _COLLATION_REPAIRED, columns)


def log_repair(connection: BaseDatabaseWrapper, before: TriggerState) -> None:
    """Write an entry for what `migrate` has found switched off, or has to switch off.

    A model that is tracked from now on has an entry of its own.
    """
    if not before or not keeps_log(connection.alias):
        return
    known = tracked_labels(connection.alias)
    if not known:
        return
    repaired = _repaired(before)
    tables = {
        table.name
        for table in tracked_tables(registry, connection, around=repaired)
        if table.entity_model in known
    }
    was_off = {
        name: states for name, states in repaired.items() if name in tables or name == log_table()
    }
    _log(connection, _INSTALLED, was_off)
    log_removal(connection, [one for one in before.orphaned if one.table == log_table()])


def _repaired(before: TriggerState) -> dict[str, list[str | None]]:
    states: dict[str, list[str | None]] = {}
    for one in before.stale:
        if one.name in before.reasons:
            states[one.table] = [before.reasons[one.name], "good"]
    for one in before.missing:
        if one.table:
            states[one.table] = ["missing", "good"]
    return states


def _log(
    connection: BaseDatabaseWrapper, action: str, changes: dict[str, list[str | None]]
) -> None:
    if changes:
        record_about_history(
            action,
            about=(KIND, "*"),
            changes=dict(sorted(changes.items())),
            using=connection.alias,
        )
