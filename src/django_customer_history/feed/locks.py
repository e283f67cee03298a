"""Only one process at a time ships to a target, or seals a log."""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.files import locks
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import features_of
from django_customer_history.exceptions import SealError, TargetError

_PATIENCE, _STEP = 1.0, 0.05
"""In seconds: how long to wait for a lock, and between two attempts."""


@contextmanager
def only_shipper(alias: str, target: str) -> Iterator[Callable[[], None]]:
    """Be the only shipper of a target; yield a function that raises if this is not so any more.

    The lock belongs to a session of the database, so it ends with the process. Raises
    `TargetError` if another process has it.
    """
    with _lock(alias, target) as check:
        if check is None:
            raise TargetError(
                f"Another process ships to {target} already. Stop it first, or give another target."
            )
        yield check


@contextmanager
def only_sealer(alias: str) -> Iterator[None]:
    """Be the only one that seals the log of a database, until the block or the process ends.

    Raises `SealError` if another process has the lock.
    """
    with _lock(alias, "seals") as check:
        if check is None:
            raise SealError("Another process seals this log already. Let it finish, or stop it.")
        yield


@contextmanager
def _lock(alias: str, purpose: str) -> Iterator[Callable[[], None] | None]:
    """Yield a function that raises if the lock is lost; None if another process has it."""
    connection = connections[alias]
    place = f"{connection.settings_dict['NAME']} {purpose}"
    name = hashlib.sha256(place.encode()).hexdigest()[:32]
    query = features_of(connection).try_lock
    with _file_lock(name) if query is None else _session_lock(connection, query, name) as check:
        yield check


@contextmanager
def _file_lock(name: str) -> Iterator[Callable[[], None] | None]:
    path = Path(tempfile.gettempdir()) / f"customer_history_{name}.lock"
    with path.open("a") as file:
        yield (lambda: None) if locks.lock(file, locks.LOCK_EX | locks.LOCK_NB) else None


@contextmanager
def _session_lock(
    connection: BaseDatabaseWrapper, query: str, name: str
) -> Iterator[Callable[[], None] | None]:
    session = connection.copy()

    def check() -> None:
        try:
            _run(session, "SELECT 1")
        except DatabaseError as error:
            raise TargetError(
                "The session with the lock of the target is lost. Start the command again."
            ) from error

    # A server takes a moment to end the session of a process that has just finished.
    deadline = time.monotonic() + _PATIENCE
    try:
        while not (is_mine := _run(session, query, name)) and time.monotonic() < deadline:
            time.sleep(_STEP)
        yield check if is_mine else None
    finally:
        session.close()


def _run(session: BaseDatabaseWrapper, query: str, *parameters: str) -> Any:
    with session.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchone()[0]
