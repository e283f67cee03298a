"""SQLite: what it can do."""

from django_customer_history.backends.features import Features

FEATURES = Features(
    ddl_is_transactional=True,
    # To remake or rename a table fails while a trigger on another table reads it, and the
    # triggers on the table itself are lost.
    triggers_block_changes=True,
    splits_json_outside_triggers=True,
    error_ends_transaction=False,
    # SQLite has no TRUNCATE: a DELETE without a condition runs the triggers for each row.
    has_truncate_triggers=False,
    supports_partitions=False,
    runs_triggers_for_native_cascades=True,
    minimum_versions={"SQLite": (3, 40)},
    text_keys_ignore_case=False,
    folds_only_ascii_case=True,
)
