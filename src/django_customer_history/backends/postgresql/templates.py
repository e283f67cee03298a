"""PostgreSQL: the SQL of the triggers.

Names of tables, of the log and of this package's functions have their schema. PostgreSQL looks
for a table among the temporary ones first, so without the schema a temporary table called like
the log would take the entries.
"""

from collections.abc import Mapping

from django_customer_history.backends.tables import Event

FUNCTION = """
CREATE OR REPLACE FUNCTION {function}()
RETURNS trigger
LANGUAGE plpgsql
AS $customer_history$
{source}
$customer_history$
"""

TRIGGER = """
CREATE OR REPLACE TRIGGER {name}
{head}
EXECUTE FUNCTION {function}()
"""

# INSERT and DELETE are logged once for each statement, with one INSERT for many rows. UPDATE is
# logged row by row: only a row trigger knows which new row belongs to which old row.
HEADS: Mapping[Event, str] = {
    "insert": """
AFTER INSERT ON {table}
REFERENCING NEW TABLE AS customer_history_rows
FOR EACH STATEMENT
""",
    "update": """
AFTER UPDATE ON {table}
FOR EACH ROW
""",
    "delete": """
AFTER DELETE ON {table}
REFERENCING OLD TABLE AS customer_history_rows
FOR EACH STATEMENT
""",
    "truncate": """
BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT
""",
}
# *<> compares the bytes of the rows: it does not depend on a collation and, unlike <>, takes rows
# with json columns.
HEAD_IF_CHANGED = """
{head}
WHEN (OLD.* *<> NEW.*)
"""

# The head of the trigger is part of the source, so that a trigger with another head is stale.
CAPTURE = """
{header}
-- Trigger: {head}
#variable_conflict use_column
DECLARE
  context jsonb := {context};
BEGIN
  IF context ->> 'paused' = {now} THEN
    RETURN NULL;
  END IF;
  {work}
  RETURN NULL;
END
"""

CONTEXT = "nullif(current_setting('customer_history.context', true), '')::jsonb"
# A pause proves that it belongs to this transaction: it has the time at which this one began. A
# pause that is left in the session would silence all later users of the connection.
NOW = "extract(epoch FROM pg_catalog.now())::text"
MICROSECOND = "round(date_part('epoch', {moment}) * 1000000)::bigint"
# The settled order waits for a transaction from the moment when it has its id: the id comes first.
MICROSECOND_AFTER_ID = f"""
SELECT {MICROSECOND.format(moment="clock_timestamp()")} AS microsecond
FROM (SELECT pg_current_xact_id() OFFSET 0) AS begun
OFFSET 0
""".strip()

# The first 8 bytes are 48 bits of milliseconds, version 7 (0x7000) and 12 bits of fraction;
# gen_random_uuid() gives the other 8, with the variant.
KEY = """
encode(
  overlay(
    uuid_send(gen_random_uuid())
    placing int8send(
      ({microsecond} / 1000 << 16) | 28672 | ({microsecond} % 1000 * 4096 / 1000)
    )
    from 1
  ),
  'hex'
)::uuid
"""

# -- by named columns ---------------------------------------------------------------------

# To name the columns is several times as fast as to go through the row as JSON. But a function
# that names columns fails once a column is gone, and misses a new one. So it compares the layout
# of the table with the one that it was made for. The comparison is a constant for the planner,
# which makes it once in a session and again after each change of the table.
# to_regclass: if no table has the name any more, a regclass constant would be an error.
BY_NAMED_COLUMNS = """
-- While the table has the layout that it had at installation, name its columns.
IF to_regclass({table}) = TG_RELID THEN
  IF {layout_function}({table}::regclass) = {layout} THEN
    {by_column}
    RETURN NULL;
  END IF;
END IF;
-- With any other layout, read the row as JSON.
{by_json}
"""

# NOT NULL may hold for new rows only (NOT VALID, from PostgreSQL 18 on): older rows may be empty.
REQUIRED = """
a.attnotnull AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint c
  WHERE c.conrelid = a.attrelid AND c.contype = 'n' AND NOT c.convalidated
    AND a.attnum = ANY (c.conkey)
)
""".strip()

# Without quotes, which the setting quote_all_identifiers would add.
TYPE = "replace(format_type(a.atttypid, NULL), '\"', '')"

LAYOUT_FUNCTION = """
CREATE OR REPLACE FUNCTION {function}(regclass)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $customer_history$
{source}
$customer_history$
"""

# IMMUTABLE makes the planner call the function, and nothing else calls it. It reads the catalog,
# so its result is not true forever, but as long as a plan: each plan with a regclass constant
# ends with each change of that table.
LAYOUT = """
{header}
SELECT string_agg(
  a.attname || ' ' || {type}
    || CASE WHEN {required} THEN ' NOT NULL' ELSE '' END,
  ',' ORDER BY a.attnum
)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
"""

JSON_FUNCTION = """
CREATE OR REPLACE FUNCTION {function}(anyelement)
RETURNS jsonb
LANGUAGE sql
STABLE
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET lc_monetary = 'C'
AS $customer_history$
{source}
$customer_history$
"""

# What to_jsonb() makes of moments, floats, bytes, ranges and so on depends on these settings.
JSON = """
{header}
SELECT pg_catalog.to_jsonb($1)
"""

UPDATE_BY_COLUMN = """
DECLARE
  changes text := {differences};
  microsecond bigint;
  customer_history_primary_id uuid;
BEGIN
  {changed_keys}
  IF changes <> '' THEN
    {reason_checks}
    microsecond := {microsecond};
    {entries}
  END IF;
END;
"""

