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
    text_keys_ignore_case=True,
    folds_only_ascii_case=False,
    minimum_versions={"MariaDB": (10, 6), "MySQL": (8, 4)},
    try_lock="SELECT GET_LOCK(%s, 0)",
    # MyISAM, Aria, MEMORY and others keep the row when its entry fails. NDB runs triggers only on
    # the server that got the statement, and other servers write to the same tables.
    storage_engines=("InnoDB",),
)
