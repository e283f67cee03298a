"""`manage.py history_undo`: undo entries, or a whole request."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from django_customer_history.management.undoing import UndoCommand
from django_customer_history.models import Entry
from django_customer_history.point_in_time.conflicts import Undone
from django_customer_history.point_in_time.undo import undo


class Command(UndoCommand):
    """Write what was there before some entries, or before a request."""

    help = (
        "Writes what was there before the changes of some entries, or of a request. The undo is"
        " logged, and can be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the entries and the request."""
        parser.add_argument("entry", nargs="*", help="The id of an entry.")
        parser.add_argument("--request-id", metavar="UUID", help="The id of a request.")
        super().add_arguments(parser)

    def undo(self, options: Any, **keywords: Any) -> Undone:
        """Undo the entries or the request."""
        ids: Sequence[UUID] = [_uuid(text) for text in options["entry"]]
        if bool(ids) == bool(options["request_id"]):
            raise CommandError("Give ids of entries, or --request-id.")
        if options["request_id"]:
            return undo(_uuid(options["request_id"]), **keywords)
        entries = list(Entry.objects.using(options["database"]).filter(id__in=ids))
        missing = sorted(str(one) for one in set(ids) - {entry.id for entry in entries})
        if missing:
            raise CommandError(f"There is no entry {', '.join(missing)}.")
        return undo(entries, **keywords)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CommandError(f"{text!r} is not a UUID.") from None
