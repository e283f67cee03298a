"""Management commands and migrations: what they write says which one it was.

Django has no signal for either, so the two methods that run them are framed once.
"""

import functools
import getpass
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.core.management.base import BaseCommand
from django.db.migrations import Migration

from django_customer_history.context.current import (
    UNSET,
    acting,
    current,
)
from django_customer_history.context.resolved import NamedUser

_SOURCES: Mapping[str, str] = {"migrate": "migration"}
_COMMANDS_OF_OTHERS = frozenset({"test"})
"""Commands that only run what has a context of its own."""


@functools.cache
def patch_commands() -> None:
    """Let every command and every migration put itself into the context; once in a process."""
    _frame(BaseCommand, "execute", _context_of_command)
    _frame(Migration, "apply", _context_of_migration)
    _frame(Migration, "unapply", _context_of_migration)


def _frame(
    owner: type, method: str, context_of: Callable[[Any], AbstractContextManager[Any]]
) -> None:
    run: Callable[..., Any] = getattr(owner, method)

    @functools.wraps(run)
    def framed(self: Any, *args: Any, **kwargs: Any) -> Any:
        with context_of(self):
            return run(self, *args, **kwargs)

    setattr(owner, method, framed)


def _context_of_command(command: BaseCommand) -> AbstractContextManager[Any]:
    name = type(command).__module__.rpartition(".")[2]
    if name in _COMMANDS_OF_OTHERS:
        return nullcontext()
    outer = current()
    if outer.provider is not None or outer.source is not UNSET:
        return acting(
            extra={"command": name}
        )  # A request or a task calls it, and stays who causes it.
    user = _shell_user() if outer.user is UNSET else outer.user
    return acting(user=user, source=_SOURCES.get(name, "command"), extra={"command": name})


def _context_of_migration(migration: Migration) -> AbstractContextManager[Any]:
    return acting(
        source="migration", extra={"migration": f"{migration.app_label}.{migration.name}"}
    )


def _shell_user() -> NamedUser | None:
    try:
        return NamedUser(id=None, label=getpass.getuser())
    except (KeyError, ImportError, OSError):
        return None  # A container's user may have no name.
