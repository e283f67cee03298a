"""`manage.py history_prove`: the proof that an entry is in the log, for an outsider."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.exceptions import HistoryError
from django_customer_history.feed.seals.keys import key_of_settings
from django_customer_history.feed.seals.proofs import SealedLog
from django_customer_history.feed.seals.sealing import log_name_of
from django_customer_history.models import Entry


class Command(BaseCommand):
    """Write the proof of one entry to standard output."""

    help = (
        "Writes the proof that an entry is in the sealed log. Anybody can check it without the"
        " database: python -m django_customer_history.verify FILE --key PUBLIC_KEY. It has the"
        " columns of the entry that no mask hides, and what --field and --column disclose."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the entry, --field and --database."""
        parser.add_argument("entry", type=UUID, nargs="?", help="The ID of the entry.")
        parser.add_argument(
            "--consistency",
            type=int,
            nargs=2,
            metavar=("OLD", "NEW"),
            help="Instead of an entry, prove that the log of the seal with NEW entries begins with"
            " the OLD ones of an earlier checkpoint.",
        )
        parser.add_argument(
            "--field",
            action="append",
            default=[],
            help="Disclose the old and the new value of this field. May be repeated.",
        )
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="NAME",
            help="Disclose the action, the entity_label or a member of the context, such as"
            " context.reason. May be repeated.",
        )
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=list(connections),
            help='The database of the log. Default: "default".',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the proof."""
        if (options["entry"] is None) == (options["consistency"] is None):
            raise CommandError("Give the ID of an entry, or --consistency OLD NEW.")
        try:
            proof = self._proof(options)
        except HistoryError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(proof, ending="")

    def _proof(self, options: Any) -> str:
        key, using = options["entry"], options["database"]
        log = SealedLog(key=key_of_settings(), using=using)
        if key is None:
            old_size, new_size = options["consistency"]
            name = log_name_of(log.key, using=using)
            return log.growth_text(name, old_size=old_size, new_size=new_size)
        entry = Entry.objects.using(using).filter(id=key).first()
        if entry is None:
            raise CommandError(f"Entry {key} is not in the log.")
        return log.proof(entry, fields=options["field"], columns=options["column"])
