"""`manage.py history_triggers`: list, fix or remove the triggers that capture changes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.capture.triggers import (
    compare_triggers,
    remove_all,
    synchronize_triggers,
)

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
            help="Install missing triggers, replace stale ones and remove orphaned ones.",
        )
        operation.add_argument(
            "--remove",
            action="store_true",
            help="Remove all triggers. After that, no change is recorded.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """List the triggers. Raises `CommandError` if some are not good."""
        connection = connections[options["database"]]
        if options["remove"]:
            self.stdout.write(f"Removed {remove_all(connection)} triggers.")
            return
        if options["fix"]:
            synchronize_triggers(connection)
        found = compare_triggers(connection)
        rows = sorted(
            (trigger.table, trigger.name, state)
            for state in STATES
            for trigger in getattr(found, state)
        )
        for table, name, state in rows:
            self.stdout.write(f"{state:<12} {table:<32} {name}")
        if found:
            problems = "; ".join(found.problems())
            raise CommandError(f"Some triggers are not good: {problems}. Fix them with --fix.")
