"""MariaDB and MySQL: what they can do."""

from django_customer_history.backends.features import Features

FEATURES = Features(
    ddl_is_transactional=False,
    triggers_block_changes=False,
    # A derived table sees the variables of a trigger, but no column of the query around it.
    splits_json_outside_triggers=False,
    error_ends_transaction=False,
    # TRUNCATE and DROP run no trigger: only the privileges of the role can forbid them.
    has_truncate_triggers=False,
    supports_partitions=False,
    # InnoDB carries out foreign keys below the layer that runs triggers.
    runs_triggers_for_native_cascades=False,
    folds_only_ascii_case=False,
)
