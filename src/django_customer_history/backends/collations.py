"""Columns of the log whose collation takes different keys for the same."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CollationRepair:
    """The statement that makes the log compare keys exactly, and what is wrong before it."""

    columns: Mapping[str, str]
    """The collation of each column that has another one."""
    collation: str
    """The one that these columns have after the statement."""
    statement: str
    privileges: str
    """The privileges on the log that the statement needs: "ALTER, CREATE"."""