# Variables: PL/pgSQL prepares an expression once in a transaction, but the expressions of a
# statement each time.
ENTRY_BY_VARIABLES = """
DECLARE
  {variables}
BEGIN
  INSERT INTO {log} (
    {columns}
  )
  VALUES (
    {values}
  );
END
"""

# Without a variable of the function, the statement is planned once and not for each number of
# rows. OFFSET 0: the clock is read once for each row.
ROWS_BY_COLUMN = """
FROM (
  SELECT
    (SELECT {context}) AS customer_history_context,
    {microsecond} AS customer_history_microsecond,
    customer_history_rows.*
  FROM {rows}
  OFFSET 0
) AS {row}
"""

# -- by the row as JSON -------------------------------------------------------------------

UPDATE_BY_JSON = """
DECLARE
  new_row jsonb := {new_row};
  old_row jsonb := {old_row};
  changes jsonb;
  moment timestamptz;
  microsecond bigint;
  customer_history_primary_id uuid;
BEGIN
  {changes}
  {reason_checks}
  moment := clock_timestamp();
  microsecond := {microsecond};
  {entries}
END;
"""

CHANGES_BY_JSON = """
changes := (
  {members}
);
IF changes IS NULL THEN
  RETURN NULL;
END IF;
"""

RETURN_UNLESS = """
IF NOT ({condition}) THEN
  RETURN NULL;
END IF;
"""

# OFFSET 0: otherwise the planner would evaluate the clock, or the row's JSON, for each use.
ROWS_AS_JSON = """
FROM (
  SELECT clock_timestamp() AS moment, {json} AS {row}
  FROM {rows} AS customer_history_rows
  OFFSET 0
) AS stamped
CROSS JOIN LATERAL (
  SELECT {microsecond} AS microsecond
  OFFSET 0
) AS clock
"""

MEMBERS = """
SELECT jsonb_object_agg(field, value)
FROM (
  {members}
) AS changed
"""

MEMBERS_OF_ONE_ROW = """
SELECT
  {field} AS field,
  {value} AS value
FROM jsonb_each({row}) AS member(key, value)
WHERE {condition}
  AND {is_logged}
{members_by_key}
"""

ALL_MEMBERS = """
coalesce((
  {members}
), '{}')
"""

MEMBERS_OF_ONE_FIELD = """
UNION ALL
SELECT field, {value}
FROM (
  {keys}
) AS keyed
"""

# An object: a member for each key. Any other value: a member for the whole field.
KEYS = """
SELECT {prefix} || o.key AS field, o.value::text AS value
FROM jsonb_each(
  CASE jsonb_typeof({value}) WHEN 'object' THEN {value} ELSE '{}' END
) AS o
UNION ALL
SELECT {field}, {value}::text
WHERE jsonb_typeof({value}) NOT IN ('object', 'null')
"""

# An object or nothing on both sides: a member for each key that differs. Otherwise: a member for
# the whole field.
CHANGED_KEYS = """
SELECT {prefix} || key AS field, o.value::text AS before, n.value::text AS after
FROM jsonb_each(
  CASE jsonb_typeof({before}) WHEN 'object' THEN {before} ELSE '{}' END
) AS o
FULL JOIN jsonb_each(
  CASE jsonb_typeof({after}) WHEN 'object' THEN {after} ELSE '{}' END
) AS n USING (key)
WHERE coalesce(jsonb_typeof({before}), 'null') IN ('object', 'null')
  AND coalesce(jsonb_typeof({after}), 'null') IN ('object', 'null')
  AND o.value IS DISTINCT FROM n.value
UNION ALL
SELECT {field}, {before}::text, {after}::text
WHERE NOT (
  coalesce(jsonb_typeof({before}), 'null') IN ('object', 'null')
  AND coalesce(jsonb_typeof({after}), 'null') IN ('object', 'null')
)
  AND {before} IS DISTINCT FROM {after}
"""

KEYS_AS_TEXT = """
(
  SELECT string_agg(',' || to_json(field) || ':' || {value}, '')
  FROM (
    {keys}
  ) AS keyed
)
"""

# -- both ---------------------------------------------------------------------------------

ENTRY = """
INSERT INTO {log} (
  {columns}
)
SELECT
  {values}
{rows}
{where}
"""

# One statement, so that all entries of a row know the key of the first.
ENTRIES_OF_ROWS = """
WITH stamped AS MATERIALIZED (
  SELECT
    {key} AS customer_history_primary_id,
    *
  {rows}
)
INSERT INTO {log} (
  {columns}
)
{entries}
"""

ENTRY_OF_ROWS = """
SELECT
  {values}
FROM stamped AS {row}
{where}
"""

# A change with several subjects: all entries but the first refer to the first.
ENTRY_OF_SEVERAL = """
customer_history_primary_id := {key};
{statement}
"""

# The parentheses: otherwise a THEN in the condition would be taken for the THEN of the IF.
IF = """
IF ({condition}) THEN
  {statement};
END IF
"""

# A trigger for a statement also runs when the statement has written no row.
IF_ANY_ROW = """
IF EXISTS (SELECT 1 FROM {rows}) THEN
  {statements}
END IF;
"""

# 23000: Django raises IntegrityError, as it does on the other databases.
REQUIRE_REASON = """
IF {condition} THEN
  RAISE EXCEPTION USING
    MESSAGE = {message},
    ERRCODE = '23000';
END IF
"""
