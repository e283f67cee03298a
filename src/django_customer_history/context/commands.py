"""Management commands and migrations: their entries name the command or migration.

Django has no signal for either, so the methods that run them are patched once.
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
    process_context,
)
from django_customer_history.context.resolved import NamedUser

_SOURCES: Mapping[str, str] = {"migrate": "migration"}
_COMMANDS_WITHOUT_CONTEXT = frozenset({"test"})
"""Commands that only run code with a context of its own."""
_COMMANDS_OF_MANY_CALLS = frozenset({"shell", "shell_plus", "runserver", "runserver_plus"})
"""Commands in which one write has nothing to do with the next: they have no request ID."""


@functools.cache
def patch_commands() -> None:
    """Run every command and every migration in its context; once in a process."""
    _patch(BaseCommand, "execute", _context_of_command)
    _patch(Migration, "apply", _context_of_migration)
    _patch(Migration, "unapply", _context_of_migration)


def _patch(
    owner: type, method: str, context_of: Callable[[Any], AbstractContextManager[Any]]
) -> None:
    run: Callable[..., Any] = getattr(owner, method)

    @functools.wraps(run)
    def run_in_context(self: Any, *args: Any, **kwargs: Any) -> Any:
        with context_of(self):
            return run(self, *args, **kwargs)

    setattr(owner, method, run_in_context)


def _context_of_command(command: BaseCommand) -> AbstractContextManager[Any]:
    name = type(command).__module__.rpartition(".")[2]
    if name in _COMMANDS_WITHOUT_CONTEXT:
        return nullcontext()
    outer = current()
    if outer.provider is not None or (outer.source is not UNSET and not outer.is_process):
        # A request or a task runs the command, and keeps its user and source.
        return acting(extra={"command": name})
    is_inner = outer.source is not UNSET
    return process_context(
        user=_shell_user() if outer.user is UNSET else outer.user,
        source=str(outer.source) if is_inner else _SOURCES.get(name, "command"),
        extra={"command": name},
        has_request_id=name not in _COMMANDS_OF_MANY_CALLS,
    )


def _context_of_migration(migration: Migration) -> AbstractContextManager[Any]:
    return acting(
        source="migration", extra={"migration": f"{migration.app_label}.{migration.name}"}
    )


def _shell_user() -> NamedUser | None:
    try:
        return NamedUser(id=None, label=getpass.getuser())
    except (KeyError, ImportError, OSError):
        return None  # The user of a container may have no name.
