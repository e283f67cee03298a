"""`manage.py history_triggers`: list, fix or remove the triggers that capture changes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.capture.collations import repair_collations
from django_customer_history.capture.problems import problems
from django_customer_history.capture.switches import log_collations, log_fix, log_removal
from django_customer_history.capture.triggers import (
    all_or_nothing,
    compare_triggers,
    remove_all,
    synchronize_triggers,
)
from django_customer_history.exceptions import CaptureError

STATES = ("good", "missing", "stale", "orphaned")


class Command(BaseCommand):
    """List the triggers of a database, fix them, or remove all of them."""

    help = (
        "Lists the triggers that capture changes, with their state: good, missing, stale (made for"
        " an older definition) or orphaned (no longer needed)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --database, --fix and --remove."""
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=list(connections),
            help='The database with the triggers. Default: "default".',
        )
        operation = parser.add_mutually_exclusive_group()
        operation.add_argument(
            "--fix",
            action="store_true",
            help="Install missing triggers, replace stale ones and remove orphaned ones. On"
            " MariaDB and MySQL, also make the log compare keys exactly, if it does not.",
        )
        operation.add_argument(
            "--remove",
            action="store_true",
            help="Remove all triggers. After that, no change is recorded.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """List the triggers. Raises `CommandError` if not every change is recorded."""
        connection = connections[options["database"]]
        if options["remove"]:
            self.stdout.write(f"Removed {_remove(connection)} triggers.")
            return
        if options["fix"]:
            self._fix(connection)
        found = compare_triggers(connection)
        rows = sorted(
            (trigger.table, trigger.name, state)
            for state in STATES
            for trigger in getattr(found, state)
        )
        for table, name, state in rows:
            reason = (
                f" ({found.reasons[name]})" if state == "stale" and name in found.reasons else ""
            )
            self.stdout.write(f"{state:<12} {table:<32} {name}{reason}")
        if found:
            wrong = "; ".join(found.problems())
            raise CommandError(f"Some triggers are not good: {wrong}. Fix them with --fix.")
        others = list(problems(connection.alias))
        for problem in others:
            self.stderr.write(f"{problem.text}. {problem.hint}")
        if not all(problem.is_advice for problem in others):
            raise CommandError("The triggers are good, but the log is not safe. See above.")

    def _fix(self, connection: BaseDatabaseWrapper) -> None:
        try:
            repair = repair_collations(connection)
            if repair is not None:
                log_collations(connection, repair)
                self.stdout.write(f"Repaired the collation of {', '.join(repair.columns)}.")
            log_fix(connection, synchronize_triggers(connection))
        except CaptureError as error:
            raise CommandError(str(error)) from error


def _remove(connection: BaseDatabaseWrapper) -> int:
    """Remove all triggers, with an entry; the entry first, as then the log is still protected."""
    with all_or_nothing(connection):
        log_removal(connection, compare_triggers(connection).good)
        return remove_all(connection)
