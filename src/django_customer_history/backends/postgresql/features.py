"""PostgreSQL: what it can do."""

from django_customer_history.backends.features import Features

FEATURES = Features(
    ddl_is_transactional=True,
    triggers_block_changes=False,
    splits_json_outside_triggers=True,
    error_ends_transaction=True,
    has_truncate_triggers=True,
    supports_partitions=True,
    runs_triggers_for_native_cascades=True,
    minimum_versions={"PostgreSQL": (14,)},
    try_lock="SELECT pg_try_advisory_lock(hashtextextended(%s, 0))",
    text_keys_ignore_case=False,
    folds_only_ascii_case=False,
)
