"""What a database can do, where the databases differ; like Django's `connection.features`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The feature flags of one database."""

    ddl_is_transactional: bool
    """A transaction that is rolled back takes its changes of the schema back too."""
    triggers_block_changes: bool
    """A table's schema can only change while no trigger is on the table or reads it."""
    splits_json_outside_triggers: bool
    """A query outside of a trigger can split JSON by its keys, too."""
    error_ends_transaction: bool
    """After an error, no other statement can run in the same transaction."""
    has_truncate_triggers: bool
    """A trigger can run on TRUNCATE."""
    supports_partitions: bool
    """The log can be a partitioned table."""
    runs_triggers_for_native_cascades: bool
    """Triggers run for rows that the database removes or changes itself (`ON DELETE CASCADE`)."""
    text_keys_ignore_case: bool
    """A foreign key to a text may be written in another case than the key that it refers to."""
    folds_only_ascii_case: bool
    """`LOWER()` changes the letters A to Z only."""
    minimum_versions: Mapping[str, tuple[int, ...]]
    """The lowest version that the tests run on, for each product, as Django names it."""
    try_lock: str | None = None
    """The query that takes a lock of this session by a name of 32 characters, and returns whether
    it could; None: there is only one machine, where a locked file does the same."""
    storage_engines: Collection[str] = ()
    """The engines of tables that can be tracked; empty: the database has only one."""
