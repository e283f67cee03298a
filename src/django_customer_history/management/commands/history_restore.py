"""`manage.py history_restore`: bring back a deleted record."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from django_customer_history.management.selection import chosen_models
from django_customer_history.management.undoing import UndoCommand
from django_customer_history.point_in_time.conflicts import Undone
from django_customer_history.point_in_time.stored_rows import key_parts
from django_customer_history.point_in_time.undo import restore


class Command(UndoCommand):
    """Bring back a deleted record, with what its deletion took along."""

    help = (
        "Brings back a deleted record, with what its deletion took along. It is logged, and can be"
        " undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the record."""
        parser.add_argument("record", help='A record: "crm.customer:42".')
        super().add_arguments(parser)

    def undo(self, options: Any, **keywords: Any) -> Undone:
        """Restore the record."""
        label, _, text = options["record"].partition(":")
        if not text:
            raise CommandError(f'Give the key of the record too, like "{label}:42".')
        (model,) = chosen_models([label]) or []
        try:
            parts = [
                field.to_python(part)
                for field, part in zip(model._meta.pk_fields, key_parts(model, text), strict=True)
            ]
        except (ValidationError, ValueError) as error:
            raise CommandError(f"{text!r} is not a key of {label}.") from error
        return restore(model, parts[0] if len(parts) == 1 else tuple(parts), **keywords)
