"""`manage.py history_partitions`: the log of PostgreSQL by month, made ahead of time."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.template.defaultfilters import filesizeformat

from django_customer_history.capture.partitions import (
    MONTHS_AHEAD,
    create_partitions,
    partitions,
)
from django_customer_history.exceptions import PartitionError


class Command(BaseCommand):
    """List the partitions of the log; divide it, or make the months to come."""

    help = "Lists the partitions of the log; with --create divides it by month, some months ahead."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take --create, --ahead and --database."""
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=list(connections))
        parser.add_argument(
            "--create", action="store_true", help="Divide the log, make the months that lack."
        )
        parser.add_argument(
            "--ahead",
            type=_months,
            default=MONTHS_AHEAD,
            metavar="MONTHS",
            help="So many whole months to come shall have a partition; 3 by default.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and list what there is."""
        connection = connections[options["database"]]
        if options["create"]:
            try:
                made = create_partitions(connection, ahead=options["ahead"])
            except PartitionError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"Partitions made: {len(made)}.")
        found = partitions(connection)
        if not found:
            self.stdout.write("The log is one table.")
        for one in found:
            rows = "?" if one.rows < 0 else f"{one.rows}"
            self.stdout.write(
                f"{one.name:<40} {_day(one.start):>10} to {_day(one.end):<10}"
                f" {rows:>12} rows  {filesizeformat(one.size)}"
            )


def _day(moment: datetime | None) -> str:
    return "..." if moment is None else f"{moment:%Y-%m-%d}"


def _months(text: str) -> int:
    if not text.isdigit():
        raise ValueError(text)
    return int(text)
