"""PostgreSQL: the SQL for tables whose rows are in several tables, or hidden by policies."""

HEADS_BY_ROW = """
AFTER {event} ON {table}
FOR EACH ROW
"""

# An UPDATE that moves a row to another partition runs the triggers of a DELETE and an INSERT.
# When they run, the moved row is in its new place.
DELETE_OR_MOVE = """
DECLARE
  moved jsonb := (
    SELECT {moved}
    FROM {table} AS customer_history_moved
    WHERE {same_key}
    LIMIT 1
  );
BEGIN
  IF moved IS NOT NULL THEN
    PERFORM set_config(
      'customer_history.moved',
      concat(current_setting('customer_history.moved', true), {token}),
      true
    );
    {update}
  ELSE
    {delete}
  END IF;
END;
"""

INSERT_UNLESS_MOVED = """
IF position({token} IN coalesce(current_setting('customer_history.moved', true), '')) > 0 THEN
  PERFORM set_config(
    'customer_history.moved',
    replace(current_setting('customer_history.moved', true), {token}, ''),
    true
  );
  RETURN NULL;
END IF;
{insert}
"""

# PostgreSQL does not pass the trigger of TRUNCATE on to a new partition.
REFUSE_UNLESS_PARTITIONS_TRACKED = """
IF EXISTS (
  SELECT 1 FROM pg_catalog.pg_partition_tree({table}::regclass) AS part
  WHERE part.isleaf AND NOT EXISTS (
    SELECT 1 FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = part.relid AND t.tgtype & 32 <> 0 AND starts_with(t.tgname, {prefix})
  )
) THEN
  RAISE EXCEPTION USING
    MESSAGE = {message},
    ERRCODE = '23000';
END IF;
"""

REFUSE_HIDDEN_ROWS = """
IF row_security_active({table}::regclass) THEN
  RAISE EXCEPTION USING
    MESSAGE = {message},
    ERRCODE = '42501';
END IF;
"""

# Two statements: PL/pgSQL reads the inner one only if it runs, so that a column that is gone does
# no harm.
REFUSE_HIDDEN_SUBJECT = """
IF row_security_active({table}::regclass) THEN
  IF {is_hidden} THEN
    RAISE EXCEPTION USING
      MESSAGE = {message},
      ERRCODE = '42501';
  END IF;
END IF;
"""
