"""Only one process at a time ships to a target."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.files import locks
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import features_of
from django_customer_history.exceptions import TargetError


@contextmanager
def only_shipper(alias: str, target: str) -> Iterator[Callable[[], None]]:
    """Be the only shipper of a target; yield a function that raises if this is not so any more.

    The lock belongs to a session of the database, so it ends with the process. Raises
    `TargetError` if another process has it.
    """
    connection = connections[alias]
    place = f"{connection.settings_dict['NAME']} {target}"
    name = hashlib.sha256(place.encode()).hexdigest()[:32]
    query = features_of(connection).try_lock
    locked = _file_lock(name) if query is None else _session_lock(connection, query, name)
    with locked as check:
        if check is None:
            raise TargetError(
                f"Another process ships to {target} already. Stop it first, or give another target."
            )
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

    try:
        yield check if _run(session, query, name) else None
    finally:
        session.close()


def _run(session: BaseDatabaseWrapper, query: str, *parameters: str) -> Any:
    with session.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchone()[0]
