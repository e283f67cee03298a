"""`manage.py history_seal`: seal the log, or make a key for it."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from django_customer_history.exceptions import HistoryError
from django_customer_history.feed.seals.keys import SealKey, is_first_key, key_of_settings
from django_customer_history.feed.seals.sealing import seal_late, seal_log
from django_customer_history.management.progress import ProgressBar
from django_customer_history.management.stopping import until_stopped
from django_customer_history.models import Seal


class Command(BaseCommand):
    """Seal the settled entries that are not sealed yet."""

    help = (
        "Seals the settled entries that are not sealed yet, and publishes the checkpoint to the"
        " places of the setting SEAL_TARGETS. With --new-key it only makes a key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=list(connections),
            help='The database of the log. Default: "default".',
        )
        parser.add_argument(
            "--every",
            type=float,
            metavar="SECONDS",
            help="Do not stop: seal again each time after so many seconds.",
        )
        parser.add_argument(
            "--late",
            action="store_true",
            help="Seal entries with old times that were added behind the last seal, as by an"
            " import. Make sure first that they are yours: history_verify names them.",
        )
        parser.add_argument(
            "--new-tree",
            action="store_true",
            help="Begin a new tree although the log has seals of another name.",
        )
        parser.add_argument(
            "--new-key",
            metavar="FILE",
            help="Make a key in a new file: the first one, or the one after the key of SEAL_KEY.",
        )
        parser.add_argument(
            "--log-name",
            metavar="NAME",
            help='The name of the log for a first key, such as "example.com/history".',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal the log, or make a key."""
        every = options["every"]
        if every is not None and every <= 0:
            raise CommandError("--every must be greater than 0.")
        if every is not None and (options["late"] or options["new_tree"]):
            raise CommandError("--late and --new-tree are for one run. Leave out --every.")
        try:
            if options["new_key"] is not None:
                self._make_key(Path(options["new_key"]), options["log_name"])
            elif every is None:
                self._seal(options)
            else:
                self._repeat(every, options)
        except HistoryError as error:
            raise CommandError(str(error)) from error

    def _make_key(self, path: Path, log_name: str | None) -> None:
        is_first = is_first_key(path)
        if log_name is None and is_first:
            raise CommandError('Add --log-name with the name of the log: "example.com/history".')
        key = SealKey.new(log_name or "") if is_first else key_of_settings().renewed(name=log_name)
        key.write(path)
        self.stdout.write(
            f"The key is in {path}. Keep a copy of it at a safe place outside of the database, and"
            " give auditors the public key:"
        )
        self.stdout.write(str(key.verifier))

    def _repeat(self, every: float, options: Any) -> None:
        with until_stopped() as is_stopped:
            while not is_stopped():
                start = time.monotonic()
                try:
                    self._seal(options)
                except HistoryError as error:
                    self.stderr.write(str(error))
                while time.monotonic() - start < every and not is_stopped():
                    time.sleep(0.1)

    def _seal(self, options: Any) -> None:
        key, using = key_of_settings(), options["database"]
        bar = ProgressBar(self.stderr, "history_seal", None)
        count, size = 0, None
        for seal in self._seals(key, using, options):
            count, size = count + seal.size - seal.start, seal.size
            bar.show(count, "entries")
        bar.end()
        if size is None:
            self.stdout.write("There is nothing new to seal.")
        else:
            self.stdout.write(f"Sealed {count} entries; the log has {size} sealed entries now.")

    def _seals(self, key: SealKey, using: str, options: Any) -> Iterator[Seal]:
        if options["late"]:
            return seal_late(key, using=using)
        return seal_log(key, using=using, is_new_tree=options["new_tree"])
