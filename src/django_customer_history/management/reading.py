"""What the commands that read the log share: the record, the reader and the filters."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db import connections

from django_customer_history.access.permissions import (
    EXPORT_EVERYTHING,
    VIEW_EVERY_CONFIDENTIAL_VALUE,
    VIEW_EVERYTHING,
    Reader,
    subject_models,
)
from django_customer_history.context.current import acting, current
from django_customer_history.context.resolved import NamedUser
from django_customer_history.reading.filters import DEFINITIONS, Filters
from django_customer_history.reading.time_zones import in_time_zone_of
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry

_FILTER = "filter "
"""Precedes the name of a filter among the options."""


class CommandReader:
    """The user of the shell: may read everything; sees confidential values with `--unmasked`."""

    is_superuser = True

    def __init__(self, *, is_unmasking: bool) -> None:
        self._permissions = {VIEW_EVERYTHING, EXPORT_EVERYTHING}
        if is_unmasking:
            self._permissions.add(VIEW_EVERY_CONFIDENTIAL_VALUE)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the command has a permission."""
        return perm in self._permissions


def add_reading_arguments(parser: ArgumentParser) -> None:
    """Add the record, the database, the reader and the filters."""
    parser.add_argument(
        "record", nargs="?", help='A record: "crm.customer:42". Default: all records.'
    )
    parser.add_argument("--database", metavar="ALIAS", help="The database of the log.")
    reader = parser.add_mutually_exclusive_group()
    reader.add_argument(
        "--as",
        dest="reader",
        metavar="USERNAME",
        help="Read as this user, with their permissions.",
    )
    reader.add_argument("--unmasked", action="store_true", help="Show confidential values.")
    for name, definition in DEFINITIONS.items():
        option = name.replace("_", "-")
        for prefix, sign, text in (("", "", ""), ("not-", "-", "Not: ")):
            parser.add_argument(
                f"--{prefix}{option}",
                dest=f"{_FILTER}{sign}{name}",
                action="append",
                metavar=definition.placeholder,
                help=text + definition.description.replace("%", "%%"),
            )


@contextmanager
def reading(options: Mapping[str, Any]) -> Iterator[Timeline]:
    """Yield the timeline that the options name, in the context of its reader."""
    filters = {
        name.removeprefix(_FILTER): values
        for name, values in options.items()
        if name.startswith(_FILTER) and values
    }
    using = _database(options["database"])
    with _reader(options["reader"], is_unmasking=options["unmasked"]) as reader:
        yield timeline_of(reader, options["record"], using).filtered(Filters.read(filters))


@contextmanager
def _reader(name: str | None, *, is_unmasking: bool) -> Iterator[Reader]:
    """Yield the reader, in the context of the export: a user, or the user of the shell."""
    if name is None:
        with acting(source="command"):
            yield CommandReader(is_unmasking=is_unmasking)
        return
    user = _user(name)
    shell = current().resolve()
    impersonator = shell.user_label and NamedUser(id=shell.user_id, label=shell.user_label)
    with (
        acting(user=user, impersonator=impersonator or None, source="command"),
        in_time_zone_of(user),
    ):
        yield user


def _user(name: str) -> Any:
    users = get_user_model()
    try:
        return users._default_manager.get(**{users.USERNAME_FIELD: name})
    except users.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None


def _database(alias: str | None) -> str | None:
    if alias is not None and alias not in connections:
        known = ", ".join(connections)
        raise CommandError(f"There is no database {alias!r}. Give one of: {known}.")
    return alias


def timeline_of(reader: Reader, record: str | None, using: str | None) -> Timeline:
    """Return the timeline of a record such as "crm.customer:42"; None: of all records.

    Raises `CommandError` for a record that never existed.
    """
    if record is None:
        return Timeline.of_everything(reader, using=using)
    label, _, key = record.partition(":")
    registration = registry.find(label.lower())
    if registration is None or not registration.is_subject:
        known = ", ".join(sorted(model._meta.label_lower for model in subject_models()))
        raise CommandError(f"{label!r} has no History tab. Models that have one: {known}.")
    if not key:
        raise CommandError(f'Give the key of the record too, like "{label}:42".')
    timeline = Timeline.of_subject(reader, registration.model, key, using=using)
    if not timeline.is_known():
        raise CommandError(f"There is no record {record}, and there never was.")
    return timeline
