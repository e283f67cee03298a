"""`manage.py history_triggers`: what captures changes, table by table, and the mend."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.capture.triggers import (
    compare_triggers,
    remove_all,
    synchronize_triggers,
)


class Command(BaseCommand):
    """List the triggers of a database; install what is missing, or remove all."""

    help = "Lists the triggers that keep the history: good, missing, stale and superfluous ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take --database, and one of --fix and --remove."""
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=list(connections))
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--fix", action="store_true", help="Install and replace as needed.")
        what.add_argument(
            "--remove", action="store_true", help="Remove all: nothing is recorded any more."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and exit with an error where triggers are not as they should be."""
        connection = connections[options["database"]]
        if options["remove"]:
            self.stdout.write(f"Removed {remove_all(connection)} triggers.")
            return
        if options["fix"]:
            synchronize_triggers(connection)
        found = compare_triggers(connection)
        words = ("good", "missing", "stale", "orphaned")
        rows = sorted((one.table, one.name, word) for word in words for one in getattr(found, word))
        for table, name, word in rows:
            self.stdout.write(f"{word:<12} {table:<32} {name}")
        if found:
            raise CommandError("Not all is as it should be. Mend it with --fix.")
