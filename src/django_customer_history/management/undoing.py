"""What the commands that undo share: their options, and how they print a result."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections

from django_customer_history.exceptions import HistoryError
from django_customer_history.point_in_time.conflicts import Undone


class UndoCommand(BaseCommand):
    """A command that undoes. It checks no permission, and asks nothing."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options of `history.undo`."""
        parser.add_argument("--reason", help="Why. The history keeps it.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would happen, and write nothing."
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Overwrite later changes, and delete what belongs to rows that disappear.",
        )
        parser.add_argument(
            "--through",
            choices=("rows", "save"),
            default="rows",
            help='Write the fields as they were ("rows"), or by the save() of the models.',
        )
        parser.add_argument(
            "--value",
            action="append",
            default=[],
            metavar="APP.MODEL.FIELD=VALUE",
            help="A value that the history does not store. May be repeated.",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, metavar="ALIAS")

    def handle(self, *args: Any, **options: Any) -> None:
        """Undo, and print what was done. Conflicts are an error, after the rest was done."""
        if options["database"] not in connections:
            raise CommandError(f"There is no database {options['database']!r}.")
        if not options["dry_run"] and not (options["reason"] or "").strip():
            raise CommandError("Give a reason: --reason TEXT.")
        try:
            undone = self.undo(
                options,
                reason=options["reason"] or "-",
                dry_run=options["dry_run"],
                force=options["force"],
                through=options["through"],
                values=dict(map(_value, options["value"])),
                using=options["database"],
            )
        except (HistoryError, IntegrityError) as error:
            raise CommandError(str(error)) from error
        self._print(undone, is_dry_run=options["dry_run"])

    def undo(self, options: Any, **keywords: Any) -> Undone:
        """Undo what the arguments name."""
        raise NotImplementedError

    def _print(self, undone: Undone, *, is_dry_run: bool) -> None:
        for entry in undone.written:
            # No values: the output of a command may be kept where confidential values must not be.
            fields = ", ".join(entry.changes)
            self.stdout.write(f"{entry.kind} {entry.entity_model} {entry.entity_id}: {fields}")
        for skipped in undone.skipped:
            self.stderr.write(f"skipped: {skipped}")
        for conflict in undone.conflicts:
            field = "" if conflict.field is None else f".{conflict.field}"
            place = f"{conflict.entry.entity_model} {conflict.entry.entity_id}{field}"
            self.stderr.write(f"conflict: {place}: {conflict.message}")
        verb = "would be undone" if is_dry_run else "undone"
        self.stdout.write(f"{len(undone.done)} entries {verb}, {len(undone.conflicts)} conflicts")
        if undone.conflicts and not is_dry_run:
            raise CommandError("There are conflicts. What is in conflict was left as it is.")


def _value(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise CommandError(f"{text!r} is not a value. Give APP.MODEL.FIELD=VALUE.")
    return name, value
