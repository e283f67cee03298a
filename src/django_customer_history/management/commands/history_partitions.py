"""`manage.py history_partitions`: partition the log by month on PostgreSQL."""

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
    """List the partitions of the log, or create them for the coming months."""

    help = (
        "Lists the partitions of the log (PostgreSQL only). With --create, partitions the log by"
        " month and creates the partitions of the coming months."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --create, --ahead and --database."""
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=list(connections),
            help='The database with the log. Default: "default".',
        )
        parser.add_argument(
            "--create",
            action="store_true",
            help="Partition the log if it is one table, and create missing partitions.",
        )
        parser.add_argument(
            "--ahead",
            type=_months,
            default=MONTHS_AHEAD,
            metavar="MONTHS",
            help=f"How many coming months get a partition. Default: {MONTHS_AHEAD}.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Create partitions if asked to, and list all of them."""
        connection = connections[options["database"]]
        if options["create"]:
            try:
                created = create_partitions(connection, ahead=options["ahead"])
            except PartitionError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"Partitions created: {len(created)}.")
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
